"""What the listeners are told, and what they say. Memory only: sockets are `server`'s.

The table has one version number, raised with each change. A worker that is to drain remembers the version which said so;
it counts as drained when every connected listener has reported `Drained` (or no longer knows it) at that version or a later
one. A report made before the listener heard of it therefore never ends a worker.

Totals are kept by the listener's boot: what a listener that has gone had counted stays counted, and one that only lost its
connection is not counted twice.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import webgarden_link as link
from webgarden.reconcile.ports import PoolFacts, WorkerFacts

DEMAND_LASTS = timedelta(seconds=2.5)
"""`Demand` is repeated every second while it lasts; what is older is over."""


class Peer(Protocol):
    """A connected listener."""

    @property
    def name(self) -> str: ...
    @property
    def boot(self) -> str: ...
    def tell(self, message: link.Message) -> None:
        """Queue a message; never blocks."""
        ...

    def dismiss(self, why: str) -> None:
        """End the connection."""
        ...


@dataclass
class _Session:
    peer: Peer
    reports: dict[str, link.Report] = field(default_factory=dict)
    refusal: str = ""


@dataclass
class _Pool:
    entry: link.Pool
    since: dict[str, int] = field(default_factory=dict)
    """Worker -> version at which it was told or changed last."""
    demand: dict[str, datetime] = field(default_factory=dict)
    activity: dict[str, datetime] = field(default_factory=dict)
    sought: dict[str, datetime] = field(default_factory=dict)
    """Worker -> when all connected listeners were first known to have it in their table."""
    requests: dict[str, dict[str, int]] = field(default_factory=dict)
    """Worker -> boot of a listener -> requests that it gave to the worker."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Boot of a listener -> requests that it refused."""


class Hub:
    def __init__(
        self, *, clock: Callable[[], datetime], touched: Callable[[str], None], changed: Callable[[], None]
    ) -> None:
        """`touched(pool key)`: something about a pool may have to be decided anew. `changed()`: a listener has come,
        gone, or refused a table."""
        self._clock = clock
        self._touched = touched
        self._changed = changed
        # From the clock, so that no report about the table of a leader before this one can pass for one about ours.
        self._version = int(clock().timestamp() * 1000)
        self._pools: dict[str, _Pool] = {}
        self._sites: dict[str, link.Site] = {}
        self._sessions: dict[str, _Session] = {}

    # What the reconcilers say and ask (ports.Link).

    def publish_pool(self, pool: link.Pool) -> None:
        known = self._pools.get(pool.key)
        if known is None:
            known = self._pools[pool.key] = _Pool(entry=pool)
        elif known.entry == pool:
            return
        before = {w.name: w for w in known.entry.workers}
        version = self._next()
        known.since = {
            w.name: known.since[w.name] if before.get(w.name) == w and w.name in known.since else version
            for w in pool.workers
        }
        known.entry = pool
        self._forget_workers(known)
        self._tell_all(link.Change(version=version, pools=(pool,)))

    def publish_site(self, site: link.Site) -> None:
        if self._sites.get(site.key) != site:
            self._sites[site.key] = site
            self._tell_all(link.Change(version=self._next(), sites=(site,)))

    def remove_pool(self, key: str) -> None:
        if self._pools.pop(key, None) is not None:
            self._tell_all(link.Change(version=self._next(), removed_pools=(key,)))

    def remove_site(self, key: str) -> None:
        if self._sites.pop(key, None) is not None:
            self._tell_all(link.Change(version=self._next(), removed_sites=(key,)))

    def connected(self) -> frozenset[str]:
        return frozenset(self._sessions)

    def refusals(self) -> dict[str, str]:
        return {name: session.refusal for name, session in self._sessions.items() if session.refusal}

    def facts(self, pool: str, leaving: Collection[str] = ()) -> PoolFacts:
        known = self._pools.get(pool)
        if known is None:
            return PoolFacts()
        oldest = self._clock() - DEMAND_LASTS
        reports = {name: s.reports.get(pool) for name, s in self._sessions.items()}
        staying = [report for name, report in reports.items() if name not in leaving]
        heard = [report for report in reports.values() if report is not None]
        return PoolFacts(
            demand=any(time > oldest for name, time in known.demand.items() if name in self._sessions),
            queued=sum(report.queued for report in heard),
            rejected=sum(known.rejected.values()),
            workers={
                w.name: _worker_facts(w, known, list(reports.values()), staying, self._clock())
                for w in known.entry.workers
            },
        )

    # What the server says.

    def table(self) -> link.Table:
        return link.Table(
            version=self._version,
            pools=tuple(pool.entry for pool in self._pools.values()),
            sites=tuple(self._sites.values()),
        )

    def join(self, peer: Peer) -> None:
        """A listener has come in. It is sent the whole table; one of the same name that was there is replaced, and must
        not stay: it would be connected and hear of nothing."""
        if peer.name in self._sessions:
            before = self._sessions[peer.name].peer
            before.dismiss("has come in anew")
            self.leave(before)
        self._sessions[peer.name] = _Session(peer)
        peer.tell(self.table())
        self._touch_all()

    def leave(self, peer: Peer) -> None:
        session = self._sessions.get(peer.name)
        if session is None or session.peer is not peer:
            return
        del self._sessions[peer.name]
        self._touch_all()

    def hear(self, peer: Peer, message: link.Message) -> None:
        session = self._sessions.get(peer.name)
        if session is None or session.peer is not peer:
            return
        match message:
            case link.Report():
                self._hear_report(session, message)
            case link.Demand():
                self._hear_demand(session, message)
            case link.Applied():
                if session.refusal:
                    session.refusal = ""
                    self._changed()
            case link.Failed():
                session.refusal = message.error
                self._changed()
            case _:
                raise link.LinkError(f"{message.kind} is not a listener's to send")

    def _hear_report(self, session: _Session, report: link.Report) -> None:
        known = self._pools.get(report.pool)
        before = session.reports.get(report.pool)
        session.reports[report.pool] = report
        if known is None:
            return
        boot = session.peer.boot
        known.rejected[boot] = report.rejected
        counted = {w.name: w.requests for w in before.workers} if before else {}
        for worker in report.workers:
            known.requests.setdefault(worker.name, {})[boot] = worker.requests
            if worker.in_flight or worker.requests > counted.get(worker.name, 0 if before else worker.requests):
                known.activity[worker.name] = self._clock()
        self._touched(report.pool)

    def _hear_demand(self, session: _Session, demand: link.Demand) -> None:
        if (known := self._pools.get(demand.pool)) is not None:
            known.demand[session.peer.name] = self._clock()
            self._touched(demand.pool)

    @staticmethod
    def _forget_workers(known: _Pool) -> None:
        names = {w.name for w in known.entry.workers}
        for memory in (known.requests, known.activity, known.sought):
            for name in memory.keys() - names:
                del memory[name]

    def _next(self) -> int:
        self._version += 1
        return self._version

    def _tell_all(self, message: link.Message) -> None:
        for session in self._sessions.values():
            session.peer.tell(message)

    def _touch_all(self) -> None:
        self._changed()
        for key in self._pools:
            self._touched(key)


Reports = list[link.Report | None]


def _worker_facts(worker: link.Worker, known: _Pool, reports: Reports, staying: Reports, now: datetime) -> WorkerFacts:
    """`staying`: the reports of listeners that are not on their way out."""
    since = known.since.get(worker.name, 0)
    heard = [seen for seen in (_find(report, worker.name) for report in reports) if seen is not None]
    current = [
        _find(report, worker.name) if report is not None and report.version >= since else None for report in staying
    ]
    if current and all(current):
        known.sought.setdefault(worker.name, now)
    return WorkerFacts(
        sought_since=known.sought.get(worker.name),
        seen=any(seen.state is link.WorkerState.SERVING or seen.in_flight or seen.requests for seen in heard),
        serving=bool(current) and all(seen and seen.state is link.WorkerState.SERVING for seen in current),
        drained=worker.draining and all(_is_drained(report, worker.name, since) for report in reports),
        in_flight=sum(seen.in_flight for seen in heard),
        requests=sum(known.requests.get(worker.name, {}).values()),
        last_activity=known.activity.get(worker.name),
    )


def _find(report: link.Report | None, name: str) -> link.WorkerReport | None:
    return next((w for w in report.workers if w.name == name), None) if report is not None else None


def _is_drained(report: link.Report | None, name: str, since: int) -> bool:
    if report is None or report.version < since:
        return False
    worker = _find(report, name)
    return worker is None or worker.state in (link.WorkerState.DRAINED, link.WorkerState.WAITING)
