"""Requests that fail while workers are replaced, beside `kubectl rollout restart` of the same program behind a Service.

The program exits at SIGTERM, whatever it is doing, as many do. Clients keep their connections, GET and POST, and count every
failure by its kind; the Service's clients are the same ones.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.bench.bed import Bed
from tests.bench.figures import Figure, Report, Row, at_most
from tests.cluster import images
from tests.e2e.asking import Place
from tests.e2e.clients import Clients
from tests.e2e.kubernetes import condition
from tests.e2e.tenant import ABRUPT, Pool
from tests.e2e.traffic import Result, traffic
from tests.e2e.waiting import until

TITLE = "Recycling under load"
RECYCLES = 10
WORKERS = 2
PORT = 8080
RATE = 200
ROUNDS = 2
"""Of the others, for one of these: each is ten recycles of four kinds."""
LEAST = 5.0
"""Seconds from one to the next, so that each finds everything settled."""
SPEEDS = {f"{RATE} requests a second": RATE / 2, "full speed": 0.0}
"""Requests a second for each method."""


Results = dict[tuple[str, str], list[Result]]
"""By speed and target."""


@dataclass(frozen=True)
class Target:
    place: Place
    host: str
    recycle: Callable[[], None]
    """Replace all workers; returns when they are."""


def run(bed: Bed, rounds: int) -> Report:
    targets = {"pool": _pool(bed), "service": _service(bed)}
    results: Results = {}
    for _ in range(max(1, rounds // ROUNDS)):
        for speed, rate in SPEEDS.items():
            for name, target in targets.items():
                results.setdefault((speed, name), []).append(_recycled(target, rate))
    rows: list[Row] = []
    for speed in SPEEDS:
        rows += _rows(speed, results[speed, "pool"], results[speed, "service"])
    how = (
        f"{RECYCLES} times all {WORKERS} workers in each round, GET and POST (1 KB) on kept connections; the program exits "
        "at SIGTERM. Beside it `kubectl rollout restart` of a Deployment of the same program with a readiness probe, behind "
        "a Service."
    )
    return Report(TITLE, how, tuple(rows), summary=tuple(row.what for row in rows if row.goal))


def _pool(bed: Bed) -> Target:
    pool = bed.tenant.garden("abrupt", worker=ABRUPT, model={"maxProcesses": WORKERS}, startMode="AlwaysRunning")
    pool.running(WORKERS)
    return Target(pool.place, pool.host, lambda: _recycle(pool))


def _recycle(pool: Pool) -> None:
    before = pool.recycles
    pool.recycle()
    pool.until(lambda: pool.recycles >= before + WORKERS, f"{WORKERS} recycles", seconds=120)


def _service(bed: Bed) -> Target:
    labels = {"app": "plain-service"}
    container = {
        "name": "worker",
        "image": images.WORKER,
        "imagePullPolicy": "IfNotPresent",
        **ABRUPT,
        "env": [{"name": "WEBGARDEN_PORT", "value": str(PORT)}],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "programs", "mountPath": "/app"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    volumes = [{"name": "programs", "configMap": {"name": "programs"}}]
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "volumes": volumes, "securityContext": security},
    }
    spec = {"replicas": WORKERS, "selector": {"matchLabels": labels}, "template": template}
    bed.tenant.apply("apps/v1", "Deployment", "plain-service", spec=spec)
    ports = [{"port": 80, "targetPort": PORT}]
    service = bed.tenant.apply("v1", "Service", "plain-service", spec={"selector": labels, "ports": ports})
    until(
        lambda: condition(bed.tenant.get("Deployment", "plain-service"), "Available")["status"] == "True",
        "the Deployment to be available",
        seconds=60,
    )
    target = ("-n", bed.tenant.namespace, "deployment/plain-service")

    def restart() -> None:
        bed.installation.kubectl("rollout", "restart", *target)
        bed.installation.kubectl("rollout", "status", *target)

    return Target(Place(service["spec"]["clusterIP"]), "plain", restart)


def _recycled(target: Target, rate: float) -> Result:
    place = target.place
    clients = [
        Clients(
            address=place.address, port=place.port, host=target.host, method=method, path=path, rate=rate, patience=30
        )
        for method, path in (("GET", "/"), ("POST", "/echo"))
    ]
    with traffic(*clients) as running:
        running.answered(100)
        for _ in range(RECYCLES):
            next_one = time.monotonic() + LEAST
            target.recycle()
            time.sleep(max(0.0, next_one - time.monotonic()))
        return running.end()


def _rows(speed: str, ours: list[Result], theirs: list[Result]) -> Sequence[Row]:
    def failed(results: list[Result], method: str) -> Figure:
        return Figure.of(
            sum(sum(c["failures"].values()) for c in result.counts if c["label"].startswith(method))
            for result in results
        )

    def answered(results: list[Result]) -> Figure:
        return Figure.of(result.ok for result in results)

    beside = "rollout restart"
    return (
        Row(f"failed GETs, {speed}", failed(ours, "GET"), beside, failed(theirs, "GET"), at_most(0)),
        Row(f"failed POSTs, {speed}", failed(ours, "POST"), beside, failed(theirs, "POST"), at_most(0)),
        Row(f"answered, {speed}", answered(ours), beside, answered(theirs)),
    )
