"""The queue between what happens and `reconcile`: keys that need a look.

Promises: a key waits at most once; it is never worked on twice at a time; touched during its work it is looked at again;
after a failure it waits 0.4 s, doubling to 60 s, each +-50 % (so that a thousand keys which failed together do not come
back together); success forgets the failures. `add_at` is for what time alone decides; only the earliest time of a key is
kept, since each look asks again for the next one.

What it does not do: keep anything over a restart. A fresh start puts every key in.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

FIRST_DELAY = 0.4
LAST_DELAY = 60.0


class WorkQueue(Generic[Key]):
    def __init__(self, *, jitter: Callable[[], float] = random.random) -> None:
        self._ready: dict[Key, None] = {}  # a dict keeps the order of arrival
        self._working: set[Key] = set()
        self._touched: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._wakeup = asyncio.Event()
        self._settled = asyncio.Event()
        self._jitter = jitter

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Nothing waits and nothing is being worked on; timers may still be running."""
        return not self._ready and not self._working

    async def settled(self) -> None:
        """Wait until nothing waits and nothing is being worked on."""
        while not self.idle:
            self._settled.clear()
            await self._settled.wait()

    def add(self, key: Key) -> None:
        if key in self._working:
            self._touched.add(key)
            return
        self._ready[key] = None
        self._wakeup.set()

    def add_at(self, key: Key, when: float) -> None:
        """Add the key at `when` of the event loop's clock, unless an earlier time is set already."""
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= when:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(when, self._fire, key)

    def _fire(self, key: Key) -> None:
        del self._timers[key]
        self.add(key)

    async def get(self) -> Key:
        """The key that has waited longest. The caller owns it until `done` or `failed`."""
        while not self._ready:
            self._wakeup.clear()
            await self._wakeup.wait()
        key = next(iter(self._ready))
        del self._ready[key]
        self._working.add(key)
        # What was due later is due now: the look that begins will ask for its own next time.
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        return key

    def done(self, key: Key) -> None:
        self._failures.pop(key, None)
        self._release(key)

    def failed(self, key: Key) -> float:
        """Give the key back after a failure. Returns the seconds until it is tried again."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(FIRST_DELAY * 2.0**failures, LAST_DELAY) * (0.5 + self._jitter())
        self._release(key)
        self.add_at(key, asyncio.get_running_loop().time() + delay)
        return delay

    def _release(self, key: Key) -> None:
        self._working.discard(key)
        if key in self._touched:
            self._touched.discard(key)
            self.add(key)
        if self.idle:
            self._settled.set()

    def close(self) -> None:
        """Cancel the timers; the keys stay unserved."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
