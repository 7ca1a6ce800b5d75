"""A pool without a worker: what comes waits, the operator hears of it, and the worker gets all of it."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import AsyncIterator

import aiohttp
from tests.listener.place import Place, Running
from tests.listener.raw import Exchange, acted, client
from tests.listener.waiting import until

from webgarden_link import WorkerStatus


async def cold(place: Place, *, limit: int = 100, queue_timeout: int = 120) -> Running:
    """A site whose pool has no worker, and a worker that runs but that nobody knows of."""
    place.limit = limit
    await place.pool(queue_timeout=queue_timeout)
    await place.site()
    return place.worker()


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_get_wakes_the_pool_and_is_served(place: Place) -> None:
    worker = await cold(place)
    async with place.session() as session:
        request = asyncio.create_task(session.get("/hello?a=b"))
        await place.demanded()
        await place.pool(workers=(worker,))
        async with await request as answer:
            said = await answer.json()
    assert (answer.status, said["worker"], said["path"]) == (200, "w1", "/hello?a=b")
    await place.serving(worker)


async def test_a_post_with_a_body_wakes_the_pool(place: Place) -> None:
    worker = await cold(place)
    body = b"0123456789" * 30_000
    async with place.session() as session:
        request = asyncio.create_task(session.post("/", data=body))
        await place.demanded()
        await place.pool(workers=(worker,))
        async with await request as answer:
            said = await answer.json()
    assert (answer.status, said["sha1"]) == (200, hashlib.sha1(body).hexdigest())
    await place.counted(worker, 1)


async def test_a_chunked_post_wakes_the_pool(place: Place) -> None:
    worker = await cold(place)
    parts = (b"a" * 1000, b"b" * 100_000, b"c")
    async with place.session() as session:
        request = asyncio.create_task(session.post("/", data=pieces(*parts)))
        await place.demanded()
        await place.pool(workers=(worker,))
        async with await request as answer:
            said = await answer.json()
    assert (answer.status, said["sha1"]) == (200, hashlib.sha1(b"".join(parts)).hexdigest())


async def test_a_websocket_wakes_the_pool(place: Place) -> None:
    worker = await cold(place)
    async with place.session() as session:
        request = asyncio.create_task(session.ws_connect("/ws", timeout=aiohttp.ClientWSTimeout(ws_close=5)))
        await place.demanded()
        await place.pool(workers=(worker,))
        async with await request as socket:
            await socket.send_str("one")
            assert await socket.receive_str() == "w1: one"
            await place.in_flight(worker, 1)
            await socket.send_str("two")
            assert await socket.receive_str() == "w1: two"
    await place.in_flight(worker, 0)


async def test_a_pool_with_one_slot_that_a_websocket_woke_serves_others_when_it_is_over(place: Place) -> None:
    worker = await cold(place, limit=1)
    async with place.session() as session:
        request = asyncio.create_task(session.ws_connect("/ws"))
        await place.demanded()
        await place.pool(workers=(worker,))
        async with await request as socket:
            other = asyncio.create_task(session.get("/other"))
            await place.queued(1)
            assert (await worker.counters())["most"] == 1
            await socket.send_str("still")
            assert await socket.receive_str() == "w1: still"
        async with await other as answer:
            assert answer.status == 200
    assert (await worker.counters())["most"] == 1


async def test_all_that_waited_is_served_and_never_more_at_a_time_than_the_limit(place: Place) -> None:
    worker = await cold(place, limit=7)
    async with place.session() as session:

        async def ask(number: int) -> int:
            async with session.get(f"/{number}?seconds=0.02") as answer:
                await answer.read()
                return answer.status

        requests = [asyncio.create_task(ask(number)) for number in range(100)]
        await place.queued(100)
        await place.pool(workers=(worker,))
        statuses = await asyncio.gather(*requests)
    counted = await worker.counters()
    print(f"100 held: {statuses.count(200)} x 200, at most {counted['most']} at a time, limit 7")
    assert statuses == [200] * 100
    assert counted == {"most": 7, "total": 100, "running": 0}


async def test_first_requests_with_bodies_stay_within_the_limit_too(place: Place) -> None:
    worker = await cold(place, limit=3)
    async with place.session() as session:

        async def ask(number: int) -> int:
            async with session.post("/?seconds=0.05", data=bytes([number]) * 1000) as answer:
                await answer.read()
                return answer.status

        requests = [asyncio.create_task(ask(number)) for number in range(30)]
        await place.queued(30)
        await place.pool(workers=(worker,))
        statuses = await asyncio.gather(*requests)
    counted = await worker.counters()
    print(f"30 posts held: {statuses.count(200)} x 200, at most {counted['most']} at a time, limit 3")
    assert statuses == [200] * 30
    assert counted["most"] <= 3


async def test_demand_is_repeated_while_it_lasts_and_ends_with_the_client(place: Place) -> None:
    await cold(place)
    await place.pool("other")
    await place.site(pool="/", other="/other")
    async with place.session() as session:
        request = asyncio.create_task(session.get("/"))
        await until(lambda: place.operator.demands[place.key()] >= 2)
        await place.queued(1)
        request.cancel()
        await place.queued(0)
        said = place.operator.demands[place.key()]
        other = asyncio.create_task(session.get("/other"))
        await until(lambda: place.operator.demands[place.key("other")] >= 3)  # two seconds or more
        other.cancel()
    assert place.operator.demands[place.key()] == said


async def test_clients_that_give_up_while_they_ring_and_wait_cost_the_others_nothing(place: Place) -> None:
    worker = await cold(place, limit=5)
    chance = random.Random(34)
    async with place.session() as session:
        requests = [asyncio.create_task(session.get(f"/{number}")) for number in range(50)]
        await until(lambda: place.waiting() == 50)
        chance.shuffle(requests)
        for request in requests[:10]:
            request.cancel()
        await place.pool(workers=(worker,))
        for request in requests[10:15]:
            request.cancel()
        assert [(await request).status for request in requests[15:]] == [200] * 35
    await until(lambda: place.waiting() == 0)


async def test_the_ring_is_passed_on_when_the_one_who_rings_gives_up_again_and_again(place: Place) -> None:
    worker = await cold(place)
    async with place.session() as session:
        requests = [asyncio.create_task(session.get("/")) for _ in range(20)]
        await until(lambda: place.waiting() == 20)
        for left, request in zip(range(19, 4, -1), requests[:15], strict=True):
            request.cancel()
            await until(lambda left=left: place.waiting() == left)  # type: ignore[misc]
        await place.pool(workers=(worker,))
        assert [(await request).status for request in requests[15:]] == [200] * 5


async def test_a_client_that_goes_lets_the_next_one_ring(place: Place) -> None:
    worker = await cold(place)
    async with place.session() as session:
        gone = asyncio.create_task(session.get("/gone"))
        await place.demanded()
        stays = asyncio.create_task(session.get("/stays"))
        await place.queued(2)
        gone.cancel()
        await place.queued(1)
        await place.pool(workers=(worker,))
        async with await stays as answer:
            assert answer.status == 200
    assert (await worker.counters())["total"] == 1


async def test_a_client_that_gives_up_frees_its_place_though_the_worker_does_not_notice(place: Place) -> None:
    over = asyncio.Event()

    async def stubborn(exchange: Exchange) -> None:
        await over.wait()

    place.limit = 1
    await place.pool()
    await place.site()
    async with acted(place, stubborn) as worker, place.session() as session:
        request = asyncio.create_task(session.get("/"))
        await place.demanded()
        await place.pool(workers=(worker.running,))
        await place.in_flight(worker.running, 1)
        request.cancel()
        await place.in_flight(worker.running, 0)
        over.set()


async def test_a_worker_that_starts_late_is_used_when_it_answers(place: Place) -> None:
    await place.pool()
    await place.site()
    worker = place.worker(start=False)
    async with place.session() as session:
        request = asyncio.create_task(session.get("/"))
        await place.demanded()
        await place.pool(workers=(worker,))
        await place.state(worker, WorkerStatus.WAITING)
        worker.start()
        async with await request as answer:
            assert answer.status == 200


async def test_who_waits_too_long_gets_a_503_that_says_so(place: Place) -> None:
    await cold(place, queue_timeout=1)
    async with place.session() as session:
        answers = await asyncio.gather(*(session.get("/") for _ in range(3)))
    assert [answer.status for answer in answers] == [503] * 3
    assert {answer.headers["X-Webgarden-Reason"] for answer in answers} == {"QueueTimeout"}
    assert {answer.headers["Retry-After"] for answer in answers} == {"1"}
    await until(lambda: place.operator.reports[place.key()].rejected == 3)


async def test_a_client_that_goes_in_the_middle_of_a_body_keeps_its_place_until_its_wait_is_over(place: Place) -> None:
    """HAProxy does not read from a client while its buffer is full, so it does not see it go."""
    place.limit = 1
    await place.pool(queue_limit=1, queue_timeout=2)
    await place.site()
    async with client(place) as gone:
        gone.send(gone.request("/", "Content-Length: 20000000", method="POST") + b"x" * 400_000)
        await until(lambda: place.waiting() == 1)
    await until(lambda: place.waiting() == 0)
    async with place.session() as session:
        request = asyncio.create_task(session.get("/"))
        await place.demanded()
        await place.pool(queue_limit=1, workers=(place.worker(),))
        assert (await request).status == 200
