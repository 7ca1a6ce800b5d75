"""A ping that goes the way of a request, so that a worker which cannot serve does not answer.

It runs in the event loop that reads every request (a blocked loop says nothing at all), takes a thread of the pool
that static files and synchronous ASGI endpoints use, and one of the WSGI pool where there is a WSGI application. A
pool whose threads all hang, or are all busy, leaves the ping waiting: who asks decides after what time that is death.

Pings that pile up share one probe; otherwise a hung pool would collect a waiting probe for each of them.
"""

import asyncio
from concurrent.futures import Executor

import anyio.to_thread


class Ping:
    def __init__(self, *, threads: Executor | None) -> None:
        self._threads = threads
        self._probe: asyncio.Task[None] | None = None

    async def answered(self) -> None:
        """Return when every way has been gone."""
        if self._probe is None or self._probe.done():
            self._probe = asyncio.get_running_loop().create_task(self._go())
        await asyncio.shield(self._probe)

    async def _go(self) -> None:
        await anyio.to_thread.run_sync(_nothing)
        if self._threads is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, _nothing)


def _nothing() -> None:
    return None
