"""What the operator is told of a pool, and when."""

from __future__ import annotations

from webgarden_link import Pool, PoolReport, PoolState, SiteReport, Worker, WorkerReport, WorkerState, WorkerStatus
from webgarden_listener.counters import Totals
from webgarden_listener.haproxy.stats import Backend, Server
from webgarden_listener.reports import INTERVAL, Outgoing, Sight, report
from webgarden_listener.table import endpoint

WORKER = Worker(name="w1", address="10.0.0.1", port=80)
LEAVING = WORKER.model_copy(update={"state": WorkerState.DRAINING})


def server(status: str = "UP", *, in_flight: int = 0) -> Server:
    return Server("10.0.0.1:80", 5, status, in_flight=in_flight)


def status(
    worker: Worker,
    now: Server | None,
    before: Server | None = None,
    *,
    stopped: bool = False,
    answers: bool = True,
) -> WorkerStatus:
    def backend(found: Server | None) -> Backend:
        return Backend(servers={} if found is None else {"w1": found})

    pool = Pool(key="n/p", workers=(worker,), state=PoolState.STOPPED if stopped else PoolState.STARTED)
    sight = Sight(backend(now), backend(before), {endpoint(worker)} if answers else ())
    return report(pool, sight, Totals()).workers[0].state


def test_a_worker_is_where_haproxy_finds_it() -> None:
    assert status(WORKER, None) is WorkerStatus.WAITING
    assert status(WORKER, server()) is WorkerStatus.SERVING
    assert status(WORKER, server("UP 1/2")) is WorkerStatus.SERVING
    assert status(WORKER, server("DOWN")) is WorkerStatus.DOWN
    assert status(WORKER, server("MAINT")) is WorkerStatus.WAITING


def test_a_worker_that_has_never_answered_waits_whatever_an_haproxy_thinks_that_has_just_started() -> None:
    assert status(WORKER, server(), answers=False) is WorkerStatus.WAITING
    assert status(WORKER, server("DOWN"), answers=False) is WorkerStatus.WAITING


def test_a_worker_is_drained_when_it_is_deleted_or_was_shut_and_empty_twice() -> None:
    shut = server("MAINT")
    assert status(LEAVING, None) is WorkerStatus.DRAINED
    assert status(LEAVING, shut, shut) is WorkerStatus.DRAINED
    assert status(LEAVING, shut, server()) is WorkerStatus.DRAINING
    assert status(LEAVING, shut) is WorkerStatus.DRAINING
    assert status(LEAVING, server("MAINT", in_flight=1), shut) is WorkerStatus.DRAINING
    assert status(LEAVING, server("DOWN"), server("DOWN")) is WorkerStatus.DRAINING
    assert status(WORKER, shut, shut, stopped=True) is WorkerStatus.DRAINED


def test_the_one_that_rings_waits_too() -> None:
    ringing = Backend(queued=2, bell=Server("unix", 1, "no check", in_flight=1))
    assert report(Pool(key="n/p"), Sight(ringing, Backend(), ()), Totals()).queued == 3


def sent(*, version: int = 1, requests: int = 0, state: WorkerStatus = WorkerStatus.SERVING) -> PoolReport:
    worker = WorkerReport(name="w1", state=state, requests=requests)
    return PoolReport(key="n/p", version=version, boot="b", workers=(worker,))


def test_what_has_not_changed_is_not_said_again() -> None:
    outgoing = Outgoing()
    assert outgoing.due(sent(), 0.0)
    assert not outgoing.due(sent(), 100.0)
    outgoing.begin()
    assert outgoing.due(sent(), 100.0)


def test_numbers_wait_for_the_interval_and_states_and_versions_do_not() -> None:
    outgoing = Outgoing()
    outgoing.due(sent(), 0.0)
    assert not outgoing.due(sent(requests=1), INTERVAL / 2)
    assert outgoing.waits(sent(requests=1))
    assert outgoing.due(sent(requests=1, state=WorkerStatus.DOWN), INTERVAL / 2)
    assert outgoing.due(sent(requests=1, state=WorkerStatus.DOWN, version=2), INTERVAL / 2)
    assert outgoing.due(sent(requests=2, state=WorkerStatus.DOWN, version=2), INTERVAL * 2)


def test_a_pool_is_settled_when_the_operator_knows_of_all_that_is_drained() -> None:
    outgoing, pool = Outgoing(), Pool(key="n/p", workers=(LEAVING,))
    assert not outgoing.settled(pool)
    outgoing.due(sent(state=WorkerStatus.DRAINING), 0.0)
    assert not outgoing.settled(pool)
    outgoing.due(sent(state=WorkerStatus.DRAINED), 0.0)
    assert outgoing.settled(pool)
    assert outgoing.settled(Pool(key="n/q"))


def test_a_site_is_told_of_when_it_differs() -> None:
    outgoing = Outgoing()
    one = SiteReport(key="n/s", version=1)
    assert outgoing.site_due(one)
    assert not outgoing.site_due(one)
    assert outgoing.site_due(one.model_copy(update={"refused": "no"}))
    outgoing.forget_site("n/s")
    assert outgoing.site_due(one)
