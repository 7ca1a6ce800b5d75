"""Connections to workers are kept and shared: what one client does on them never reaches another."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest
from tests.listener.fake_operator import FakeOperator
from tests.listener.node import Node
from tests.listener.place import Place
from tests.listener.raw import OK, Exchange, acted, client
from tests.listener.waiting import until

Fresh = Callable[..., Place]


def said(text: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


async def test_a_worker_that_closes_instead_of_answering_a_first_request_is_a_502(place: Place) -> None:
    async def close(exchange: Exchange) -> None:
        exchange.close()

    async with acted(place, close) as worker, client(place) as asking:
        await place.up(worker.running)
        answer = await asking.ask(method="POST", body=b"x")
    assert (answer.status, answer.reason) == (502, "WorkerLost")


async def test_a_worker_that_closes_a_kept_connection_instead_of_answering_is_named_in_the_log(place: Place) -> None:
    """HAProxy then closes without a byte, since nobody knows whether the request was taken."""

    async def close_later(exchange: Exchange) -> None:
        if exchange.number > 1:
            return exchange.close()
        await exchange.say(OK)

    async with acted(place, close_later) as worker:
        await place.up(worker.running)
        async with client(place) as asking:
            assert (await asking.ask()).status == 200
            asking.send(asking.request("/"))
            assert await asking.rest() == b""
        async with client(place) as another:
            assert (await another.ask()).status == 200
        lost = f"1 requests were taken and not answered by worker w1 of pool {place.key()}"
        await until(lambda: f"WorkerLost: {lost}" in place.node.said())


@pytest.mark.parametrize("late", [0, 0.02])
async def test_bytes_after_an_answer_without_a_body_are_no_answer_to_another_clients_first_request(
    place: Place, late: float
) -> None:
    async def poison(exchange: Exchange) -> None:
        if exchange.path != "/poison":
            return await exchange.say(said(exchange.path))
        await exchange.say(b"HTTP/1.1 204 No Content\r\n\r\n" + (b"" if late else said("poison")))
        if late:
            await asyncio.sleep(late)  # the worker's own slowness, which is what is tested
            await exchange.say(said("poison"))

    async with acted(place, poison) as worker:
        await place.up(worker.running)
        for number in range(10):
            async with client(place) as evil, client(place) as another:
                assert (await evil.ask("/poison")).status == 204
                assert (await another.ask(f"/{number}")).body == f"/{number}".encode()


async def test_who_a_connection_belongs_to_is_never_another_client(place: Place) -> None:
    """As Negotiate does it: whoever has proved on a connection who he is need not do so again."""
    proved: dict[asyncio.StreamWriter, bool] = {}

    async def negotiate(exchange: Exchange) -> None:
        if b"authorization: negotiate" in exchange.head.lower():
            proved[exchange.writer] = True
        await exchange.say(said("alice" if exchange.writer in proved else "nobody"))

    async with acted(place, negotiate) as worker, client(place) as alice, contextlib.AsyncExitStack() as clients:
        await place.up(worker.running)
        others = [await clients.enter_async_context(client(place)) for _ in range(6)]
        for _ in range(5):
            assert (await alice.ask("/", "Authorization: Negotiate abc")).body == b"alice"
            assert [(await other.ask()).body for other in others] == [b"nobody"] * 6
        assert (await alice.ask()).body == b"alice"


async def one_by_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turn: asyncio.Lock) -> None:
    """A program that serves a connection to its end before it looks at the next."""
    async with turn:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                writer.write(said(head.split(b" ")[1].decode()))
        except (asyncio.IncompleteReadError, OSError):
            writer.transport.abort()


async def test_a_program_that_serves_one_connection_at_a_time_is_reached_by_two_listeners(
    fresh: Fresh, operator: FakeOperator
) -> None:
    place = fresh()
    place.limit = 1
    worker, turn = place.worker(start=False), asyncio.Lock()
    second = Place(Node(operator.url), operator, number=place.number)
    second.node.start()
    try:
        second.node.wait_ready()
        port = worker.worker.port
        async with await asyncio.start_server(lambda r, w: one_by_one(r, w, turn), "127.0.0.1", port):
            await place.up(worker)
            await until(lambda: second.servers() == {"_bell", "w1"} and second.routed())
            for number in range(5):
                for one in (place, second):
                    async with client(one) as asking:
                        assert (await asking.ask(f"/{number}")).body == f"/{number}".encode()
    finally:
        second.node.end()
