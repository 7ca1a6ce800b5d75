"""Bringing one pool, or one site, in HAProxy to the table.

Each look compares what HAProxy says with what the operator wants, commands the difference, and reads again. A pool's
backend is there before a path leads to it, and it is taken apart after the last one has gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from webgarden_link import Pool
from webgarden_listener import tending
from webgarden_listener.bell import Bell
from webgarden_listener.haproxy import maps
from webgarden_listener.haproxy.commands import add_backend, check_interval, publish
from webgarden_listener.haproxy.errors import HAProxyError
from webgarden_listener.haproxy.names import backend, pool_of, variants
from webgarden_listener.haproxy.stats import Backend
from webgarden_listener.marks import SOME
from webgarden_listener.plane import Plane
from webgarden_listener.probing import Probes
from webgarden_listener.table import Routing, stopped

ANSWERS_END_WITHIN = 120.0
"""Seconds that the requests of a pool that is gone have. Its workers end them sooner: they are told to stop, too."""


class Keeper:
    def __init__(self, known: Routing, plane: Plane, probes: Probes, bell: Bell) -> None:
        self._known = known
        self._plane = plane
        self._probes = probes
        self._bell = bell
        self._claims = maps.Claims()
        self.leftovers: dict[str, float] = {}
        """Backends that no pool has any more, and since when."""
        self._published: set[str] = set()
        """Backends that HAProxy has been told to publish, in its life."""
        self.untidy = False
        """Whether the maps may have entries that nobody wants."""

    def wanted(self, pool: Pool, backend: str) -> tending.Wanted:
        return tending.Wanted(
            pool=pool,
            backend=backend,
            queue_limit=self._known.share(pool.queue_limit),
            worker_limit=self._known.share(pool.worker_limit),
            answering=self._probes.answering(pool.key),
            interval=check_interval(self._known.workers),
            bell=self._bell.door,
        )

    def backend(self, pool: str) -> str:
        return backend(pool, affine=self._known.affine(pool))

    def backends(self, pool: str) -> list[str]:
        """The one that it has, and the one that it had before, while somebody is still in that."""
        own = self.backend(pool)
        others = (name for name in variants(pool) if name != own)
        return [own, *(name for name in others if (found := self._plane.now(name)) is not None and not found.idle)]

    async def create(self, pools: Iterable[Pool]) -> None:
        """The backends that HAProxy has not yet, all together. Raises `HAProxyError`."""
        names = ((pool, self.backend(pool.key)) for pool in pools)
        new = [self.wanted(pool, name) for pool, name in names if self._plane.now(name) is None]
        if new:
            await self._plane.order(one for wanted in new for one in add_backend(wanted.backend, bell=self._bell.door))
            for wanted in new:
                self._plane.made(wanted.backend)
                self._published.add(wanted.backend)
            await self._plane.put({key: value for wanted in new for key, value in self._entries(wanted).items()})

    async def pool(self, wanted: tending.Wanted) -> Backend:
        """Raises `HAProxyError`. The pool as it was read when all was done."""
        found = self._plane.now(wanted.backend)
        if found is None:
            raise HAProxyError(f"HAProxy has no backend {wanted.backend}")
        orders = list(tending.changes(wanted, found))
        if wanted.backend not in self._published:  # somebody else made it, perhaps not to the end
            orders.insert(0, publish(wanted.backend))
        if stopped(wanted.pool):  # nobody new first, then those who wait are thrown out
            await self._plane.put(self._entries(wanted))
            await self._plane.order(orders)
        else:
            await self._plane.order(orders)
            await self._plane.put(self._entries(wanted))
        self._published.add(wanted.backend)
        if stopped(wanted.pool) or tending.has_room(wanted, found) or tending.comes(wanted, found):
            self._bell.answer(wanted.backend)
        return (await self._plane.read(wanted.backend) if orders else found) or Backend()

    @staticmethod
    def _entries(wanted: tending.Wanted) -> dict[maps.Key, str | None]:
        return maps.pool_entries(wanted.backend, wanted.pool, queue_limit=wanted.queue_limit)

    async def site(self, key: str) -> None:
        """Raises `HAProxyError`."""
        site = self._known.sites.get(key)
        entries = maps.site_entries(self._known, site) if site else {}
        await self._plane.put(self._claims.put(key, site.version if site else 0, entries))

    def begin(self) -> None:
        """HAProxy was read anew: everything that it has and nobody wants is left over."""
        self._published.clear()
        wanted = {self.backend(key) for key in self._known.pools}
        left = set(self._plane.backends) - wanted
        self.leftovers = {name: self.leftovers.get(name, time.monotonic()) for name in left}
        self.untidy = True

    async def tidy(self) -> None:
        """Take out the entries that no site or pool wants. Raises `HAProxyError`."""
        wanted = {key for site in self._known.sites.values() for key in maps.site_entries(self._known, site)}
        backends = self.leftovers.keys() | {self.backend(pool) for pool in self._known.pools}
        wanted |= {key for name in backends for key in maps.no_entries(name)}
        unwanted = (key for key in self._plane.entries() if key not in wanted)
        await self._plane.put(dict.fromkeys(unwanted))
        self.untidy = False

    def left(self, pool: str) -> None:
        """A pool has gone, or may have another backend than before; what it has is not left over."""
        wanted = self.backend(pool) if pool in self._known.pools else ""
        self.leftovers.pop(wanted, None)
        for name in variants(pool):
            if name != wanted and self._plane.now(name) is not None:
                self.leftovers.setdefault(name, time.monotonic())

    def some_leftovers(self) -> list[str]:
        """Those whose turn it is in this round."""
        names = list(self.leftovers)[:SOME]
        for name in names:
            self.leftovers[name] = self.leftovers.pop(name)  # to the end of the line
        return names

    async def take_apart(self, name: str) -> None:
        """One of the leftovers: soon when its pool is gone, when nobody uses it if the pool has another one. Raises
        `HAProxyError`."""
        found = await self._plane.read(name)
        gone = pool_of(name) not in self._known.pools
        if found is not None and (gone or found.idle):
            await self._plane.put(maps.no_entries(name))
            self._published.discard(name)
            over = time.monotonic() - self.leftovers[name] >= ANSWERS_END_WITHIN
            await self._plane.order(tending.taking_apart(name, found, cut=over))
            self._bell.answer(name)
            found = await self._plane.read(name)
        if found is None:
            self.leftovers.pop(name, None)
            if gone:
                self._plane.totals.forget_pool(pool_of(name) or "")
