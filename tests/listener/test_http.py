"""Shapes of HTTP that a proxy easily breaks: streams, uploads, answers that come early."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator

import pytest
from tests.listener.place import Place, Running
from tests.listener.raw import Answer, client


@pytest.fixture
async def worker(place: Place) -> Running:
    made = place.worker()
    await place.up(made)
    return made


async def cold(place: Place) -> Running:
    await place.pool()
    await place.site()
    return place.worker()


@pytest.mark.usefixtures("worker")
async def test_events_arrive_one_by_one(place: Place) -> None:
    async with place.session() as session, session.get("/events") as answer:
        for number in range(3):
            assert await answer.content.readline() == f"data: {number}\n".encode()
            assert await answer.content.readline() == b"\n"
            async with session.get("/next"):
                pass


async def test_events_arrive_one_by_one_to_a_pool_that_was_woken(place: Place) -> None:
    worker = await cold(place)
    async with place.session() as session:
        waking = asyncio.create_task(session.post("/events", data=b"x"))
        await place.demanded()
        await place.pool(workers=(worker,))
        async with await waking as answer:
            for number in range(3):
                assert await answer.content.readline() == f"data: {number}\n".encode()
                assert await answer.content.readline() == b"\n"
                async with session.get("/next"):
                    pass


@pytest.mark.usefixtures("worker")
async def test_ten_megabytes_go_up_and_come_down(place: Place) -> None:
    body = b"0123456789abcdef" * 655_360
    async with place.session() as session:
        async with session.post("/", data=io.BytesIO(body)) as answer:
            said = await answer.json()
        assert (said["size"], said["sha1"]) == (len(body), hashlib.sha1(body).hexdigest())
        async with session.get("/download?chunks=160") as answer:
            assert answer.headers["Transfer-Encoding"] == "chunked"
            assert len(await answer.read()) == 160 * 65536


async def test_ten_megabytes_go_up_and_come_down_to_a_pool_that_was_woken(place: Place) -> None:
    worker = await cold(place)
    body = b"0123456789abcdef" * 655_360
    async with place.session() as session:
        waking = asyncio.create_task(session.post("/download?chunks=160", data=io.BytesIO(body)))
        await place.demanded()
        await place.pool(workers=(worker,))
        async with await waking as answer:
            assert len(await answer.read()) == 160 * 65536


@pytest.mark.usefixtures("worker")
async def test_chunks_go_both_ways(place: Place) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 1000

    async with place.session() as session:
        async with session.post("/", data=parts()) as answer:
            assert (await answer.json())["size"] == 50_000
        async with session.post("/download?chunks=3", data=parts()) as answer:
            assert len(await answer.read()) == 3 * 65536


async def told_to_continue(place: Place) -> Answer:
    """The answer to a client that sends its body when it may."""
    async with client(place) as asking:
        asking.send(asking.request("/", "Content-Length: 5", "Expect: 100-continue", method="POST"))
        assert (await asking.answer()).status == 100
        asking.send(b"hello")
        return await asking.answer()


@pytest.mark.usefixtures("worker")
async def test_a_client_that_asks_first_is_told_to_continue(place: Place) -> None:
    answer = await told_to_continue(place)
    assert answer.status == 200
    assert hashlib.sha1(b"hello").hexdigest().encode() in answer.body


async def test_a_client_that_asks_first_is_told_to_continue_to_a_pool_that_was_woken(place: Place) -> None:
    worker = await cold(place)
    asking = asyncio.create_task(told_to_continue(place))
    await place.demanded()
    await place.pool(workers=(worker,))
    answer = await asking
    assert answer.status == 200
    assert hashlib.sha1(b"hello").hexdigest().encode() in answer.body


@pytest.mark.usefixtures("worker")
async def test_an_answer_may_come_before_the_whole_body_has_been_sent(place: Place) -> None:
    """Its beginning is waited for, whatever the worker would say to the head alone."""
    async with client(place) as asking:
        asking.send(asking.request("/early", "Content-Length: 1000000", method="POST") + b"x" * 20_000)
        assert (await asking.answer()).status == 413


@pytest.mark.usefixtures("worker")
async def test_a_websocket_talks_to_a_warm_pool(place: Place) -> None:
    async with place.session() as session, session.ws_connect("/ws") as talk:
        for number in range(3):
            await talk.send_str(str(number))
            assert await talk.receive_str() == f"w1: {number}"


async def test_a_worker_that_dies_with_a_request_is_a_502_that_says_so(place: Place, worker: Running) -> None:
    async with place.session() as session:
        slow = asyncio.create_task(session.post("/?seconds=30", data=b"x"))
        await place.runs(worker)
        worker.kill()
        answer = await slow
    assert (answer.status, answer.headers["X-Webgarden-Reason"]) == (502, "WorkerLost")
