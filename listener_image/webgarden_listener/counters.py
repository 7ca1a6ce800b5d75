"""Totals of the workers and pools in one life of HAProxy. Pure.

HAProxy's counters begin at zero for each server that is added; what is added up here are the steps between two readings.
An agent that starts begins with what HAProxy has counted so far, so its totals go on.

Not so the requests that found no server: HAProxy's count of a backend has those that workers failed, deleted ones too,
and those that a stop threw out. Only between two readings can they be told apart, so the first reading of a backend is
where they begin. An agent that starts may count too few of them, never too many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from webgarden_listener.haproxy.names import pool_of
from webgarden_listener.haproxy.stats import Backend

Key = tuple[str, str, str]
"""A backend, one of its servers (or none), and a counter."""


class Tally:
    """One pool, in all its backends."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        """By worker."""
        self.rejected = 0
        self._seen: dict[Key, int] = {}

    def observe(self, backend: str, found: Backend) -> dict[str, int]:
        lost: dict[str, int] = {}
        theirs = 0
        for name, server in found.servers.items():
            self.requests[name] += self._step((backend, name, "requests"), server.requests)
            theirs += self._step((backend, name, "failed"), server.failed)
            if count := self._step((backend, name, "lost"), server.lost):
                lost[name] = count
        self.rejected += self._rejected(backend, found, theirs)
        return lost

    def _rejected(self, backend: str, found: Backend, theirs: int) -> int:
        """`theirs`: those that the workers failed."""
        self._seen.setdefault((backend, "", "failed"), found.failed)  # whose they were nobody knows any more
        failed = self._step((backend, "", "failed"), found.failed)
        rejected = self._step((backend, "", "refused"), found.refused)
        if not found.silent:  # or they were thrown out since the pool was stopped
            rejected += max(0, failed - theirs)
        if found.bell is not None:
            rejected += self._step((backend, "", "timed out"), found.bell.answered_5xx)
        return rejected

    def _step(self, key: Key, value: int) -> int:
        """How far a counter came since the last reading."""
        before = self._seen.get(key, 0)
        if value or before:
            self._seen[key] = value
        return value - before if value >= before else value

    def forget_servers(self, backend: str, names: Collection[str]) -> None:
        for name in names:
            for counter in ("requests", "failed", "lost"):
                self._seen.pop((backend, name, counter), None)

    def keep_workers(self, names: Collection[str]) -> None:
        for name in self.requests.keys() - set(names):
            del self.requests[name]


class Totals:
    def __init__(self) -> None:
        self.boot = ""
        self._pools: dict[str, Tally] = {}

    def begin(self, boot: str) -> None:
        """Another life of HAProxy: everything is zero there."""
        if boot != self.boot:
            self._pools.clear()
            self.boot = boot

    def observe(self, backend: str, found: Backend) -> dict[str, int]:
        """Take a reading in. The requests that workers took since the last one and did not answer, by worker."""
        return self._pools.setdefault(pool_of(backend) or "", Tally()).observe(backend, found)

    def requests(self, pool: str, worker: str) -> int:
        return self._pools[pool].requests[worker] if pool in self._pools else 0

    def rejected(self, pool: str) -> int:
        return self._pools[pool].rejected if pool in self._pools else 0

    def forget_servers(self, backend: str, names: Collection[str]) -> None:
        """Servers that are gone: one that comes under the same name counts from zero."""
        if (tally := self._pools.get(pool_of(backend) or "")) is not None:
            tally.forget_servers(backend, names)

    def keep_workers(self, pool: str, names: Collection[str]) -> None:
        """The pool has these and no others: no worker comes again, since every pod has a name of its own, for ever."""
        if (tally := self._pools.get(pool)) is not None:
            tally.keep_workers(names)

    def forget_pool(self, pool: str) -> None:
        """It is gone, and its backends with it: of one that is there HAProxy's counts would be taken in anew."""
        self._pools.pop(pool, None)
