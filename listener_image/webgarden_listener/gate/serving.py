"""The gate's child: takes connections of HAProxy and of the agent from the sockets that its parent owns.

It ends when its parent does: standard input is a pipe whose other end only the parent has.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import select
import signal
import socket
import sys
import time
from typing import Any

from webgarden_listener.gate.head import END, MOST, Head, head, unavailable
from webgarden_listener.gate.holding import Carry, Hands, Refuse, Request, Wait
from webgarden_listener.gate.proxy import PREFIX, ProxyError, origin, rest
from webgarden_listener.gate.splicing import connect, splice
from webgarden_listener.gate.views import Obeyed, Orders, ViewError, WorkerView, encode, orders
from webgarden_listener.settings import Directory

HEAD_TIMEOUT = 5.0
LOOK = 1.0
"""Seconds between two looks at whether a client with a body is still there."""
LINE = 64 * 1024 * 1024
KEEP: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""Newer Pythons would remove the parent's socket from the disk when its child ends."""
log = logging.getLogger(__name__)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Client(asyncio.StreamReaderProtocol):
    """A connection of HAProxy that tells when the other side is gone, without anybody reading from it.

    A pending `read()` would tell too, but cancelling one loses what it has read.
    """

    def __init__(self, gate: Gate) -> None:
        self.gone = asyncio.Event()
        super().__init__(asyncio.StreamReader(limit=MOST), self._connected)
        self._gate = gate

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._gate.serve((reader, writer), self.gone)

    def eof_received(self) -> bool:
        self.gone.set()
        super().eof_received()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        super().connection_lost(exc)


class Gate:
    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._agents: set[asyncio.StreamWriter] = set()
        self._splices: dict[asyncio.Task[None], tuple[str, str]] = {}

    async def serve(self, client: Streams, gone: asyncio.Event) -> None:
        """One request of HAProxy."""
        try:
            request = await self._read(client[0])
            if request is not None:
                await self._hold(request, client, gone)
            with contextlib.suppress(OSError):
                await client[1].drain()
        finally:
            client[1].close()

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            async with asyncio.timeout(HEAD_TIMEOUT):
                prefix = await reader.readexactly(PREFIX)
                source = origin(prefix, await reader.readexactly(rest(prefix)))
                found: Head = head(await reader.readuntil(END))
        except (ProxyError, OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.warning("A connection that is none of HAProxy's requests: %r", error)
            return None
        return Request(source, found)

    async def _hold(self, request: Request, client: Streams, gone: asyncio.Event) -> None:
        since = min(time.time(), request.origin.arrival or time.time())
        while True:
            # No await between deciding and waiting on the pulse: an order that came between would be missed.
            decision = self._hands.decide(request, since=since)
            match decision:
                case Wait(seconds):
                    await self._wait(request, gone, seconds)
                    if gone.is_set() or hung_up(client[1]):
                        return
                case Carry(worker):
                    if await self._carry(request, client, worker):
                        return
                case Refuse(reason, retry_after):
                    self._refuse(request, client[1], unavailable(reason, retry_after), reason)
                    return

    async def _wait(self, request: Request, gone: asyncio.Event, seconds: float) -> None:
        """Until something may have changed; the request counts as waiting meanwhile."""
        hand = self._hands.hand(request.pool)
        pulse = hand.pulse
        hand.waiting += 1
        self._tell(request.pool)
        seconds = min(seconds, self._hands.suspicion(request) or seconds, LOOK if request.head.body else seconds)
        try:
            await first(pulse, gone, seconds)
        finally:
            hand.waiting -= 1
            # Told in the next turn, when this request may be waiting again: else the agent would see a gap.
            asyncio.get_running_loop().call_soon(self._tell, request.pool)

    async def _carry(self, request: Request, client: Streams, worker: WorkerView) -> bool:
        """False when the worker could not be reached, so that nothing of the request has been used."""
        hand = self._hands.hand(request.pool)
        hand.spliced[worker.name] += 1
        self._tell(request.pool)
        try:
            upstream = await connect(worker.address, worker.port)
            if upstream is None:
                self._hands.refused_by(worker)
                return False
            hand.requests[worker.name] += 1
            await self._splice(request, client, upstream, worker)
            return True
        finally:
            hand.spliced[worker.name] -= 1
            self._tell(request.pool)
            self._hands.wake(request.pool)

    async def _splice(self, request: Request, client: Streams, upstream: Streams, worker: WorkerView) -> None:
        task = asyncio.create_task(splice(client, upstream, request.head))
        self._splices[task] = (request.pool, worker.name)
        try:
            await asyncio.wait([task])
        finally:
            del self._splices[task]
            task.cancel()

    def _refuse(self, request: Request, writer: asyncio.StreamWriter, answer: bytes, reason: str) -> None:
        if reason == "QueueTimeout":
            self._hands.hand(request.pool).rejected += 1
        writer.write(answer)
        self._tell(request.pool)

    def _tell(self, pool: str) -> None:
        for agent in self._agents:
            agent.write(encode(self._hands.level(pool)))

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """An agent, until it goes."""
        try:
            while line := await reader.readline():
                said = orders(line)
                self._obey(said)
                if writer not in self._agents:
                    self._agents.add(writer)
                    # Not writelines(): of nothing, it fails on Python 3.13.
                    writer.write(b"".join(encode(level) for level in self._hands.levels()))
                writer.write(encode(Obeyed(said.number)))
        except (ViewError, OSError, ValueError) as error:
            log.warning("The agent's connection ends: %r", error)
        finally:
            self._agents.discard(writer)
            writer.close()

    def _obey(self, said: Orders) -> None:
        self._hands.obey(said)
        for task, (pool, worker) in self._splices.items():
            if not self._hands.knows(pool, worker):
                task.cancel()


def hung_up(writer: asyncio.StreamWriter) -> bool:
    """Whether the other side is gone though nothing is read any more, because a large body has filled the buffer."""
    polled = select.poll()
    polled.register(writer.get_extra_info("socket").fileno(), select.POLLHUP)
    return bool(polled.poll(0))


async def first(pulse: asyncio.Event, gone: asyncio.Event, seconds: float) -> None:
    """Return when either is set or the time is over."""
    waits = [asyncio.create_task(event.wait()) for event in (pulse, gone)]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def serve(directory: Directory, requests: int, control: int) -> None:
    """Run until the parent is gone or says so; the arguments are the listening sockets' file descriptors."""
    loop = asyncio.get_running_loop()
    gate = Gate(Hands(boot=secrets.token_hex(8)))
    end = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, end.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    loop.add_reader(sys.stdin.fileno(), end.set)
    await loop.create_unix_server(lambda: Client(gate), sock=socket.socket(fileno=requests), backlog=4096, **KEEP)
    await asyncio.start_unix_server(gate.converse, sock=socket.socket(fileno=control), limit=LINE, **KEEP)
    await end.wait()
