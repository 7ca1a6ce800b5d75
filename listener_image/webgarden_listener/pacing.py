"""When to look at a pool again though nothing was said of it. Pure: the clock is given.

- A pool that was asked for is read soon, and once more: a request that came in between is in the second reading.
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
        self._seen: dict[str, float] = {}
        """When a busy pool was looked at."""
        self._again: set[str] = set()
        self._draining: dict[str, float] = {}
        """Since when."""
        self._drains_due: dict[str, float] = {}
        self._polled = -math.inf

    def poll_due(self, now: float) -> bool:
        """Whether to ask which pools were used; if so it counts as asked."""
        due = now - self._polled >= self._timing.poll
        if due:
            self._polled = now
        return due

    def used(self, pools: Iterable[str], now: float) -> None:
        for pool in pools:
            soonest = max(now, self._seen.get(pool, -math.inf) + self._interval)
            self._due[pool] = min(self._due.get(pool, math.inf), soonest)
            self._again.add(pool)

    def seen(self, pool: str, now: float, *, busy: bool, drains: bool) -> None:
        """What a look at a pool has shown; when the next one is due follows."""
        self._drains(pool, now, drains)
        if busy or pool in self._again:
            self._seen[pool] = now
            self._due[pool] = now + self._interval
            self._again.discard(pool)
        else:
            self._due.pop(pool, None)
            self._seen.pop(pool, None)

    def _drains(self, pool: str, now: float, drains: bool) -> None:
        if drains:
            waited = now - self._draining.setdefault(pool, now)
            self._drains_due[pool] = now + min(SLOWEST_DRAIN, max(self._timing.drain_poll, PART * waited))
        else:
            self._draining.pop(pool, None)
            self._drains_due.pop(pool, None)

    @property
    def _interval(self) -> float:
        return self._timing.poll * (1 + len(self._due) // MANY)

    def forget(self, pool: str) -> None:
        for known in (self._due, self._seen, self._draining, self._drains_due):
            known.pop(pool, None)
        self._again.discard(pool)

    def due(self, now: float) -> list[str]:
        return due(self._due, now)

    def drains_due(self, now: float) -> list[str]:
        """Somebody waits for them."""
        return due(self._drains_due, now)

    def pause(self, now: float) -> float:
        """Seconds until something is due."""
        polled = self._polled if self._polled > -math.inf else now  # without a table nothing is polled
        times = (polled + self._timing.poll, *self._due.values(), *self._drains_due.values())
        return max(0.0, min(times) - now)


def due(times: dict[str, float], now: float) -> list[str]:
    """Those whose time has come; each is named once."""
    found = [key for key, at in times.items() if at <= now]
    for key in found:
        times[key] = math.inf
    return found
