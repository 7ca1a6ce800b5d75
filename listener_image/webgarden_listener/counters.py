"""Totals of the workers and pools in one life of HAProxy. Pure.

HAProxy's counters begin at zero for each server that is added; what is added up here are the steps between two readings.
An agent that starts begins with what HAProxy has counted so far, so its totals go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from webgarden_listener.haproxy.names import pool_of
from webgarden_listener.haproxy.stats import Backend

Key = tuple[str, str, str]
"""A backend, one of its servers (or none), and a counter."""


class Totals:
    def __init__(self) -> None:
        self.boot = ""
        self._seen: dict[Key, int] = {}
        self._requests: Counter[tuple[str, str]] = Counter()
        self._rejected: Counter[str] = Counter()

    def begin(self, boot: str) -> None:
        """Another life of HAProxy: everything is zero there."""
        if boot != self.boot:
            self.__init__()  # type: ignore[misc]
            self.boot = boot

    def observe(self, backend: str, found: Backend) -> dict[str, int]:
        """Take a reading in. The requests that workers took since the last one and did not answer, by worker."""
        pool = pool_of(backend) or ""
        lost: dict[str, int] = {}
        theirs = 0
        for name, server in found.servers.items():
            self._requests[pool, name] += self._step((backend, name, "requests"), server.requests)
            theirs += self._step((backend, name, "failed"), server.failed)
            if count := self._step((backend, name, "lost"), server.lost):
                lost[name] = count
        failed = self._step((backend, "", "failed"), found.failed)
        self._rejected[pool] += self._step((backend, "", "refused"), found.refused)
        if not found.silent:  # or they were thrown out since the pool was stopped
            self._rejected[pool] += max(0, failed - theirs)
        if found.bell is not None:
            self._rejected[pool] += self._step((backend, "", "timed out"), found.bell.answered_5xx)
        return lost

    def _step(self, key: Key, value: int) -> int:
        """How far a counter came since the last reading."""
        before = self._seen.get(key, 0)
        if value or before:
            self._seen[key] = value
        return value - before if value >= before else value

    def requests(self, pool: str, worker: str) -> int:
        return self._requests[pool, worker]

    def rejected(self, pool: str) -> int:
        return self._rejected[pool]

    def forget_servers(self, backend: str, names: Collection[str]) -> None:
        """Servers that are gone: one that comes under the same name counts from zero."""
        for name in names:
            for counter in ("requests", "failed", "lost"):
                self._seen.pop((backend, name, counter), None)

    def forget_workers(self, pool: str, names: Collection[str]) -> None:
        """Every pod has a name of its own, for ever."""
        for name in names:
            self._requests.pop((pool, name), None)

    def forget_pool(self, pool: str, backend: str, servers: Collection[str]) -> None:
        self.forget_servers(backend, servers)
        self.forget_workers(pool, servers)
        self._rejected.pop(pool, None)
        for counter in ("failed", "refused", "timed out"):
            self._seen.pop((backend, "", counter), None)
