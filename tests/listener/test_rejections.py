"""What is no request, or too much of one: each is answered as text, with its reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.listener.place import Place
from tests.listener.raw import Exchange, acted, client

SIZE = 40_000

WRONG = {
    "garbage": (b"\x16\x03\x01garbage\r\n\r\n", 400, "BadRequest"),
    "no version": (b"GET / FTP/9\r\n\r\n", 400, "BadRequest"),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "BadRequest"),
    "long target": (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "UrlLength"),
    "large head": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", 431, "RequestLength"),
    "many lines": (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 300 + b"\r\n", 400, "BadRequest"),
}


@pytest.mark.parametrize(("sent", "status", "reason"), WRONG.values(), ids=WRONG.keys())
async def test_what_is_no_request_is_answered_with_its_reason(
    place: Place, sent: bytes, status: int, reason: str
) -> None:
    async with client(place) as asking:
        asking.send(sent)
        answer = await asking.answer()
        assert await asking.rest() == b""
    assert (answer.status, answer.reason, answer.headers["content-type"]) == (status, reason, "text/plain")
    assert answer.body


async def test_a_head_that_is_never_finished_is_answered_when_its_time_is_over(place: Place) -> None:
    async with client(place) as asking:
        asking.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        answer = await asking.answer(seconds=25)
    assert (answer.status, answer.reason) == (408, "RequestTimeout")


async def test_heads_of_forty_kilobytes_pass_both_ways(place: Place) -> None:
    async def loud(exchange: Exchange) -> None:
        await exchange.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Large: " + b"y" * SIZE + b"\r\n\r\nok")

    async with acted(place, loud) as worker, client(place) as asking:
        await place.up(worker.running)
        answer = await asking.ask("/", f"X-Large: {'x' * SIZE}")
        assert len(worker.heads[0]) > SIZE
    assert (answer.status, len(answer.headers["x-large"]), answer.body) == (200, SIZE, b"ok")


async def test_how_large_a_head_may_be_can_be_set(fresh: Callable[..., Place]) -> None:
    place = fresh(head_size="16384")
    async with client(place) as asking:
        asking.send(asking.request("/", f"X: {'x' * 17_000}"))
        assert (await asking.answer()).reason == "RequestLength"


async def test_an_answer_that_is_none_is_a_502_that_says_so(place: Place) -> None:
    async def nonsense(exchange: Exchange) -> None:
        await exchange.say(b"what?\r\n\r\n")

    async with acted(place, nonsense) as worker, client(place) as asking:
        await place.up(worker.running)
        answer = await asking.ask()
    assert (answer.status, answer.reason) == (502, "WorkerAnswer")
