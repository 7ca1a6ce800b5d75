"""A ping that a hung worker does not answer and a full one does.

It is answered by the event loop that reads every request (a blocked loop says nothing at all), once something has moved
in each kind of threads: those that WSGI programs run in, and those of synchronous ASGI endpoints and of files. Where a
thread is free that is at once. Where none is, it is when the first of them gets on; only a pool in which every thread
is stuck leaves the ping waiting, and who asks decides after what time that is death.

Pings that pile up share one look; otherwise a hung pool would collect a waiting probe for each of them.
"""

import asyncio
from collections.abc import Callable

import anyio.to_thread

from webgarden_worker.threads import Threads

_LOOK_SECONDS = 0.02


class Ping:
    def __init__(self, *, threads: Threads) -> None:
        self._threads = threads
        self._look: asyncio.Task[None] | None = None

    async def answered(self) -> None:
        """Return when something has moved in each kind of threads."""
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._everywhere())
        await asyncio.shield(self._look)

    async def _everywhere(self) -> None:
        await self._synchronous()
        await self._wsgi()

    async def _synchronous(self) -> None:
        limiter = anyio.to_thread.current_default_thread_limiter()
        before = set(limiter.statistics().borrowers)
        probe = asyncio.create_task(anyio.to_thread.run_sync(_nothing))
        await _moved(probe, lambda: not before <= set(limiter.statistics().borrowers))

    async def _wsgi(self) -> None:
        before = self._threads.steps
        probe = asyncio.create_task(self._threads.run(_nothing))
        await _moved(probe, lambda: self._threads.steps != before)


async def _moved(probe: asyncio.Task[None], moved: Callable[[], bool]) -> None:
    """Return when the probe got its thread, or others got on before it was its turn."""
    while not probe.done() and not moved():
        await asyncio.wait([probe], timeout=_LOOK_SECONDS)
    probe.cancel()


def _nothing() -> None:
    return None
