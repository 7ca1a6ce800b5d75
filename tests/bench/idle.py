"""What operator and listener use when nobody asks for anything, container by container."""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import pairwise

from tests.bench.bed import Bed
from tests.bench.figures import Figure, Report, Row, at_most
from tests.bench.processes import Sample, sample

TITLE = "At rest"
SECONDS = 30.0
SETTLING = 3.0
MIB = 2**20
CONTAINERS = {"operator": ("operator",), "listener": ("haproxy", "agent")}


def run(bed: Bed, rounds: int) -> Report:
    time.sleep(SETTLING)
    pods = {name: bed.installation.pods(name) for name in CONTAINERS}
    samples: dict[str, list[Sample]] = {name: [sample(found)] for name, found in pods.items()}
    for _ in range(rounds):
        time.sleep(SECONDS / rounds)
        for name, found in pods.items():
            samples[name].append(sample(found))
    return _report(samples, {name: len(found) for name, found in pods.items()})


def _report(samples: Mapping[str, list[Sample]], replicas: Mapping[str, int]) -> Report:
    rows: list[Row] = []
    for name, taken in samples.items():
        for container in CONTAINERS[name]:
            what = f"{replicas[name]} x {name}" + (f", {container}" if container != name else "")
            memory = Figure.of(one.of(container).memory / MIB for one in taken[1:])
            rows += [Row(f"{what}: memory, MiB", memory), Row(f"{what}: CPU, milli-cores", _cpu(taken, container))]
    memory = Figure.of([sum(taken[-1].of().memory for taken in samples.values()) / MIB])
    total = Figure.of([sum(taken[-1].millicores(taken[0]) for taken in samples.values())])
    rows += [
        Row("all of it: memory, MiB", memory, goal=at_most(300, "MiB")),
        Row("all of it: CPU, milli-cores", total, goal=at_most(10, "milli-cores")),
    ]
    how = (
        f"Over {SECONDS:g} s without a request, all replicas together. Memory is the resident set, "
        "which counts shared pages in each process."
    )
    return Report(TITLE, how, tuple(rows), summary=(rows[-2].what, rows[-1].what))


def _cpu(taken: list[Sample], container: str) -> Figure:
    pairs = pairwise(taken)
    return Figure.of(after.millicores(before, container) for before, after in pairs)
