"""Totals that outlive HAProxy's reloads and restarts, the gate's and the agent's. Pure.

HAProxy's counters begin at zero in each process and for each server that is added, the gate's in each life: what is
added up here are the steps between two readings. A process that was replaced is kept until it has been read for the last
time; what one that crashes has counted since its last reading is lost.

Totals and readings are one thing on disk (`Counted`), so an agent that starts goes on with what was counted meanwhile.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterable

from pydantic import BaseModel

from webgarden_listener.gate.views import Hand
from webgarden_listener.haproxy.stats import Backend

Key = tuple[str, ...]
Source = int | str
"""The pid of a process of HAProxy, or a life of the gate."""


class Counted(BaseModel):
    """All that there is to know, to go on from it."""

    boot: str
    """The name under which the operator knows these totals."""
    haproxy: str = ""
    """The life of HAProxy in which the pids have their meaning."""
    requests: list[tuple[str, str, int]] = []
    rejected: list[tuple[str, int]] = []
    seen: list[tuple[Source, Key, int]] = []


class Steps:
    """The sum of the steps of counters that may begin again."""

    def __init__(self, seen: Iterable[tuple[Source, Key, int]] = ()) -> None:
        self._seen = {(source, key): value for source, key, value in seen}

    @property
    def seen(self) -> list[tuple[Source, Key, int]]:
        return [(source, key, value) for (source, key), value in self._seen.items()]

    def step(self, source: Source, key: Key, value: int) -> int:
        """How far the counter of this source came since the last reading."""
        before = self._seen.get((source, key), 0)
        self._seen[source, key] = value
        return value - before if value >= before else value

    def forget(self, gone: Callable[[Source, Key], bool]) -> None:
        self._seen = {key: value for key, value in self._seen.items() if not gone(*key)}


class Totals:
    """What the workers and pools have counted since this listener started to look."""

    def __init__(self, before: Counted | None = None) -> None:
        before = before or Counted(boot=secrets.token_hex(8))
        self.boot = before.boot
        self._haproxy = before.haproxy
        self._steps = Steps(before.seen)
        self._requests = Counter({(pool, worker): count for pool, worker, count in before.requests})
        self._rejected = Counter(dict(before.rejected))

    @property
    def counted(self) -> Counted:
        return Counted(
            boot=self.boot,
            haproxy=self._haproxy,
            requests=[(*key, count) for key, count in self._requests.items()],
            rejected=list(self._rejected.items()),
            seen=self._steps.seen,
        )

    def observe(self, pid: int, pool: str, found: Backend, *, stopped: bool) -> None:
        for name, server in found.servers.items():
            self._requests[pool, name] += self._steps.step(pid, (pool, name, "requests"), server.requests)
        refused = self._steps.step(pid, (pool, "refused"), found.refused)
        failed = self._steps.step(pid, (pool, "failed"), found.failed)
        theirs = sum(
            self._steps.step(pid, (pool, name, "failed"), server.failed) for name, server in found.servers.items()
        )
        # A pool that is stopped throws out those who wait; HAProxy counts that like a wait that took too long.
        self._rejected[pool] += refused + (0 if stopped else max(0, failed - theirs))

    def observe_gate(self, hand: Hand) -> None:
        for name, value in hand.requests.items():
            self._requests[hand.pool, name] += self._steps.step(hand.boot, (hand.pool, name, "carried"), value)
        self._rejected[hand.pool] += self._steps.step(hand.boot, (hand.pool,), hand.rejected)

    def requests(self, pool: str, worker: str) -> int:
        return self._requests[pool, worker]

    def rejected(self, pool: str) -> int:
        return self._rejected[pool]

    def present(self, haproxy: str, pids: Collection[int]) -> None:
        """The life of HAProxy, and its processes: forget all others. Another life may have the same pids again."""
        same = haproxy == self._haproxy
        self._haproxy = haproxy
        self._steps.forget(lambda source, _key: isinstance(source, int) and not (same and source in pids))

    def keep(self, pools: Collection[str], workers: Collection[tuple[str, str]]) -> None:
        """Forget all others: every pod has a name of its own, for ever."""
        for worker in self._requests.keys() - workers:
            del self._requests[worker]
        for pool in self._rejected.keys() - pools:
            del self._rejected[pool]
        self._steps.forget(lambda _source, key: key[0] not in pools or (len(key) == 3 and key[:2] not in workers))
