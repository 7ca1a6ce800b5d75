"""What the operator is told of a pool, and when. Pure but for the clock it is given.

A worker is `Drained` only when nobody can still send it a request: no HAProxy process runs one on it, no older
process has a queue that may go to it (what else comes to those, they pass on), and the gate carries none. Until the
gate has confirmed that it carries no more there, nothing is drained.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from webgarden_link import Pool, Report, Worker, WorkerReport, WorkerState
from webgarden_listener.counters import Totals
from webgarden_listener.gate.views import Hand
from webgarden_listener.haproxy.stats import Backend, Server
from webgarden_listener.table import leaves

INTERVAL = 0.5
"""Seconds between two reports of a pool in which only numbers differ."""


@dataclass(frozen=True)
class Sight:
    """A pool in every process that has something of it."""

    current: Backend
    before: Backend
    """The reading before the current one."""
    old: tuple[Backend, ...] = ()
    hand: Hand | None = None
    """None while the gate cannot be asked, or has not confirmed what it was told last."""


def report(pool: Pool, sight: Sight, totals: Totals, version: int) -> Report:
    waiting = sight.hand.waiting if sight.hand else 0
    return Report(
        pool=pool.key,
        version=version,
        queued=waiting + sum(one.queued for one in (sight.current, *sight.old)),
        rejected=totals.rejected(pool.key),
        workers=tuple(worker_report(pool, worker, sight, totals) for worker in pool.workers),
    )


def worker_report(pool: Pool, worker: Worker, sight: Sight, totals: Totals) -> WorkerReport:
    running = in_flight(worker.name, sight)
    return WorkerReport(
        name=worker.name,
        state=worker_state(pool, worker, sight, running),
        in_flight=running,
        requests=totals.requests(pool.key, worker.name),
    )


def in_flight(worker: str, sight: Sight) -> int:
    servers = (one.servers.get(worker) for one in (sight.current, *sight.old))
    spliced = sight.hand.spliced.get(worker, 0) if sight.hand else 0
    return spliced + sum(one.in_flight + one.queued for one in servers if one)


def worker_state(pool: Pool, worker: Worker, sight: Sight, running: int) -> WorkerState:
    server = sight.current.servers.get(worker.name)
    if leaves(pool, worker):
        return WorkerState.DRAINED if running == 0 and drained(worker.name, sight) else WorkerState.DRAINING
    full = running > (server.in_flight + server.queued if server else 0)  # of what the gate and older processes have
    return WorkerState.SERVING if full or (server is not None and server.serving) else WorkerState.WAITING


def drained(worker: str, sight: Sight) -> bool:
    # Twice, since a request that was given out in the moment of the drain is counted a moment later.
    shut = all(closed(one.servers.get(worker)) for one in (sight.before, sight.current))
    may_come = any(worker in one.servers and one.queued for one in sight.old)
    return shut and not may_come and sight.hand is not None


def closed(server: Server | None) -> bool:
    return server is None or server.draining or server.stopped or server.down


class Outgoing:
    """Which reports are due, given the ones that were sent."""

    def __init__(self) -> None:
        self._sent: dict[str, tuple[Report, float]] = {}

    def due(self, new: Report, now: float) -> bool:
        """Whether to send this one; if so it counts as sent."""
        last = self._sent.get(new.pool)
        if last is not None and (new == last[0] or (states(new) == states(last[0]) and now - last[1] < INTERVAL)):
            return False
        self._sent[new.pool] = (new, now)
        return True

    def settled(self, pool: Pool) -> bool:
        """Whether the operator knows of every worker that leaves the pool that it is drained."""
        last = self._sent.get(pool.key)
        known = states(last[0]) if last else {}
        return all(known.get(one.name) is WorkerState.DRAINED for one in pool.workers if leaves(pool, one))

    def keep(self, pools: Collection[str]) -> None:
        """Forget all pools but these."""
        self._sent = {key: sent for key, sent in self._sent.items() if key in pools}

    def begin(self) -> None:
        """A new connection: everything is news."""
        self._sent.clear()


def states(one: Report) -> Mapping[str, WorkerState | int]:
    return {**{worker.name: worker.state for worker in one.workers}, "": one.version}
