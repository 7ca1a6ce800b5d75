"""When to reload HAProxy for what it cannot learn otherwise. Pure: the clock is given.

Changes are collected for a moment. A reload waits while the gate holds a request, since an old process takes no new
workers: what it has queued would have to be carried through the gate one by one. The wait is bounded: a pool that
never starts must not stop others. A configuration that was refused is not tried again until something changes.

A process that was replaced lives as long as its last request, and takes memory. The more there are, the less often comes
another.
"""

from __future__ import annotations

import math

from webgarden_listener.settings import Timing

COLLECT = 10
"""However often something changes, a reload waits no longer than this many quiet times."""
SPACING = 0.25
"""Seconds to the next reload for each process that still finishes."""


class Reloads:
    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._changed = -math.inf
        self._since: float | None = None
        self.last = -math.inf
        self.refused = ""
        """What HAProxy said to the configuration that it would have to load now."""

    def changed(self, now: float) -> None:
        """There is a new table."""
        self._changed = now
        self.refused = ""

    def want(self, now: float) -> None:
        """The running process lacks something."""
        if self._since is None:
            self._since = now

    def done(self, now: float) -> None:
        self._since = None
        self.last = now

    def refuse(self, words: str) -> None:
        self._since = None
        self.refused = words

    def due(self, now: float, *, holding: bool, old: int) -> float:
        """Seconds until it is time; infinite when there is nothing to reload for. `old`: processes that still finish."""
        if self._since is None:
            return math.inf
        collected = min(self._changed + self._timing.reload_quiet, self._since + COLLECT * self._timing.reload_quiet)
        at = self._since + self._timing.reload_patience if holding else collected
        return max(0.0, max(at, self.last + SPACING * old) - now)
