"""Requests that wait for a worker which is slow to start: what they cost, whether all are answered, and how they are let go.

The worker opens its port when it is told to, so the wait lasts until it has been measured. The listeners are new, since a
process keeps memory that it once had. The clients are the tests' own: each body is checked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.bed import Bed
from tests.bench.figures import Figure, Report, Row, at_most
from tests.bench.processes import Sample, sample
from tests.e2e.asking import Place, ask
from tests.e2e.kubernetes import Body
from tests.e2e.tenant import Pool
from tests.e2e.traffic import traffic
from tests.e2e.waiting import until

TITLE = "Held requests"
REQUESTS = 5_000
LIMIT = 200
"""Of the worker, over all listeners."""
WAITING = 5.0
"""Seconds in which they are watched."""
SETTLING = 2.0
HEALTH_PORT = 8404
CONTROL_PORT = 9000
SESSIONS = "haproxy_backend_current_sessions"
"""Those in the queue are among them."""
PROGRAM = Path(__file__).parent / "programs/counted.py"


@dataclass(frozen=True)
class Hold:
    answered: int
    lost: int
    kilobytes: float
    """Of all listeners' memory, for each request."""
    millicores: float
    idle_millicores: float
    most: int
    """Requests in the worker at a time."""
    released: float
    """Seconds from the worker's start to the last answer."""


def run(bed: Bed, rounds: int) -> Report:
    bed.tenant.apply("v1", "ConfigMap", "counted", data={PROGRAM.name: PROGRAM.read_text()})
    new_listeners(bed)
    worker = {
        "command": ["python", f"/counted/{PROGRAM.name}"],
        "volumes": [{"name": "counted", "configMap": {"name": "counted"}}],
        "volumeMounts": [{"name": "counted", "mountPath": "/counted"}],
        "maxConcurrentRequests": LIMIT,
    }
    pools = [
        bed.tenant.garden(f"held-{number}", worker=worker, queueLength=4 * REQUESTS, model={"startupTimeLimit": "90s"})
        for number in range(rounds)
    ]
    listeners = bed.installation.pods("listener")
    time.sleep(SETTLING)
    first = sample(listeners)
    return _report([_hold(pool, listeners, first) for pool in pools])


def new_listeners(bed: Bed) -> None:
    release = ("-n=webgarden", "deployment/webgarden-listener")
    bed.installation.kubectl("rollout", "restart", *release)
    bed.installation.kubectl("rollout", "status", *release)
    bed.installation.connected()


def _hold(pool: Pool, listeners: Sequence[Body], first: Sample) -> Hold:
    idle = _millicores(listeners)
    clients = pool.clients(connections=REQUESTS, requests=REQUESTS, patience=120)
    with traffic(clients) as running:
        until(lambda: _held(pool, listeners) >= REQUESTS, f"{REQUESTS} held", seconds=60)
        control = Place(_address(pool), CONTROL_PORT)
        time.sleep(SETTLING)
        busy = _millicores(listeners)
        memory = sample(listeners).of().memory - first.of().memory
        began = time.monotonic()
        ask(control, "control", "/open")
        result = running.end()
        released = time.monotonic() - began
    most = int(ask(control, "control", "/most").body)
    return Hold(result.ok, REQUESTS - result.ok, memory / REQUESTS / 1024, busy, idle, most, released)


def _millicores(listeners: Sequence[Body]) -> float:
    before = sample(listeners)
    time.sleep(WAITING)
    return sample(listeners).millicores(before)


def _held(pool: Pool, listeners: Sequence[Body]) -> int:
    """Waiting in HAProxy's queues, those who ring among them, as the listeners' metrics say."""
    name = f'proxy="{pool.tenant.namespace}:{pool.name}"'
    held = 0
    for pod in listeners:
        said = ask(
            Place(pod["status"]["podIP"], HEALTH_PORT), "metrics", "/metrics?scope=backend&no-maint"
        ).body.decode()
        lines = [line for line in said.splitlines() if line.startswith(SESSIONS) and name in line]
        held += sum(int(line.split()[-1]) for line in lines)
    return held


def _address(pool: Pool) -> str:
    def there() -> str:
        pods = pool.tenant.pods(pool.name)
        return pods[0]["status"].get("podIP", "") if pods else ""

    return until(there, "the worker's address", seconds=60)


def _report(holds: Sequence[Hold]) -> Report:
    rows = (
        Row(f"lost of {REQUESTS:,} held requests", Figure.of(h.lost for h in holds), goal=at_most(0)),
        Row(
            "memory of the listeners for a held request, KB",
            Figure.of(h.kilobytes for h in holds),
            goal=at_most(16, "KB"),
        ),
        Row(
            "CPU of the listeners while they are held, milli-cores",
            Figure.of(h.millicores for h in holds),
            "idle",
            Figure.of(h.idle_millicores for h in holds),
        ),
        Row(
            f"most requests in the worker at a time, limit {LIMIT}",
            Figure.of(h.most for h in holds),
            goal=at_most(LIMIT),
        ),
        Row("worker may start -> all answered, s", Figure.of(h.released for h in holds)),
    )
    how = (
        f"{REQUESTS:,} clients, a request each, to a pool whose worker opens its port when told to and takes 2 ms for "
        "each. Through the Service, so the listeners share them. Memory: resident set, over that of new listeners."
    )
    return Report(TITLE, how, rows, summary=(rows[0].what, rows[1].what, rows[3].what))
