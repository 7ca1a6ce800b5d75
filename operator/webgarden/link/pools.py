"""What is known of one pool: what the listeners were told of it, and what each of them says. Memory only.

A worker remembers the version of its pool at which it was told or changed last. It counts as drained when every connected
listener has reported it drained, or no longer knows it, at that version or a later one: a report made before the listener
heard of the drain never ends a worker.

Totals are kept by the life of a listener's HAProxy (`boot`): what one that has gone had counted stays counted, and one that
only lost its connection is not counted twice. Nothing is inferred from a request that was in flight in a report but from
its end: fewer than before, or a higher total, is activity of this moment.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import webgarden_link as link
from webgarden.reconcile.ports import PoolFacts, WorkerFacts

DEMAND_LASTS = timedelta(seconds=2.5)
"""`Demand` is repeated every second while it lasts; what is older is over."""

Life = tuple[str, str]
"""A listener, and the boot of its HAProxy."""


@dataclass
class _Worker:
    asked: int
    """Version of the pool at which it was told or changed last."""
    sought: datetime | None = None
    """When all connected listeners were first known to have it."""
    active: datetime | None = None
    """When a request was last seen in it."""
    requests: dict[Life, int] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    """Listener -> requests in flight when it was last heard, which may have been on an earlier connection."""

    def hear(self, life: Life, report: link.WorkerReport, *, now: datetime) -> None:
        listener, _ = life
        # Of a life that is new to us the requests may be from long ago, unless its listener is not.
        counted = self.requests.get(life, 0 if listener in self.running else report.requests)
        ended = report.in_flight < self.running.get(listener, 0)
        if report.in_flight or ended or report.requests > counted:
            self.active = now
        self.requests[life] = max(counted, report.requests)
        self.running[listener] = report.in_flight

    def leave(self, listener: str, now: datetime) -> None:
        """What it had running has ended with it, or ends unseen."""
        if self.running.get(listener):
            self.active = now


@dataclass(frozen=True)
class _Heard:
    """A listener's last report on the connection that it has."""

    report: link.PoolReport
    workers: dict[str, link.WorkerReport]

    @classmethod
    def of(cls, report: link.PoolReport) -> _Heard:
        return cls(report, {worker.name: worker for worker in report.workers})

    def drained(self, worker: str) -> bool:
        """Or no longer known there."""
        seen = self.workers.get(worker)
        return seen is None or seen.state is link.WorkerStatus.DRAINED


class PoolRecord:
    def __init__(self, entry: link.Pool) -> None:
        self.entry = entry
        self._workers = {worker.name: _Worker(asked=entry.version) for worker in entry.workers}
        self._heard: dict[str, _Heard] = {}
        self._demand: dict[str, datetime] = {}
        self._rejected: dict[Life, int] = {}

    def take(self, entry: link.Pool) -> None:
        """The pool differs from now on."""
        before = {worker.name: worker for worker in self.entry.workers}
        known, self._workers = self._workers, {}
        for worker in entry.workers:
            kept = known.get(worker.name) or _Worker(asked=entry.version)
            kept.asked = kept.asked if before.get(worker.name) == worker else entry.version
            self._workers[worker.name] = kept
        self.entry = entry

    def hear(self, listener: str, report: link.PoolReport, *, now: datetime) -> None:
        life = (listener, report.boot)
        self._heard[listener] = _Heard.of(report)
        if report.rejected:
            self._rejected[life] = max(report.rejected, self._rejected.get(life, 0))
        for worker in report.workers:
            if (known := self._workers.get(worker.name)) is not None:
                known.hear(life, worker, now=now)

    def hear_demand(self, listener: str, now: datetime) -> None:
        self._demand[listener] = now

    def leave(self, listener: str, now: datetime) -> None:
        """The listener has no connection any more."""
        self._heard.pop(listener, None)
        self._demand.pop(listener, None)
        for worker in self._workers.values():
            worker.leave(listener, now)

    def facts(self, now: datetime, *, connected: Collection[str], leaving: Collection[str]) -> PoolFacts:
        """`leaving`: listeners that take no new worker."""
        staying = [listener for listener in connected if listener not in leaving]
        return PoolFacts(
            demand=any(now - time < DEMAND_LASTS for time in self._demand.values()),
            queued=sum(heard.report.queued for heard in self._heard.values()),
            rejected=sum(self._rejected.values()),
            workers={
                worker.name: self._worker_facts(worker, now, connected=connected, staying=staying)
                for worker in self.entry.workers
            },
        )

    def _worker_facts(
        self, worker: link.Worker, now: datetime, *, connected: Collection[str], staying: Collection[str]
    ) -> WorkerFacts:
        known = self._workers[worker.name]
        seen = [found for heard in self._heard.values() if (found := heard.workers.get(worker.name)) is not None]
        told = {name: heard for name, heard in self._heard.items() if heard.report.version >= known.asked}
        current = [told[name].workers.get(worker.name) if name in told else None for name in staying]
        if known.sought is None and current and all(current):
            known.sought = now
        confirmed = told.keys() >= set(connected) and all(heard.drained(worker.name) for heard in told.values())
        return WorkerFacts(
            sought_since=known.sought,
            seen=any(_answered(one) for one in seen),
            serving=bool(current) and all(one and one.state is link.WorkerStatus.SERVING for one in current),
            down=any(one.state is link.WorkerStatus.DOWN for one in seen),
            drained=worker.state is link.WorkerState.DRAINING and confirmed,
            in_flight=sum(one.in_flight for one in seen),
            requests=sum(known.requests.values()),
            last_activity=known.active,
        )


def _answered(seen: link.WorkerReport) -> bool:
    answering = seen.state in (link.WorkerStatus.SERVING, link.WorkerStatus.DOWN)
    return answering or bool(seen.in_flight or seen.requests)
