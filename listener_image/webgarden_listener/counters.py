"""Totals that outlive HAProxy's reloads and the gate's restarts. Pure.

HAProxy's counters begin at zero in each process and for each server that is added, the gate's in each life: what is
added up here are the steps between two readings. A process that was replaced is kept until it has been read for the last
time; what one that crashes has counted since its last reading is lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

from webgarden_listener.gate.views import Hand
from webgarden_listener.haproxy.stats import Backend

Key = tuple[str, ...]


class Steps:
    """The sum of the steps of counters that may begin again."""

    def __init__(self) -> None:
        self._seen: dict[tuple[object, Key], int] = {}

    def step(self, source: object, key: Key, value: int) -> int:
        """How far the counter of this source came since the last reading."""
        before = self._seen.get((source, key), 0)
        self._seen[source, key] = value
        return value - before if value >= before else value

    def forget(self, gone: Callable[[object, Key], bool]) -> None:
        self._seen = {key: value for key, value in self._seen.items() if not gone(*key)}


class Totals:
    """What the workers and pools have counted since this agent started to look."""

    def __init__(self) -> None:
        self._steps = Steps()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._rejected: Counter[str] = Counter()

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

    def forget(self, pids: Collection[int]) -> None:
        """Processes that are gone."""
        if pids:
            self._steps.forget(lambda source, _key: source in pids)

    def keep(self, workers: Collection[tuple[str, str]]) -> None:
        """Forget all workers but these: every pod has a name of its own, for ever."""
        for worker in self._requests.keys() - workers:
            del self._requests[worker]
        self._steps.forget(lambda _source, key: len(key) == 3 and key[:2] not in workers)
