"""A pool that is stopped: 503 with the operator's reason, for those who come and those who wait."""

from __future__ import annotations

import asyncio

from tests.listener.place import Place
from tests.listener.waiting import until

from webgarden_link import PoolState, WorkerStatus


async def test_a_stopped_pool_is_refused_with_its_reason_and_comes_back(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    await place.pool(workers=(worker,), state=PoolState.STOPPED, reason="Disabled")
    async with place.session() as session:
        async with session.get("/") as answer:
            assert (answer.status, answer.headers["X-Webgarden-Reason"]) == (503, "Disabled")
            assert "Retry-After" not in answer.headers
        await place.pool(workers=(worker,), state=PoolState.STOPPED, reason="RapidFail", retry_after=30)
        async with session.get("/") as answer:
            assert (answer.headers["X-Webgarden-Reason"], answer.headers["Retry-After"]) == ("RapidFail", "30")
        await place.pool(workers=(worker,))
        await place.serving(worker)
        async with session.get("/") as answer:
            assert answer.status == 200


async def test_those_who_wait_for_a_worker_are_told_at_once_when_the_pool_stops(place: Place) -> None:
    await place.pool()
    await place.site()
    async with place.session() as session:
        waiting = [asyncio.create_task(session.get("/")) for _ in range(10)]
        await until(lambda: place.waiting() == 10)
        await place.pool(state=PoolState.STOPPED, reason="StartupTimeLimit", retry_after=7)
        answers = await asyncio.gather(*waiting)
    assert [answer.status for answer in answers] == [503] * 10
    assert {answer.headers["X-Webgarden-Reason"] for answer in answers} == {"StartupTimeLimit"}
    assert {answer.headers["Retry-After"] for answer in answers} == {"7"}
    await until(lambda: place.operator.reports[place.key()].queued == 0)
    assert place.operator.reports[place.key()].rejected == 0


async def test_a_pool_that_starts_again_wakes_as_before(place: Place) -> None:
    await place.pool(state=PoolState.STOPPED, reason="Disabled")
    await place.site()
    await place.pool()
    async with place.session() as session:
        request = asyncio.create_task(session.get("/"))
        await place.demanded()
        await place.pool(workers=(place.worker(),))
        assert (await request).status == 200


async def test_what_runs_when_a_pool_stops_may_end_and_what_queues_may_not_begin(place: Place) -> None:
    place.limit = 1
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session:
        running = asyncio.create_task(session.get("/?seconds=3"))
        await place.runs(worker)
        waiting = [asyncio.create_task(session.get("/")) for _ in range(3)]
        await until(lambda: place.in_queue() == 3)
        await place.pool(workers=(worker,), state=PoolState.STOPPED, reason="Disabled")
        answers = await asyncio.gather(*waiting)
        assert [answer.headers["X-Webgarden-Reason"] for answer in answers] == ["Disabled"] * 3
        assert not running.done()
        assert place.operator.state(place.key(), "w1") == WorkerStatus.DRAINING
        assert (await running).status == 200
        await place.drained(worker)


async def test_another_pool_feels_nothing_of_a_stop(place: Place) -> None:
    worker = place.worker()
    await place.pool("other", workers=(worker,))
    await place.pool()
    await place.site(pool="/", other="/other")
    await place.serving(worker, pool="other")
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/other?seconds=1"))
        await place.runs(worker)
        await place.pool(state=PoolState.STOPPED, reason="Disabled")
        async with session.get("/other") as answer:
            assert answer.status == 200
        assert (await slow).status == 200
