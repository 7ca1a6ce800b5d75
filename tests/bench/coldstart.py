"""A request to a pool that sleeps: where its time goes, step by step, beside a bare pod of the same template.

Every moment is seen from the client: its own clock when it sends and when the first byte comes, the API server's watch for
Deployment and pod, and a TCP connect of its own, every 2 ms, for the worker's port, from the moment its address is known.

A pool that takes one request at a time is asked as fast as it answers, right after its cold start and then once more: a
ring or a queue that were still in the way would show there.

The floor is what Kubernetes needs by itself: a pod of the same template, created by hand, until it is Ready.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from tests.bench import wrk
from tests.bench.bed import Bed
from tests.bench.figures import Figure, Report, Row, at_least, at_most
from tests.bench.watching import Watch
from tests.e2e.kubernetes import Body, condition, path
from tests.e2e.tenant import Pool

TITLE = "Cold start"
SAMPLES = 4
"""In a round."""
PORT = 8080
KNOCK = 0.002
PATIENCE = 60.0
FEW = 4
"""Connections to the pool that takes one request at a time, so that somebody always waits."""
SECONDS = 1


@dataclass(frozen=True)
class Coming:
    """Moments in the life of a pod."""

    created: float
    addressed: float
    answers: float
    ready: float


@dataclass(frozen=True)
class Start:
    """Moments of one cold start."""

    sent: float
    scaled: float
    pod: Coming
    first_byte: float

    @property
    def reachable(self) -> float:
        """When the worker answers at an address that is known."""
        return max(self.pod.addressed, self.pod.answers)


@dataclass(frozen=True)
class Rates:
    """Requests a second that one pool answers."""

    cold: float
    """Right after its cold start."""
    warm: float


def run(bed: Bed, rounds: int) -> Report:
    wrk.install()
    single = bed.tenant.garden("single", worker={"maxConcurrentRequests": 1}, model={"idleTimeout": "1s"})
    starts, floors = _starts(bed, rounds * SAMPLES)
    return _report(starts, floors, [_rates(single) for _ in range(rounds)])


def _starts(bed: Bed, count: int) -> tuple[list[Start], list[Coming]]:
    pool = bed.tenant.garden("cold", model={"idleTimeout": "1s"})
    starts: list[Start] = []
    floors: list[Coming] = []
    with bed.watch("Deployment") as deployments, bed.watch("Pod") as pods:
        for number in range(count):
            pool.asleep()
            starts.append(_start(pool, deployments, pods))
            floors.append(_floor(bed, pods, f"floor-{number}"))
    return starts, floors


def _start(pool: Pool, deployments: Watch, pods: Watch) -> Start:
    with ThreadPoolExecutor(1) as thread:
        began = time.monotonic()
        asking = thread.submit(_ask, pool)
        scaled = deployments.first(lambda d: d["spec"]["replicas"] == 1, since=began).at
        pod = _coming(pods, lambda body: body["metadata"].get("generateName", "").startswith(f"{pool.name}-"), began)
        sent, first_byte = asking.result()
    return Start(sent, scaled, pod, first_byte)


def _ask(pool: Pool) -> tuple[float, float]:
    """When the request went out, and when the first byte of its answer came."""
    with socket.create_connection((pool.place.address, pool.place.port), PATIENCE) as client:
        sent = time.monotonic()
        client.sendall(f"GET / HTTP/1.1\r\nHost: {pool.host}\r\n\r\n".encode())
        head = client.recv(65536)
        first_byte = time.monotonic()
    assert head.startswith(b"HTTP/1.1 200"), head[:200]
    return sent, first_byte


def _rates(pool: Pool) -> Rates:
    pool.asleep()
    _ask(pool)
    return Rates(cold=_rate(pool), warm=_rate(pool))


def _rate(pool: Pool) -> float:
    done = wrk.load(pool.place, pool.host, seconds=SECONDS, connections=FEW)
    assert not done.failed, f"{done.failed} requests to {pool.host} failed"
    return done.rate


def _floor(bed: Bed, pods: Watch, name: str) -> Coming:
    kubernetes, namespace = bed.kubernetes, bed.tenant.namespace
    template = kubernetes.list("Deployment", namespace, labels="webgarden.dev/pool=cold")[0]["spec"]["template"]
    body: Body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": template["spec"]}
    began = time.monotonic()
    kubernetes.request("POST", path("Pod", namespace), body)
    try:
        return _coming(pods, lambda body: body["metadata"]["name"] == name, began)
    finally:
        kubernetes.delete("Pod", name, namespace, grace_seconds=0)


def _coming(pods: Watch, wanted: Callable[[Body], bool], since: float) -> Coming:
    def seen(what: Callable[[Body], object]) -> tuple[float, Body]:
        found = pods.first(lambda body: wanted(body) and what(body), since=since)
        return found.at, found.body

    created, _ = seen(lambda body: "deletionTimestamp" not in body["metadata"])
    addressed, body = seen(lambda body: body["status"].get("podIP"))
    answers = _knock(body["status"]["podIP"])
    ready, _ = seen(lambda body: condition(body, "Ready")["status"] == "True")
    return Coming(created, addressed, answers, ready)


def _knock(address: str) -> float:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection((address, PORT), 1):
            return time.monotonic()
        time.sleep(KNOCK)
    raise AssertionError(f"{address} does not answer")


def _report(starts: list[Start], floors: list[Coming], rates: list[Rates]) -> Report:
    rows = (*_steps(starts, floors), *_single(rates))
    how = (
        "One request to a pool without a worker, and again after each idle stop; the project's worker image with an ASGI "
        "application. The bare pod has the same template and is created by hand after each. The pool that takes one "
        f"request at a time is asked over {FEW} connections for {SECONDS} s, once its first request has been answered, "
        "and then for as long again."
    )
    return Report(TITLE, how, rows, summary=(rows[0].what, rows[4].what, rows[5].what, rows[7].what))


def _steps(starts: list[Start], floors: list[Coming]) -> tuple[Row, ...]:
    def milliseconds(values: Iterable[float]) -> Figure:
        return Figure.of(1000 * value for value in values)

    floor = milliseconds(f.ready - f.created for f in floors)
    whole = milliseconds(s.first_byte - s.sent for s in starts)
    return (
        Row(
            "request -> Deployment scaled, ms", milliseconds(s.scaled - s.sent for s in starts), goal=at_most(30, "ms")
        ),
        Row("Deployment scaled -> pod created, ms", milliseconds(s.pod.created - s.scaled for s in starts)),
        Row(
            "pod created -> address published, ms",
            milliseconds(s.pod.addressed - s.pod.created for s in starts),
            "bare pod",
            milliseconds(f.addressed - f.created for f in floors),
        ),
        Row(
            "pod created -> answers on its port, ms",
            milliseconds(s.reachable - s.pod.created for s in starts),
            "bare pod",
            milliseconds(max(f.addressed, f.answers) - f.created for f in floors),
        ),
        Row(
            "answers -> first byte, ms",
            milliseconds(s.first_byte - s.reachable for s in starts),
            goal=at_most(10, "ms"),
        ),
        Row("request -> first byte, ms", whole, "bare pod: created -> Ready", floor, at_most(floor.median + 100, "ms")),
    )


def _single(rates: list[Rates]) -> tuple[Row, ...]:
    cold, warm = Figure.of(r.cold for r in rates), Figure.of(r.warm for r in rates)
    of_warm = Figure.of(r.cold / r.warm for r in rates)
    return (
        Row("one request at a time: answered a second right after a cold start", cold, "the same pool, warm", warm),
        Row("one request at a time: right after a cold start, of the warm pool's", of_warm, goal=at_least(0.9)),
    )
