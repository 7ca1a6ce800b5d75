"""A pool without a worker: what comes waits, the operator hears of it, and the worker gets all of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import aiohttp
from tests.listener.place import Place, Running
from tests.listener.waiting import until


async def cold(place: Place, *, limit: int = 100, queue_timeout: int = 120) -> Running:
    """A site whose pool has no worker, and a worker that runs but that nobody knows of."""
    place.limit = limit
    await place.pool(queue_timeout=queue_timeout)
    await place.site()
    return place.worker()


async def demanded(place: Place) -> None:
    await until(lambda: place.operator.demands[place.key()] > 0)


async def queued(place: Place, count: int) -> None:
    await until(lambda: (report := place.operator.reports.get(place.key())) and report.queued == count)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_a_get_wakes_the_pool_and_is_served(place: Place) -> None:
    worker = await cold(place)
    async with place.session() as session:
        request = asyncio.create_task(session.get("/hello?a=b"))
        await demanded(place)
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
        await demanded(place)
        await place.pool(workers=(worker,))
        async with await request as answer:
            said = await answer.json()
    assert (answer.status, said["sha1"]) == (200, hashlib.sha1(body).hexdigest())
    await until(lambda: (found := place.operator.worker(place.key(), "w1")) and found.requests == 1)


async def test_a_chunked_post_wakes_the_pool(place: Place) -> None:
    worker = await cold(place)
    parts = (b"a" * 1000, b"b" * 100_000, b"c")
    async with place.session() as session:
        request = asyncio.create_task(session.post("/", data=pieces(*parts)))
        await demanded(place)
        await place.pool(workers=(worker,))
        async with await request as answer:
            said = await answer.json()
    assert (answer.status, said["sha1"]) == (200, hashlib.sha1(b"".join(parts)).hexdigest())


async def test_a_websocket_wakes_the_pool(place: Place) -> None:
    worker = await cold(place)
    async with place.session() as session:
        request = asyncio.create_task(session.ws_connect("/ws", timeout=aiohttp.ClientWSTimeout(ws_close=5)))
        await demanded(place)
        await place.pool(workers=(worker,))
        async with await request as socket:
            await socket.send_str("one")
            assert await socket.receive_str() == "w1: one"
            await until(lambda: (found := place.operator.worker(place.key(), "w1")) and found.in_flight == 1)
            await socket.send_str("two")
            assert await socket.receive_str() == "w1: two"
    await until(lambda: (found := place.operator.worker(place.key(), "w1")) and found.in_flight == 0)


async def test_a_pool_with_one_slot_that_a_websocket_woke_serves_others_when_it_is_over(place: Place) -> None:
    worker = await cold(place, limit=1)
    async with place.session() as session:
        request = asyncio.create_task(session.ws_connect("/ws"))
        await demanded(place)
        await place.pool(workers=(worker,))
        async with await request as socket:
            other = asyncio.create_task(session.get("/other"))
            await queued(place, 1)
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
        await queued(place, 100)
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
        await queued(place, 30)
        await place.pool(workers=(worker,))
        statuses = await asyncio.gather(*requests)
    counted = await worker.counters()
    print(f"30 posts held: {statuses.count(200)} x 200, at most {counted['most']} at a time, limit 3")
    assert statuses == [200] * 30
    assert counted["most"] <= 3


async def test_demand_is_repeated_while_it_lasts_and_ends_with_the_client(place: Place) -> None:
    await cold(place)
    async with place.session() as session:
        request = asyncio.create_task(session.get("/"))
        await until(lambda: place.operator.demands[place.key()] >= 2)
        await queued(place, 1)
        request.cancel()
        await queued(place, 0)


async def test_a_client_that_goes_frees_the_gate_for_the_next(place: Place) -> None:
    worker = await cold(place)
    async with place.session() as session:
        gone = asyncio.create_task(session.get("/gone"))
        await demanded(place)
        stays = asyncio.create_task(session.get("/stays"))
        await queued(place, 2)
        gone.cancel()
        await queued(place, 1)
        await place.pool(workers=(worker,))
        async with await stays as answer:
            assert answer.status == 200
    assert (await worker.counters())["total"] == 1


async def test_a_client_that_gives_up_while_the_gate_carries_its_request_frees_the_place(place: Place) -> None:
    await place.pool()
    await place.site()
    place.limit = 1
    worker = place.worker(start=False)

    async def stubborn(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes its time, whoever has gone meanwhile."""
        await reader.readuntil(b"\r\n\r\n")
        await over.wait()
        writer.close()

    over = asyncio.Event()
    async with await asyncio.start_server(stubborn, "127.0.0.1", worker.worker.port), place.session() as session:
        request = asyncio.create_task(session.get("/"))
        await demanded(place)
        await place.pool(workers=(worker,))
        await until(lambda: (found := place.operator.worker(place.key(), "w1")) and found.in_flight == 1)
        request.cancel()
        await until(lambda: (found := place.operator.worker(place.key(), "w1")) and found.in_flight == 0)
        over.set()


async def test_a_worker_that_starts_late_is_used_when_it_answers(place: Place) -> None:
    await place.pool()
    await place.site()
    worker = place.worker(start=False)
    async with place.session() as session:
        request = asyncio.create_task(session.get("/"))
        await demanded(place)
        await place.pool(workers=(worker,))
        await until(lambda: place.operator.state(place.key(), "w1") == "Waiting")
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


async def test_a_client_that_goes_in_the_middle_of_a_body_that_the_gate_stopped_reading_is_noticed(
    place: Place,
) -> None:
    await cold(place)
    _, writer = await asyncio.open_connection("127.0.0.1", place.node.port)
    writer.write(f"POST / HTTP/1.1\r\nHost: {place.host}\r\nContent-Length: 20000000\r\n\r\n".encode())
    writer.write(b"x" * 400_000)
    await queued(place, 1)
    writer.transport.abort()
    await queued(place, 0)
