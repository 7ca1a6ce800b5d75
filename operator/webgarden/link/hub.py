"""What the listeners are told, and what they say. Memory only: sockets are `server`'s.

Every pool and site has a version of its own, raised with each change (`pools`, `sites` say what they are for). Among how
many listeners limits are divided is said once, to all, and no pool is told anew for it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

import webgarden_link as link
from webgarden.link.pools import PoolRecord
from webgarden.link.sites import SiteRecord
from webgarden.reconcile.ports import Kind, PoolFacts, SiteFacts


class Peer(Protocol):
    """A connected listener."""

    @property
    def name(self) -> str: ...
    def tell(self, message: link.Message) -> None:
        """Queue a message; never blocks."""
        ...

    def dismiss(self, why: str) -> None:
        """End the connection."""
        ...


class Hub:
    def __init__(
        self, *, clock: Callable[[], datetime], touched: Callable[[Kind, str], None], changed: Callable[[], None]
    ) -> None:
        """`touched(kind, key)`: something about a pool or site may have to be decided anew. `changed()`: a listener has
        come or gone."""
        self._clock = clock
        self._touched = touched
        self._changed = changed
        # From the clock, so that no report about the table of a leader before this one can pass for one about ours; in
        # microseconds, since no leader makes a million changes a second.
        self._version = int(clock().timestamp() * 1_000_000)
        self._listeners = 1
        self._pools: dict[str, PoolRecord] = {}
        self._sites: dict[str, SiteRecord] = {}
        self._peers: dict[str, Peer] = {}

    # What the reconcilers say and ask (ports.Link).

    def publish_pool(self, pool: link.Pool) -> None:
        """Its version is given here."""
        known = self._pools.get(pool.key)
        if known is not None and known.entry == pool.model_copy(update={"version": known.entry.version}):
            return
        entry = pool.model_copy(update={"version": self._next()})
        if known is None:
            self._pools[pool.key] = PoolRecord(entry)
        else:
            known.take(entry)
        self._tell_all(link.Change(pools=(entry,)))

    def publish_site(self, site: link.Site) -> None:
        """Its version is given here."""
        known = self._sites.get(site.key)
        if known is not None and known.entry == site.model_copy(update={"version": known.entry.version}):
            return
        entry = site.model_copy(update={"version": self._next()})
        self._sites[site.key] = SiteRecord(entry)
        self._tell_all(link.Change(sites=(entry,)))

    def publish_listeners(self, count: int) -> None:
        if count != self._listeners:
            self._listeners = count
            self._tell_all(link.Listeners(count=count))

    def remove_pool(self, key: str) -> None:
        if self._pools.pop(key, None) is not None:
            self._tell_all(link.Change(removed_pools=(key,)))

    def remove_site(self, key: str) -> None:
        if self._sites.pop(key, None) is not None:
            self._tell_all(link.Change(removed_sites=(key,)))

    def connected(self) -> frozenset[str]:
        return frozenset(self._peers)

    def pool_facts(self, pool: str, leaving: Collection[str] = ()) -> PoolFacts:
        known = self._pools.get(pool)
        return known.facts(self._clock(), connected=self._peers, leaving=leaving) if known else PoolFacts()

    def site_facts(self, site: str) -> SiteFacts:
        known = self._sites.get(site)
        return known.facts if known else SiteFacts()

    # What the server says.

    def table(self) -> link.Table:
        return link.Table(
            listeners=self._listeners,
            pools=tuple(pool.entry for pool in self._pools.values()),
            sites=tuple(site.entry for site in self._sites.values()),
        )

    def join(self, peer: Peer) -> None:
        """A listener has come in. It is sent the whole table; one of the same name that was there is replaced, and must
        not stay: it would be connected and hear of nothing."""
        if (before := self._peers.get(peer.name)) is not None:
            before.dismiss("has come in anew")
            self._forget(before)
        self._peers[peer.name] = peer
        peer.tell(self.table())
        self._touch_pools()

    def leave(self, peer: Peer) -> None:
        if self._peers.get(peer.name) is peer:
            self._forget(peer)
            self._touch_pools()

    def _forget(self, peer: Peer) -> None:
        del self._peers[peer.name]
        now = self._clock()
        for pool in self._pools.values():
            pool.leave(peer.name, now)
        for key, site in self._sites.items():
            if site.leave(peer.name, connected=self._peers):
                self._touched(Kind.SITE, key)

    def hear(self, peer: Peer, message: link.Message) -> None:
        if self._peers.get(peer.name) is not peer:
            return
        match message:
            case link.Report():
                for pool in message.pools:
                    self._hear_pool(peer, pool)
                for site in message.sites:
                    self._hear_site(peer, site)
            case link.Demand():
                self._hear_demand(peer, message)
            case _:
                raise link.LinkError(f"{message.kind} is not a listener's to send")

    def _hear_pool(self, peer: Peer, report: link.PoolReport) -> None:
        if (known := self._pools.get(report.key)) is not None:
            known.hear(peer.name, report, now=self._clock())
            self._touched(Kind.POOL, report.key)

    def _hear_site(self, peer: Peer, report: link.SiteReport) -> None:
        known = self._sites.get(report.key)
        if known is not None and known.hear(peer.name, report, connected=self._peers):
            self._touched(Kind.SITE, report.key)

    def _hear_demand(self, peer: Peer, demand: link.Demand) -> None:
        if (known := self._pools.get(demand.pool)) is not None:
            known.hear_demand(peer.name, self._clock())
            self._touched(Kind.POOL, demand.pool)

    def _next(self) -> int:
        self._version += 1
        return self._version

    def _tell_all(self, message: link.Message) -> None:
        for peer in self._peers.values():
            peer.tell(message)

    def _touch_pools(self) -> None:
        self._changed()
        for key in self._pools:
            self._touched(Kind.POOL, key)
