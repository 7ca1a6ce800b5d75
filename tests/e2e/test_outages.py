"""Parts that go away: a listener (A19), the operator (A20), the API server (A21), the leader in the middle of a recycle."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.cluster.built import STATE
from tests.cluster.processes import Process, Processes
from tests.e2e.asking import at_once, outcomes
from tests.e2e.clients import Clients
from tests.e2e.durations import lasting
from tests.e2e.installation import NAMESPACE, Installation
from tests.e2e.kubernetes import Body
from tests.e2e.tenant import Pool, Tenant
from tests.e2e.traffic import traffic
from tests.e2e.waiting import until


def _steady(pool: Pool, *, rate: float = 60) -> tuple[Clients, ...]:
    return (
        pool.clients(connections=4, rate=rate),
        pool.clients(connections=2, rate=rate / 2, keep_alive=False),
        pool.clients(connections=4, rate=rate, method="POST"),
    )


def _name(body: Body) -> str:
    name: str = body["metadata"]["name"]
    return name


def test_a_listener_that_is_deleted_gracefully_loses_no_request(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning", model={"maxProcesses": 2})
    pool.running(2)
    installation = tenant.installation
    with traffic(*_steady(pool)) as load:
        load.answered(100)
        leaving = _name(installation.pods("listener")[0])
        installation.kubernetes.delete("Pod", leaving, NAMESPACE)
        load.answered(400)
        until(lambda: not installation.kubernetes.get("Pod", leaving, NAMESPACE), f"{leaving} to be gone", seconds=180)
        load.answered(100)
        result = load.end()
    assert result.ok >= 400
    assert result.failed == 0
    installation.connected()


def test_a_listener_that_is_killed_costs_a_tenth_of_the_requests_at_most(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning", model={"maxProcesses": 2})
    pool.running(2)
    installation = tenant.installation
    with traffic(*_steady(pool)) as load:
        load.answered(100)
        killed = _name(installation.pods("listener")[0])
        installation.kubernetes.delete("Pod", killed, NAMESPACE, grace_seconds=0)
        installation.connected()
        load.answered(400)
        result = load.end()
    share = result.ok / (result.ok + result.failed)
    print(f"{share:.4f} of {result.ok + result.failed} answered")
    assert share >= 0.90


def test_without_an_operator_warm_traffic_goes_on_and_a_cold_pool_waits_for_it(tenant: Tenant) -> None:
    warm = tenant.garden("warm", startMode="AlwaysRunning", model={"maxProcesses": 2})
    warm.running(2)
    cold = tenant.garden("cold", model={"startupTimeLimit": "15m"})
    with _no_operator(tenant.installation), traffic(*_steady(warm)) as load:
        waiting = at_once(3, cold.place, cold.host, "/process", patience=lasting(10) + 120)
        time.sleep(lasting(10))  # the outage itself
        assert not any(f.done() for f in waiting), "nobody was there to start a worker"
        result = load.end()
    counts = outcomes(waiting, patience=120)
    tenant.installation.connected()
    print(f"{lasting(10):g} s without an operator; then the cold pool: {counts}")
    assert result.failed == 0
    assert counts == {"200": 3}, "they waited in the queue, and were served when the operator was back"
    warm.running(2)


@contextmanager
def _no_operator(installation: Installation) -> Iterator[None]:
    kubernetes = installation.kubernetes
    deployment = kubernetes.get("Deployment", "webgarden-operator", NAMESPACE)
    assert deployment
    scale: Body = {"spec": {"replicas": deployment["spec"]["replicas"]}}
    kubernetes.patch("Deployment", "webgarden-operator", NAMESPACE, {"spec": {"replicas": 0}})
    try:
        labels = "app.kubernetes.io/name=webgarden-operator"
        until(lambda: not kubernetes.list("Pod", NAMESPACE, labels=labels), "the operators to be gone", seconds=90)
        yield
    finally:
        kubernetes.patch("Deployment", "webgarden-operator", NAMESPACE, scale)


@contextmanager
def _halted(process: Process) -> Iterator[None]:
    """It is there, and does nothing: connections to it hang, which is worse than being refused."""
    assert process.alive()
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


@pytest.mark.own_machine
def test_without_an_api_server_warm_traffic_goes_on(tenant: Tenant) -> None:
    apiserver = next(p for p in Processes(STATE).recorded() if p.name == "kube-apiserver")
    pool = tenant.garden(startMode="AlwaysRunning", model={"maxProcesses": 2})
    pool.running(2)
    clients = _steady(pool)
    with traffic(*clients) as load:
        load.answered(50)
        with _halted(apiserver):
            time.sleep(lasting(5))  # the outage itself
        load.answered(50)
        until(lambda: _answers(tenant), "the API server to answer again", seconds=60)
        tenant.installation.connected()
        load.answered(100)
        result = load.end()
    assert result.failed == 0
    pool.recycle()
    pool.settled(2, 2, seconds=120)


def _answers(tenant: Tenant) -> bool:
    try:
        return tenant.get("ApplicationPool", "garden") is not None
    except OSError:
        return False


@pytest.mark.parametrize("how", ["deleted", pytest.param("killed", marks=pytest.mark.own_machine)])
def test_a_recycle_goes_on_when_its_leader_dies_and_nothing_happens_twice(tenant: Tenant, how: str) -> None:
    installation = tenant.installation
    pool = tenant.garden(startMode="AlwaysRunning", model={"maxProcesses": 2})
    before = set(pool.running(2))
    (long,) = at_once(1, pool.place, pool.host, "/sleep?s=15", patience=60)
    pool.until(lambda: any(w["inFlight"] for w in pool.status["workers"]), "the long request to be in flight")
    with traffic(*_steady(pool)) as load:
        load.answered(50)
        pool.recycle()
        pool.until(lambda: pool.workers("Draining"), "a worker to be drained")
        leader = _leader(installation)
        _end(installation, leader, how)
        ended = datetime.now(UTC)
        took = (until(lambda: _renewed(installation, ended), "a leader again", seconds=40) - ended).total_seconds()
        pool.settled(2, 2, seconds=120)
        load.answered(50)
        result = load.end()
    print(f"{leader} {how}; {_leader(installation)} leads {took:.1f} s later; the long request: {long.result(60)}")
    assert took < 20
    assert result.failed == 0
    assert long.result(60).status == 200
    assert pool.recycles == 2, "each worker was recycled once"
    assert not before & set(pool.running(2))
    installation.connected()


def _leader(installation: Installation) -> str:
    lease = installation.kubernetes.get("Lease", "webgarden-operator", NAMESPACE)
    return str((lease or {"spec": {}})["spec"].get("holderIdentity") or "")


def _renewed(installation: Installation, since: datetime) -> datetime | None:
    """When the Lease was renewed after that moment: by another one, or by the same pod in its next life."""
    lease = installation.kubernetes.get("Lease", "webgarden-operator", NAMESPACE)
    assert lease
    renewed = lease["spec"].get("renewTime")
    moment = datetime.fromisoformat(renewed) if renewed and lease["spec"].get("holderIdentity") else since
    return moment if moment > since else None


def _end(installation: Installation, pod: str, how: str) -> None:
    if how == "deleted":
        installation.kubernetes.delete("Pod", pod, NAMESPACE, grace_seconds=0)
    else:
        os.kill(_process(pod), signal.SIGKILL)


def _process(pod: str) -> int:
    """The operator's own process, found by what only its container has in its environment."""
    mark = f"WEBGARDEN_POD={pod}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                return int(entry.name)
    raise AssertionError(f"{pod} has no process on this machine")
