"""Workers come and go: nobody notices, and `Drained` is true when it is said."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from tests.listener.load import Load
from tests.listener.place import Place
from tests.listener.waiting import until

from webgarden_link import WorkerStatus


async def test_draining_and_its_end_lose_nothing_under_load(place: Place) -> None:
    workers = (place.worker("w1"), place.worker("w2"))
    await place.up(*workers)
    async with Load(place) as gets, Load(place, method="POST") as posts:
        for _ in range(3):
            for worker, other in (workers, reversed(workers)):
                await gets.more(100)
                await place.drain(worker, other)
                await place.drained(worker)
                await place.take_back(worker, other)
                await place.serving(worker)
    assert set(gets.outcomes) == {"200"}
    assert set(posts.outcomes) == {"200"}
    total = gets.by_worker + posts.by_worker
    for worker in workers:
        await place.counted(worker, total[worker.worker.name])


async def test_a_recycle_replaces_workers_without_a_failure(place: Place) -> None:
    old = place.worker("w0")
    await place.up(old)
    async with Load(place) as gets, Load(place, method="POST") as posts:
        for number in range(1, 4):
            new = place.worker(f"w{number}")
            await place.pool(workers=(old, new))
            await place.serving(new)
            await place.drain(old, new)
            await place.drained(old)
            old.kill()
            await place.pool(workers=(new,))
            await gets.more(100)
            old = new
    assert set(gets.outcomes + posts.outcomes) == {"200"}


async def test_a_request_that_comes_while_the_last_worker_drains_is_held_for_the_next(place: Place) -> None:
    last, following = place.worker("last"), place.worker("next")
    await place.up(last)
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=1.5"))
        await place.runs(last)
        await place.drain(last)
        held = [asyncio.create_task(session.get("/held")) for _ in range(5)]
        await place.demanded()
        await place.pool(workers=(last, following))
        said = [await (await request).json() for request in held]
        assert [one["worker"] for one in said] == ["next"] * 5
        assert (await (await slow).json())["worker"] == "last"


async def test_who_was_held_while_a_full_worker_drained_waits_for_its_place_when_it_is_taken_back(place: Place) -> None:
    place.limit = 1
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=1.5"))
        await place.runs(worker)
        await place.drain(worker)
        held = [asyncio.create_task(session.post("/held", data=b"x")) for _ in range(3)]
        await place.demanded()
        await place.take_back(worker)
        assert [(await request).status for request in (slow, *held)] == [200] * 4
    assert (await worker.counters())["most"] == 1


async def test_those_who_queue_when_the_last_worker_drains_are_not_forgotten(place: Place) -> None:
    """HAProxy overlooks its queue now and then when the last worker leaves, hence twenty times."""
    place.limit = 1
    workers = [place.worker(f"w{number}") for number in range(2)]
    await place.up(workers[0])
    async with place.session() as session:
        for number in range(20):
            last, following = workers[number % 2], workers[(number + 1) % 2]
            slow = asyncio.create_task(session.get("/?seconds=30"))
            await place.runs(last)
            held = [asyncio.create_task(session.get("/held")) for _ in range(5)]
            await until(lambda: place.waiting() == 5)
            place.operator.demands.clear()
            await place.drain(last)
            await place.demanded()
            await place.take_back(following, last)
            said = [await (await request).json() for request in held]
            assert {one["worker"] for one in said} == {following.worker.name}
            slow.cancel()
            await place.drained(last)


async def test_drained_is_said_only_when_the_last_request_has_ended(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=1.5"))
        await place.runs(worker)
        await place.drain(worker)
        assert place.operator.state(place.key(), "w1") == WorkerStatus.DRAINING
        await place.drained(worker)
        assert slow.done() or (await worker.counters())["running"] == 0
        assert (await slow).status == 200


async def test_drained_is_not_said_while_a_websocket_is_open(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session, session.ws_connect("/ws") as socket:
        await place.drain(worker)
        await place.state(worker, WorkerStatus.DRAINING)
        reports = len(place.operator.heard)
        await place.pool("another")  # rounds go by
        await until(lambda: len(place.operator.heard) > reports)
        await socket.send_str("still here")
        assert await socket.receive_str() == "w1: still here"
        assert place.operator.state(place.key(), "w1") == WorkerStatus.DRAINING
        await socket.close()
        await place.drained(worker)


async def test_a_worker_that_leaves_the_table_loses_the_requests_it_still_runs(place: Place) -> None:
    worker, other = place.worker("w1"), place.worker("w2")
    await place.up(worker)
    async with place.session() as session:
        slow = asyncio.create_task(session.post("/?seconds=30", data=b"a client does not repeat this by itself"))
        await place.runs(worker)
        await place.pool(workers=(other,))
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await slow
        async with session.get("/") as served:
            assert (await served.json())["worker"] == "w2"
    await until(lambda: place.servers() == {"_bell", "w2"})


async def test_a_websocket_ends_when_its_worker_leaves_the_table(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session, session.ws_connect("/ws") as socket:
        await place.pool(workers=())
        message = await socket.receive()
        assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE)


async def test_another_address_under_the_same_name_is_another_worker(place: Place) -> None:
    first, second = place.worker("w1"), place.worker("w1")
    await place.up(first)
    await place.pool(workers=(second,))
    async with place.session() as session:
        for _ in range(5):
            async with session.get("/") as answer:
                assert answer.status == 200
    assert (await first.counters())["total"] == 0
    assert (await second.counters())["total"] == 5


async def test_a_worker_that_dies_is_found_out_and_used_again_when_it_is_back(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    worker.kill()
    await place.state(worker, WorkerStatus.DOWN)
    async with place.session() as session:
        held = asyncio.create_task(session.get("/"))
        await place.demanded()
        worker.start()
        assert (await held).status == 200
    await place.serving(worker)
