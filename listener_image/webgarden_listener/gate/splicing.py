"""Carrying one request to a worker and its answer back, byte by byte, past HAProxy's limits and counters.

Nothing is understood after the head. The answer ends when the worker closes; what the client still sends then is
dropped.
"""

from __future__ import annotations

import asyncio
import contextlib

CHUNK = 64 * 1024
CONNECT = 2.0


async def splice(
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    worker: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    head: bytes,
) -> None:
    """Returns when the answer has been passed on, or when either side went away."""
    worker[1].write(head)
    upward = asyncio.create_task(pipe(client[0], worker[1]))
    try:
        await pipe(worker[0], client[1])
    finally:
        upward.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await upward
        worker[1].close()


async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy until the source ends, then end the sink. A side that breaks ends it too: the other one sees that as well."""
    with contextlib.suppress(OSError):
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()


async def connect(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    """A connection to a worker, or None."""
    try:
        async with asyncio.timeout(CONNECT):
            return await asyncio.open_connection(address, port, limit=CHUNK)
    except (OSError, TimeoutError):
        return None
