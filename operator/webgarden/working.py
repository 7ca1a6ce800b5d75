"""The workers of the queue: each takes a key, has it looked at, and gives it back.

Here is the one broad `except` of the operator: whatever goes wrong with one key is logged and tried again later, and never
concerns another key.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from aiohttp import ClientError

from webgarden import metrics
from webgarden.cluster.client import ApiError
from webgarden.reconcile.ports import Clock, Key, Kind, Refused
from webgarden.workqueue import WorkQueue

log = logging.getLogger(__name__)

Reconcile = Callable[[Key], Awaitable[datetime | None]]
EXPECTED = (ApiError, Refused, ClientError, TimeoutError)
"""Told in one line; anything else is a fault of ours, and told with its traceback."""


class Workers:
    def __init__(self, *, queue: WorkQueue[Key], reconcilers: Mapping[Kind, Reconcile], clock: Clock) -> None:
        self._queue = queue
        self._reconcilers = reconcilers
        self._clock = clock

    async def run(self, count: int) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self._look(await self._queue.get())

    async def _look(self, key: Key) -> None:
        metrics.QUEUE.set(len(self._queue))
        began = time.monotonic()
        result = "error"
        try:
            again = await self._reconcilers[key.kind](key)
        except asyncio.CancelledError:
            self._queue.done(key)
            self._queue.add(key)  # the next leader's, and it may be us
            raise
        except EXPECTED as error:
            log.warning("%s: %s; again in %.1f s", key, error or type(error).__name__, self._queue.failed(key))
        except Exception:
            log.exception("%s: again in %.1f s", key, self._queue.failed(key))
        else:
            result = "ok"
            self._queue.done(key)
            if again is not None:
                wait = max(0.0, (again - self._clock()).total_seconds())
                self._queue.add_at(key, asyncio.get_running_loop().time() + wait)
        metrics.RECONCILES.labels(key.kind, result).inc()
        metrics.SECONDS.labels(key.kind).observe(time.monotonic() - began)
