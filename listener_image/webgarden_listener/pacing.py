"""When to look at a pool again though nothing was said of it. Pure: the clock is given.

- A pool that was asked for is read now, and once more: a request that came in between is in the second reading.
- One with requests in it is read each `poll`; when there are many, each is read less often, so that looking costs a
  small part of a core whatever runs.
- One that drains is read often at first, since a recycle waits for it, and then in proportion to its patience.
- All others are not read at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from webgarden_listener.settings import Timing

MANY = 50
"""As many busy pools more make each pause longer by itself."""
PART, SLOWEST_DRAIN = 0.05, 0.5


class Pace:
    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._due: dict[str, float] = {}
        self._again: set[str] = set()
        self._draining: dict[str, float] = {}
        self._polled = -math.inf

    def poll_due(self, now: float) -> bool:
        """Whether to ask which pools were used; if so it counts as asked."""
        due = now - self._polled >= self._timing.poll
        if due:
            self._polled = now
        return due

    def used(self, pools: Iterable[str], now: float) -> None:
        for pool in pools:
            self._due[pool] = now
            self._again.add(pool)

    def seen(self, pool: str, now: float, *, busy: bool, drains: bool) -> None:
        """What a look at a pool has shown; when the next one is due follows."""
        if drains:
            since = self._draining.setdefault(pool, now)
            self._due[pool] = now + min(SLOWEST_DRAIN, max(self._timing.drain_poll, PART * (now - since)))
            return
        self._draining.pop(pool, None)
        if busy or pool in self._again:
            self._due[pool] = now + self._timing.poll * (1 + len(self._due) // MANY)
        else:
            self._due.pop(pool, None)
        self._again.discard(pool)

    def forget(self, pool: str) -> None:
        self._due.pop(pool, None)
        self._draining.pop(pool, None)
        self._again.discard(pool)

    def due(self, now: float) -> set[str]:
        return {pool for pool, at in self._due.items() if at <= now}

    def pause(self, now: float) -> float:
        """Seconds until something is due."""
        return max(0.0, min(self._polled + self._timing.poll, min(self._due.values(), default=math.inf)) - now)
