"""What the operator is told of pools and sites, and when. Pure but for the clock it is given.

A worker is `Drained` when its server is deleted, which HAProxy refuses while a request is in it; or, while connections
that clients keep hold the deletion up, when it was shut and empty in two readings in a row: a request that was given
out in the moment of the drain is counted a moment later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from webgarden_link import Pool, PoolReport, SiteReport, Worker, WorkerReport, WorkerStatus
from webgarden_listener.counters import Totals
from webgarden_listener.haproxy.stats import Backend, Server
from webgarden_listener.table import Endpoint, endpoint, leaves

INTERVAL = 0.5
"""Seconds between two reports of a pool in which only numbers differ."""


@dataclass(frozen=True)
class Sight:
    """A pool as it was read."""

    now: Backend
    before: Backend
    """The reading before that."""
    answering: Collection[Endpoint]
    """The workers that have answered ever."""


def report(pool: Pool, sight: Sight, totals: Totals) -> PoolReport:
    now = sight.now
    return PoolReport(
        key=pool.key,
        version=pool.version,
        boot=totals.boot,
        queued=now.queued + (1 if now.rings else 0),
        rejected=totals.rejected(pool.key),
        workers=tuple(worker_report(pool, worker, sight, totals) for worker in pool.workers),
    )


def worker_report(pool: Pool, worker: Worker, sight: Sight, totals: Totals) -> WorkerReport:
    now, before = sight.now.servers.get(worker.name), sight.before.servers.get(worker.name)
    answers = endpoint(worker) in sight.answering
    return WorkerReport(
        name=worker.name,
        state=leaving(now, before) if leaves(pool, worker) else staying(now, answers=answers),
        in_flight=now.in_flight + now.queued if now else 0,
        requests=totals.requests(pool.key, worker.name),
    )


def leaving(now: Server | None, before: Server | None) -> WorkerStatus:
    empty = now is None or (shut(now) and before is not None and shut(before))
    return WorkerStatus.DRAINED if empty else WorkerStatus.DRAINING


def shut(server: Server) -> bool:
    return server.stopped and server.idle


def staying(now: Server | None, *, answers: bool) -> WorkerStatus:
    """An HAProxy that starts takes every worker for well, also one that has never answered."""
    if now is None or now.stopped or not answers:
        return WorkerStatus.WAITING
    return WorkerStatus.DOWN if now.down else WorkerStatus.SERVING


class Outgoing:
    """Which reports are due, given the ones that were sent."""

    def __init__(self) -> None:
        self._pools: dict[str, tuple[PoolReport, float]] = {}
        self._sites: dict[str, SiteReport] = {}

    def due(self, new: PoolReport, now: float) -> bool:
        """Whether to send this one; if so it counts as sent."""
        last = self._pools.get(new.key)
        if last is not None and (new == last[0] or (states(new) == states(last[0]) and now - last[1] < INTERVAL)):
            return False
        self._pools[new.key] = (new, now)
        return True

    def waits(self, new: PoolReport) -> bool:
        """Whether there is something to tell later."""
        return self._pools[new.key][0] != new

    def site_due(self, new: SiteReport) -> bool:
        if self._sites.get(new.key) == new:
            return False
        self._sites[new.key] = new
        return True

    def settled(self, pool: Pool) -> bool:
        """Whether the operator knows of every worker that leaves the pool that it is drained."""
        last = self._pools.get(pool.key)
        known = states(last[0]) if last else {}
        return all(known.get(one.name) is WorkerStatus.DRAINED for one in pool.workers if leaves(pool, one))

    def forget(self, pool: str) -> None:
        self._pools.pop(pool, None)

    def forget_site(self, site: str) -> None:
        self._sites.pop(site, None)

    def begin(self) -> None:
        """A new connection: everything is news."""
        self._pools.clear()
        self._sites.clear()


def states(one: PoolReport) -> Mapping[str, WorkerStatus | int | str]:
    return {**{worker.name: worker.state for worker in one.workers}, "": one.version, "/": one.boot}
