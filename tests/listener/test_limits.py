"""A pool's queue: as long as it may be, and nobody else's concern."""

from __future__ import annotations

import asyncio
import time

from tests.listener.place import Place
from tests.listener.waiting import until


async def test_the_request_after_a_full_queue_is_refused_at_once(place: Place) -> None:
    neighbour = place.worker("other")
    await place.pool(queue_limit=3)
    await place.pool("neighbour", workers=(neighbour,))
    await place.site(pool="/", neighbour="/neighbour")
    await place.serving(neighbour, pool="neighbour")
    async with place.session() as session:
        held = []
        for count in range(1, 4):
            held.append(asyncio.create_task(session.get("/")))
            await until(
                lambda count=count: (found := place.operator.reports.get(place.key())) and found.queued == count  # type: ignore[misc]
            )
        began = time.monotonic()
        async with session.get("/") as refused:
            took = time.monotonic() - began
        async with session.get("/neighbour") as served:
            said = await served.json()
        print(f"the request after the full queue was refused after {took * 1000:.1f} ms")
        assert (refused.status, refused.headers["X-Webgarden-Reason"]) == (503, "QueueFull")
        assert refused.headers["Retry-After"] == "1"
        assert took < 0.05
        assert (served.status, said["worker"]) == (200, "other")
        await until(lambda: place.operator.reports[place.key()].rejected == 1)
        worker = place.worker()
        await place.pool(queue_limit=3, workers=(worker,))
        assert [(await request).status for request in held] == [200] * 3


async def test_a_changed_queue_limit_counts_at_once_and_without_a_reload(place: Place) -> None:
    await place.pool(queue_limit=100)
    await place.site()
    before = place.node.pids()[0]
    await place.pool(queue_limit=1)
    async with place.session() as session:
        held = asyncio.create_task(session.get("/"))
        await until(lambda: place.operator.demands[place.key()])
        async with session.get("/") as refused:
            assert refused.headers["X-Webgarden-Reason"] == "QueueFull"
        held.cancel()
    assert place.node.pids()[0] == before


async def test_a_worker_never_gets_more_than_its_limit(place: Place) -> None:
    workers = (place.worker("w1"), place.worker("w2"))
    await place.up(*workers)
    async with place.session() as session:
        answers = await asyncio.gather(*(session.get("/?seconds=0.05") for _ in range(60)))
    assert [answer.status for answer in answers] == [200] * 60
    most = [(await worker.counters())["most"] for worker in workers]
    print(f"60 at once on limits 2 and 5: at most {most} at a time")
    assert most == [2, 5]


async def test_a_changed_worker_limit_counts_for_those_who_wait(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session:
        requests = [asyncio.create_task(session.get("/?seconds=3")) for _ in range(10)]
        await until(lambda: place.operator.reports[place.key()].queued == 9)
        worker.worker = worker.worker.model_copy(update={"limit": 10})
        await place.pool(workers=(worker,))
        assert [(await request).status for request in requests] == [200] * 10
    assert (await worker.counters())["most"] in (9, 10)


async def test_a_long_request_through_the_gate_takes_nobodys_place_in_the_queue(place: Place) -> None:
    worker = place.worker()
    await place.pool(queue_limit=1)
    await place.site()
    async with place.session() as session:
        waking = asyncio.create_task(session.ws_connect("/ws"))
        await until(lambda: place.operator.demands[place.key()])
        await place.pool(queue_limit=1, workers=(worker,))
        async with await waking:
            await until(lambda: (found := place.operator.worker(place.key(), "w1")) and found.in_flight == 1)
            await place.serving(worker)
            async with session.get("/") as answer:
                assert answer.status == 200
