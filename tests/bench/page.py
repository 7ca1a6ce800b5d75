"""The report as a page of Markdown, and its short form."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.bench.bed import Bed
from tests.bench.figures import Report, Row, table
from tests.listener.haproxy_binary import haproxy, version

INTRODUCTION = """\
# Benchmarks

Each figure is the median of its rounds, with the smallest and the largest in brackets. What stands beside it was measured in
the same run, on the same machine, taking turns. Client, proxy, workers, control plane and node share the cores named below,
so ratios say more than absolute figures. A goal that was missed is marked; nothing in the test suite asserts on a time.
"""


BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
"""Marks in README.md."""


@dataclass(frozen=True)
class Surroundings:
    """What the figures hang on."""

    date: str
    machine: str
    versions: str


def commit() -> str:
    """What the images are built of."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def surroundings(bed: Bed | None, now: datetime, built: str) -> Surroundings:
    """Without a bed: of what runs on this machine alone."""
    others = _of_the_cluster(bed) if bed else f"HAProxy {'.'.join(map(str, version(haproxy())))}"
    return Surroundings(f"{now:%Y-%m-%d %H:%M} UTC", _machine(), f"Webgarden {built}, {others}")


def _machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    load = os.getloadavg()[2]
    return f"{os.cpu_count()} cores of {model}, {memory:.0f} GiB, Linux {platform.release()}; load average {load:.1f}"


def _of_the_cluster(bed: Bed) -> str:
    listener = bed.installation.pods("listener")[0]["metadata"]["name"]
    inside = ("exec", "-n=webgarden", listener, "-c=haproxy", "--", "haproxy", "-v")
    release = bed.installation.kubectl(*inside).split()[2]
    kubernetes = bed.kubernetes.request("GET", "/version")["gitVersion"]
    return f"Kubernetes {kubernetes}, HAProxy {release}"


def page(reports: Sequence[Report], around: Surroundings, command: str) -> str:
    facts = f"- {around.date}\n- {around.machine}\n- {around.versions}\n- again: `{command}`\n"
    parts = [INTRODUCTION, facts]
    for report in reports:
        parts.append(f"## {report.title}\n\n{report.how}\n\n{table(report.rows)}\n")
        parts += [f"{note}\n" for note in report.notes]
    return "\n".join(parts)


def filled(text: str, reports: Iterable[Report], rounds: int) -> str:
    """README.md with these figures between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    note = (
        f"Median (smallest-largest) of {rounds} rounds on {os.cpu_count()} cores that client, proxy, workers and cluster "
        "share. How, and the rest: [docs/bench.md](docs/bench.md); again: `make bench`."
    )
    return f"{before}{BEGIN}\n{short(reports)}\n\n{note}\n{END}{after}"


def short(reports: Iterable[Report]) -> str:
    return table(_summary(reports))


def _summary(reports: Iterable[Report]) -> Iterable[Row]:
    for report in reports:
        yield from (row for row in report.rows if row.what in report.summary)
