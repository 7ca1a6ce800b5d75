"""Recycling loses no request: by hand (A1, A2), with a long request (A4), without a replacement (A15), by configuration."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any

import pytest
from tests.e2e import asking
from tests.e2e.asking import at_once
from tests.e2e.ledger import Ledger
from tests.e2e.tenant import ABRUPT, COMES_UP, Pool, Tenant
from tests.e2e.traffic import Result, traffic

WORKERS = {"the worker image": {}, "a worker that exits at SIGTERM": ABRUPT}


def _all_kinds(pool: Pool) -> tuple[Any, ...]:
    """GET and POST at full speed, on connections that stay and on new ones."""
    return (
        pool.clients(connections=4),
        pool.clients(connections=2, keep_alive=False),
        pool.clients(connections=4, method="POST"),
        pool.clients(connections=2, method="POST", keep_alive=False),
    )


@pytest.mark.parametrize("program", WORKERS.values(), ids=list(WORKERS))
def test_ten_recycles_by_hand_under_load_lose_no_request_and_repeat_none(
    tenant: Tenant, program: Mapping[str, Any]
) -> None:
    ledger = Ledger(tenant)
    worker = {**program, "env": ledger.environment}
    pool = tenant.garden(worker=worker, model={"maxProcesses": 2}, startMode="AlwaysRunning")
    pool.running(2)
    with traffic(*_all_kinds(pool)) as load:
        load.answered(200)
        for number in range(1, 6):
            pool.recycle()
            pool.settled(2 * number, 2)
        load.answered(200)
        result = load.end()
    counts = ledger.counts()
    print(f"{pool.recycles} recycles; {result.ok} answered by {len(result.processes)} processes; ledger: {counts}")
    assert result.failed == 0
    assert pool.recycles == 10
    assert len(result.processes) == 12, "two workers at first, and one for each recycle"
    assert counts == {"distinct": result.posted, "total": result.posted, "twice": []}


def test_a_long_request_finishes_on_the_old_worker(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning")
    (old,) = pool.running(1)
    (long,) = at_once(1, pool.place, pool.host, "/sleep?s=35", patience=60)
    pool.until(lambda: pool.status["workers"][0]["inFlight"] == 1, "the request to be in flight")
    pool.recycle()
    pool.until(lambda: pool.workers("Draining") == [old] and len(pool.workers()) == 1, "a new worker beside the old")
    new = pool.until(lambda: _not_of(pool, old), "the new worker to answer")
    assert not long.done()
    answer = long.result(60)
    print(f"{answer.body.decode()} answered after {answer.seconds:.1f} s, {new} meanwhile")
    assert answer.status == 200 and answer.body.decode().startswith(old)
    pool.settled(1, 1)


def _not_of(pool: Pool, worker: str) -> str:
    """Who answers now, unless it is still that worker."""
    answer = pool.ask("/process")
    assert answer.status == 200
    process = answer.body.decode()
    return "" if process.startswith(worker) else process


def test_what_runs_past_the_shutdown_limit_is_cut_and_counted(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning", model={"shutdownTimeLimit": "5s"})
    (old,) = pool.running(1)
    (long,) = at_once(1, pool.place, pool.host, "/sleep?s=50", patience=60)
    pool.until(lambda: pool.status["workers"][0]["inFlight"] == 1, "the request to be in flight")
    pool.recycle()
    pool.settled(1, 1)
    with pytest.raises(http.client.RemoteDisconnected):
        long.result(60)
    print(f"the long request was cut; failures: {pool.status['failures']}")
    assert [(f["kind"], f["worker"]) for f in pool.status["failures"]] == [("ShutdownTimeLimit", old)]
    assert pool.until(lambda: tenant.events("ShutdownTimeLimit"), "the Event")


def test_when_no_replacement_comes_up_the_old_worker_goes_on(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning", model={"startupTimeLimit": "8s"})
    (old,) = pool.running(1)
    tenant.apply("v1", "ResourceQuota", "full", spec={"hard": {"pods": "1"}})
    with traffic(pool.clients(rate=50), pool.clients(method="POST", rate=50)) as load:
        load.answered(50)
        pool.recycle()
        last = pool.until(lambda: pool.status.get("lastRecycle"), "the recycle to be given up")
        load.answered(100)
        result = load.end()
    event = pool.until(lambda: tenant.events("RecycleFailed"), "the Event")[0]
    print(f"{last}; {event['message']}")
    assert result.failed == 0
    assert (last["result"], last["worker"]) == ("Failed", old)
    assert "exceeded quota" in event["message"]
    assert pool.running(1) == [old]
    tenant.installation.kubernetes.delete("ResourceQuota", "full", tenant.namespace)
    pool.recycle()
    pool.settled(1, 1)
    assert pool.running(1) != [old], "after the repair it works"


def test_a_new_template_moves_the_workers_one_by_one(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning", model={"maxProcesses": 3})
    before = pool.running(3)
    with traffic(*_all_kinds(pool)) as load:
        load.answered(200)
        pool.change({"worker": {"env": [{"name": "CHANGED", "value": "yes"}]}})
        pool.settled(3, 3)
        load.answered(200)
        result = load.end()
    after = pool.running(3)
    print(f"{before} -> {after}")
    assert result.failed == 0
    assert not set(before) & set(after)
    assert pool.recycles == 3
    deployments = tenant.installation.kubernetes.list("Deployment", tenant.namespace)
    assert len(deployments) == 1, "the old revision's Deployment is gone"


def test_a_template_that_cannot_run_leaves_the_old_workers_alone(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning", model={"startupTimeLimit": "8s"})
    (old,) = pool.running(1)
    with traffic(pool.clients(rate=50), pool.clients(method="POST", rate=50)) as load:
        pool.change({"worker": {"image": "localhost/no-such-image:1"}})
        pool.until(lambda: pool.status["failures"], "the failed start")
        load.answered(100)
        result = load.end()
    print(f"{pool.status['failures'][0]['message']}")
    assert result.failed == 0
    assert old in pool.workers()
    pool.change({"worker": {"image": None}})
    pool.running(1, seconds=2 * COMES_UP)
    assert pool.ask().status == 200


def test_without_overlap_the_old_worker_is_gone_before_the_new_one_comes(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning", recycling={"disallowOverlappingRotation": True})
    (old,) = pool.running(1)
    with traffic(pool.clients(connections=4, rate=40), pool.clients(method="POST", rate=40)) as load:
        load.answered(40)
        pool.recycle()
        new = pool.until(lambda: [n for n in _names(tenant) if n != old], "the new pod")
        together = old in _names(tenant)
        pool.settled(1, 1)
        load.answered(40)
        result = load.end()
    print(f"{old} -> {new}, together: {together}")
    assert result.failed == 0
    assert not together


def _names(tenant: Tenant) -> list[str]:
    return [pod["metadata"]["name"] for pod in tenant.pods("garden")]


def test_a_deleted_pod_answers_what_it_has_or_it_is_counted(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning", model={"maxProcesses": 2})
    workers = pool.running(2)
    held = at_once(6, pool.place, pool.host, "/sleep?s=12", patience=60)
    pool.until(lambda: sum(w["inFlight"] for w in pool.status["workers"]) == 6, "six requests in flight")
    with traffic(pool.clients(rate=50), pool.clients(method="POST", rate=50)) as load:
        load.answered(20)
        for name in workers:
            tenant.installation.kubernetes.delete("Pod", name, tenant.namespace)
        counts = asking.outcomes(held)
        result: Result = load.end()
    print(f"of six requests of 12 s: {counts}")
    assert sum(counts.values()) == counts.get("200", 0) + counts.get("502 WorkerLost", 0) == 6
    assert result.failed == 0
    pool.running(2)
