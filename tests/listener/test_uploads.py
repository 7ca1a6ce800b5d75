"""Bodies that come slowly: a worker's place is for those who are all here."""

from __future__ import annotations

import asyncio

from tests.listener.place import Place
from tests.listener.raw import Exchange, acted, client


async def test_a_body_that_trickles_takes_no_workers_place(place: Place) -> None:
    worker = place.worker()
    place.limit = 1
    await place.up(worker)
    async with client(place) as slow, place.session() as session:
        slow.send(f"POST / HTTP/1.1\r\nHost: {place.host}\r\nContent-Length: 1000\r\n\r\nx".encode())
        for _ in range(3):
            async with session.post("/", data=b"quick") as answer:
                assert answer.status == 200
            slow.send(b"x")
            await asyncio.sleep(0)
        refused = await slow.answer(seconds=20)
    assert (refused.status, refused.reason) == (408, "RequestTimeout")
    assert (await worker.counters())["total"] == 3


async def test_a_body_that_is_late_but_comes_is_served(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    async with client(place) as late:
        late.send(f"POST / HTTP/1.1\r\nHost: {place.host}\r\nContent-Length: 5\r\n\r\nhe".encode())
        async with place.session() as session, session.get("/") as answer:
            assert answer.status == 200
        late.send(b"llo")
        assert (await late.answer()).status == 200


async def test_a_stream_without_a_length_is_with_its_worker_at_once(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    async with client(place) as stream:
        stream.send(f"POST / HTTP/1.1\r\nHost: {place.host}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n".encode())
        await place.runs(worker)
        stream.send(b"0\r\n\r\n")
        assert (await stream.answer()).status == 200


async def test_a_large_body_is_with_its_worker_while_it_comes_so_that_it_may_be_answered_early(place: Place) -> None:
    async def refuse(exchange: Exchange) -> None:
        await exchange.say(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    async with acted(place, refuse) as worker:
        await place.up(worker.running)
        async with client(place) as early:
            early.send(
                f"POST / HTTP/1.1\r\nHost: {place.host}\r\nContent-Length: 10000000\r\n\r\n".encode() + b"x" * 1000
            )
            assert (await early.answer()).status == 413
