"""A pool's queue: as long as it may be, and nobody else's concern."""

from __future__ import annotations

import asyncio
import time

import aiohttp
from tests.listener.place import Place
from tests.listener.waiting import until


async def ask(session: aiohttp.ClientSession, path: str = "/") -> tuple[int, str]:
    async with session.get(path) as answer:
        return answer.status, answer.headers.get("X-Webgarden-Reason", "")


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
            await until(lambda count=count: place.waiting() == count)  # type: ignore[misc]
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
        await place.pool(queue_limit=3, workers=(place.worker(),))
        assert [(await request).status for request in held] == [200] * 3


async def test_the_queue_is_exact_to_one_while_the_last_worker_drains(place: Place) -> None:
    """Somebody rings then whom HAProxy does not see when it counts."""
    last = place.worker("last")
    await place.up(last, queue_limit=3)
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=30"))
        await place.runs(last)
        await place.drain(last)
        await place.pool(workers=(last,), queue_limit=3)
        held = []
        for count in range(1, 4):
            held.append(asyncio.create_task(ask(session)))
            await until(lambda count=count: place.waiting() == count)  # type: ignore[misc]
        assert await ask(session) == (503, "QueueFull")
        await place.pool(workers=(last, place.worker("next")), queue_limit=3)
        assert await asyncio.gather(*held) == [(200, "")] * 3
        slow.cancel()


async def test_a_changed_queue_limit_counts_at_once(place: Place) -> None:
    await place.pool(queue_limit=100)
    await place.site()
    await place.pool(queue_limit=1)
    async with place.session() as session:
        held = asyncio.create_task(session.get("/"))
        await place.demanded()
        assert await ask(session) == (503, "QueueFull")
        held.cancel()


async def test_a_worker_never_gets_more_than_its_limit(place: Place) -> None:
    place.limit = 5
    workers = (place.worker("w1"), place.worker("w2"))
    await place.up(*workers)
    async with place.session() as session:
        answers = await asyncio.gather(*(session.get("/?seconds=0.05") for _ in range(60)))
    assert [answer.status for answer in answers] == [200] * 60
    most = [(await worker.counters())["most"] for worker in workers]
    print(f"60 at once on twice 5: at most {most} at a time")
    assert most == [5, 5]


async def test_a_changed_worker_limit_counts_for_those_who_wait(place: Place) -> None:
    worker = place.worker()
    place.limit = 1
    await place.up(worker)
    async with place.session() as session:
        requests = [asyncio.create_task(session.get("/?seconds=30")) for _ in range(10)]
        await until(lambda: place.waiting() == 9)
        place.limit = 10
        await place.pool(workers=(worker,))
        await place.runs(worker, 10)
        for request in requests:
            request.cancel()


async def test_limits_are_divided_by_the_listeners_with_one_message(place: Place) -> None:
    worker = place.worker()
    place.limit = 4
    await place.up(worker, queue_limit=4)
    async with place.session() as session:
        place.operator.share(2)
        try:
            await until(lambda: place.worker_limit(worker) == 2)
            running = [asyncio.create_task(session.get("/?seconds=30")) for _ in range(2)]
            await place.runs(worker, 2)
            waiting = [asyncio.create_task(session.get("/?seconds=30")) for _ in range(2)]
            await until(lambda: place.in_queue() == 2)  # the first that finds no place may ring for a moment
            assert await ask(session) == (503, "QueueFull")
        finally:
            place.operator.share(1)
        await place.runs(worker, 4)
        for request in (*running, *waiting):
            request.cancel()


async def test_a_long_request_that_woke_its_pool_takes_nobodys_place_in_the_queue(place: Place) -> None:
    await place.pool(queue_limit=1)
    await place.site()
    async with place.session() as session:
        waking = asyncio.create_task(session.ws_connect("/ws"))
        await place.demanded()
        await place.pool(queue_limit=1, workers=(place.worker(),))
        async with await waking:
            assert await ask(session) == (200, "")
