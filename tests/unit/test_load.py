"""The load client against servers on loopback: what it counts as lost, since when, and by which name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.e2e.clients import Clients
from tests.e2e.load import Counts, Run
from websockets.asyncio.server import ServerConnection, serve

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HELLO = b"HTTP/1.1 200 OK\r\nX-Process: w1/1\r\nContent-Length: 6\r\n\r\nhello\n"


async def load(port: int, **how: Any) -> Counts:  # noqa: ANN401
    clients = Clients(**{"address": "127.0.0.1", "port": port, "host": "garden.test", "connections": 1, **how})
    run = Run(clients, asyncio.Event())
    await run.run()
    return run.counts


@asynccontextmanager
async def answering(serve: Serve) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """And the connection ends when the next request is there."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(HELLO)
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def no_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


@asynccontextmanager
async def talking(talk: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[int]:
    async with serve(talk, "127.0.0.1", 0) as server:
        yield int(next(iter(server.sockets)).getsockname()[1])


async def echo(wire: ServerConnection) -> None:
    await wire.send("w1/1")
    async for word in wire:
        await wire.send(word)


async def test_a_loss_on_a_kept_connection_is_since_the_answer_before() -> None:
    began = time.monotonic()
    async with answering(one_answer) as port:
        counts = await load(port, requests=2)
    (loss,) = counts.losses
    assert (counts.ok, loss.kind, loss.host, loss.identity) == (1, "reset", "garden.test", "")
    assert began < loss.since < loss.ended < time.monotonic()


async def test_a_post_that_is_lost_has_the_name_by_which_its_worker_knows_it() -> None:
    async with answering(no_answer) as port:
        (loss,) = (await load(port, requests=1, method="POST")).losses
    assert len(loss.identity) == 32


async def test_a_port_that_refuses_is_a_connection_that_was_not_made() -> None:
    async with answering(no_answer) as port:
        pass
    for method in ("GET", "WS"):
        assert [loss.kind for loss in (await load(port, requests=1, method=method)).losses] == ["connect"]


async def test_a_websocket_says_its_words_then_another_is_opened() -> None:
    opened = []

    async def counted(wire: ServerConnection) -> None:
        opened.append(wire)
        await echo(wire)

    async with talking(counted) as port:
        counts = await load(port, method="WS", requests=6, words=3)
    assert (counts.ok, counts.losses, counts.processes, len(opened)) == (6, [], {"w1/1": 6}, 2)


@pytest.mark.parametrize(("code", "kind"), [(1012, "closed 1012"), (None, "cut")])
async def test_a_websocket_that_is_ended_is_lost_with_its_goodbye_or_without(code: int | None, kind: str) -> None:
    async def ended(wire: ServerConnection) -> None:
        await wire.send("w1/1")
        await wire.recv()
        if code:
            await wire.close(code)
        else:
            wire.transport.abort()

    async with talking(ended) as port:
        counts = await load(port, method="WS", requests=1)
    assert counts.failures == {kind: 1}


async def test_a_websocket_that_is_refused_is_lost_by_its_status_and_reason() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\nX-Webgarden-Reason: WorkerLost\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with answering(refuse) as port:
        counts = await load(port, method="WS", requests=1)
    assert counts.failures == {"502 WorkerLost": 1}


async def test_a_websocket_whose_opening_is_not_answered_is_reset() -> None:
    async with answering(no_answer) as port:
        counts = await load(port, method="WS", requests=1)
    assert counts.failures == {"reset": 1}


async def test_an_echo_that_is_another_word_is_a_wrong_body() -> None:
    async def mishears(wire: ServerConnection) -> None:
        await wire.send("w1/1")
        await wire.recv()
        await wire.send("what?")

    async with talking(mishears) as port:
        counts = await load(port, method="WS", requests=1)
    assert counts.failures == {"body": 1}
