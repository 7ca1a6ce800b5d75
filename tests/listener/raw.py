"""Both ends of HTTP byte by byte: clients that send what no library would, and workers that behave as a test says.

A worker's `heads` are the requests as they arrived, so a test sees what has travelled on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from tests.listener.place import Place, Running

DEADLINE = 15
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = b""

    @property
    def reason(self) -> str:
        return self.headers.get("x-webgarden-reason", "")


class Client:
    """One connection to the listener."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def ask(self, target: str = "/", *fields: str, method: str = "GET", body: bytes = b"") -> Answer:
        """A request to the test's site, and its answer."""
        self.send(self.request(target, *fields, method=method, body=body))
        return await self.answer()

    def request(self, target: str, *fields: str, method: str = "GET", body: bytes = b"") -> bytes:
        length = [f"Content-Length: {len(body)}"] if body else []
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host}", *fields, *length, "", ""]
        return "\r\n".join(lines).encode() + body

    async def answer(self, *, seconds: float = DEADLINE) -> Answer:
        """Raises `asyncio.IncompleteReadError` when the connection is closed instead."""
        async with asyncio.timeout(seconds):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            fields = (line.partition(":") for line in head[1:] if line)
            headers = {name.lower(): value.strip() for name, _, value in fields}
            size = int(headers.get("content-length", 0))
            return Answer(int(head[0].split()[1]), headers, await self._reader.readexactly(size))

    async def piece(self) -> bytes:
        """What comes next; nothing when the connection was closed."""
        async with asyncio.timeout(DEADLINE):
            with contextlib.suppress(ConnectionResetError):
                return await self._reader.read(65536)
            return b""

    async def rest(self) -> bytes:
        """Everything until the connection is closed."""
        found = b""
        while piece := await self.piece():
            found += piece
        return found

    def abort(self) -> None:
        self._writer.transport.abort()


@contextlib.asynccontextmanager
async def client(place: Place, *, address: str = "127.0.0.1", host: str | None = None) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(address, place.node.port, limit=2**20)
    made = Client(reader, writer, place.host if host is None else host)
    try:
        yield made
    finally:
        made.abort()


@dataclass
class Exchange:
    """One request that a worker has in its hands."""

    head: bytes
    number: int
    """Of its connection, from 1."""
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode()

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def close(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Exchange], Awaitable[None]]


async def fine(exchange: Exchange) -> None:
    await exchange.say(OK)


@dataclass
class Acted:
    """A worker in the test's own event loop."""

    running: Running
    script: Script
    heads: list[bytes] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number = 0
        try:
            while not writer.transport.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                number += 1
                self.heads.append(head)
                await self.script(Exchange(head, number, reader, writer))
        except (asyncio.IncompleteReadError, OSError):
            pass  # the other end has gone, as HAProxy's checks do at once
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def acted(place: Place, script: Script = fine, *, name: str = "w1") -> AsyncIterator[Acted]:
    """The operator does not know of it yet."""
    made = Acted(place.worker(name, start=False), script)
    port = made.running.worker.port
    async with await asyncio.start_server(made.serve, "127.0.0.1", port, limit=2**20):
        yield made
        await made.end()
