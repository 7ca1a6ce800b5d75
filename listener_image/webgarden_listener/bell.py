"""Where pools without a worker ring.

A pool's first request connects to HAProxy's server `_bell`, whose TLS handshake nobody answers: the connection is not
established, so none of the request has been sent. HAProxy's PROXY header in front of it names the pool, and that is the
demand. When a worker is there the connection is closed: for HAProxy that is a connect that failed, and the request goes
to the worker as it came. No byte of it passes here.

HAProxy itself gives a ring up every two seconds and rings anew, perhaps for another request: one that rings has no
identity, but the time of its request.

Who has waited for too long is the exception: the handshake is completed, the head read, and 503 said.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import ssl
import time
from collections.abc import Callable

from webgarden_listener.proxying import PREFIX, Origin, ProxyError, origin, rest
from webgarden_listener.settings import Directory

HEADER_WITHIN = 2.0
REFUSAL_WITHIN = 2.0
REASON = "QueueTimeout"
BACKLOG = 4096
log = logging.getLogger(__name__)


class Ring:
    """One connection that rings."""

    def __init__(self, source: Origin) -> None:
        self.backend = source.backend
        self.since = source.arrival
        self.answered = asyncio.Event()


class Bell:
    def __init__(self, directory: Directory, *, rung: Callable[[str], None], patience: Callable[[str], float]) -> None:
        """`rung(backend)`: it begins or ceases to ring. `patience(backend)`: seconds that its requests may wait."""
        self.door = directory.bell
        """Where pools ring: HAProxy's own, so that they ring on while nobody is here."""
        self._socket = directory.agent
        self._rung = rung
        self._patience = patience
        self._rings: dict[str, set[Ring]] = {}
        self._tls = anonymous()

    def rings(self, backend: str) -> bool:
        return backend in self._rings

    def answer(self, backend: str) -> None:
        """There is a worker, or never will be: whoever rings goes back to HAProxy."""
        for ring in self._rings.get(backend, ()):
            ring.answered.set()

    async def run(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._socket)
        server = await asyncio.start_unix_server(self._take, str(self._socket), backlog=BACKLOG)
        async with server:
            await server.serve_forever()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(HEADER_WITHIN):
                prefix = await reader.readexactly(PREFIX)
                source = origin(prefix, await reader.readexactly(rest(prefix)))
            await self._hold(Ring(source), reader, writer)
        except (ProxyError, ssl.SSLError, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            # HAProxy's checks of this socket end here, too.
            log.debug("A connection that does not ring: %r", error)
        finally:
            writer.transport.abort()

    async def _hold(self, ring: Ring, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._rings.setdefault(ring.backend, set()).add(ring)
        self._rung(ring.backend)
        hello = bytearray()
        try:
            left = ring.since + self._patience(ring.backend) - time.time() if ring.since else None
            if await waited(ring, reader, hello, left):
                return
        finally:
            self._rings[ring.backend].discard(ring)
            if not self._rings[ring.backend]:
                del self._rings[ring.backend]
            self._rung(ring.backend)
        async with asyncio.timeout(REFUSAL_WITHIN):
            await refuse(self._tls, bytes(hello), reader, writer)


async def waited(ring: Ring, reader: asyncio.StreamReader, hello: bytearray, seconds: float | None) -> bool:
    """Whether the ring ended in time, by an answer or since HAProxy gave it up; what it says meanwhile goes to `hello`."""
    answered = asyncio.create_task(ring.answered.wait())
    gone = asyncio.create_task(listen(reader, hello))
    try:
        timeout = None if seconds is None else max(0.0, seconds)
        done, _ = await asyncio.wait({answered, gone}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        return bool(done)
    finally:
        answered.cancel()
        gone.cancel()
        await asyncio.wait({answered, gone})


async def listen(reader: asyncio.StreamReader, hello: bytearray) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(16384):
            hello += piece


def anonymous() -> ssl.SSLContext:
    """TLS without certificates: both ends are this listener's own, and meet on a socket that nobody else can reach."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("aNULL@SECLEVEL=0")
    return context


ANSWER = (
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 19\r\nConnection: close\r\n"
    f"X-Webgarden-Reason: {REASON}\r\nRetry-After: 1\r\n\r\nService Unavailable"
).encode()


async def refuse(
    context: ssl.SSLContext, hello: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Complete the handshake that `hello` began, read the request's head, and say 503."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    incoming.write(hello)

    async def step(action: Callable[[], object]) -> None:
        while True:
            try:
                action()
                break
            except ssl.SSLWantReadError:
                await flush(outgoing, writer)
                if not (piece := await reader.read(16384)):
                    raise ConnectionResetError("HAProxy has gone") from None
                incoming.write(piece)
        await flush(outgoing, writer)

    await step(tls.do_handshake)
    await step(lambda: tls.read(16384))
    await step(lambda: tls.write(ANSWER))
    writer.write_eof()
    while await reader.read(16384):  # what is left of a body; HAProxy closes when it has the answer
        pass


async def flush(outgoing: ssl.MemoryBIO, writer: asyncio.StreamWriter) -> None:
    if piece := outgoing.read():
        writer.write(piece)
        await writer.drain()
