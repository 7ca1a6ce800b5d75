"""Carrying one request to a worker and its answer back, byte by byte, past HAProxy's limits and counters.

Nothing is understood after the head. The answer ends when the worker closes; what the client still sends then is
dropped. A client that closes has given up, but for an upgrade, where either side may end first.
"""

from __future__ import annotations

import asyncio
import contextlib

from webgarden_listener.gate.head import Head

CHUNK = 64 * 1024
CONNECT = 2.0


async def splice(
    client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    worker: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    head: Head,
) -> None:
    """Returns when the answer has been passed on, or when either side went away."""
    worker[1].write(head.for_worker)
    upward = asyncio.create_task(pipe(client[0], worker[1]))
    downward = asyncio.create_task(pipe(worker[0], client[1]))
    try:
        await asyncio.wait({upward, downward}, return_when=asyncio.FIRST_COMPLETED)
        gave_up = upward.done() and upward.result() and not head.upgrade
        if not gave_up:
            await downward
    finally:
        for task in (upward, downward):
            task.cancel()
        await asyncio.wait({upward, downward})
        worker[1].close()


async def pipe(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> bool:
    """Copy until the source ends, then end the sink. Whether it was the source that ended: a sink that breaks ends it,
    too, and may still have something to say."""
    try:
        while data := await source.read(CHUNK):
            sink.write(data)
            await sink.drain()
    except OSError:
        return False
    with contextlib.suppress(OSError):
        if sink.can_write_eof():
            sink.write_eof()
    return True


async def connect(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    """A connection to a worker, or None."""
    try:
        async with asyncio.timeout(CONNECT):
            return await asyncio.open_connection(address, port, limit=CHUNK)
    except (OSError, TimeoutError):
        return None
