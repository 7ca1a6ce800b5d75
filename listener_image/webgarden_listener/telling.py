"""Telling the operator: reports of pools and sites when they differ, demand at once and again while it lasts.

Nothing is said before this connection's operator has sent its table: versions of another one mean nothing to it.
"""

from __future__ import annotations

import math
from typing import Protocol

from webgarden_link import Pool, PoolReport, SiteReport
from webgarden_listener.plane import Plane
from webgarden_listener.reports import Outgoing, Sight, report
from webgarden_listener.table import Routing

DEMAND_INTERVAL = 1.0


class Speaker(Protocol):
    """The link."""

    def demand(self, pool: str) -> None: ...
    def report(self, one: PoolReport | SiteReport) -> None: ...


class Teller:
    def __init__(self, known: Routing, plane: Plane, link: Speaker) -> None:
        self._known = known
        self._plane = plane
        self._link = link
        self._outgoing = Outgoing()
        self._introduced = False
        self._demanded: dict[str, float] = {}

    def begin(self) -> None:
        """A new connection."""
        self._introduced = False
        self._outgoing.begin()
        self._demanded = dict.fromkeys(self._demanded, -math.inf)

    def introduced(self) -> None:
        """Its operator has sent its table."""
        self._introduced = True

    def pool(self, pool: Pool, sight: Sight, now: float) -> bool:
        """Whether all of it is told; the rest is due later."""
        if not self._introduced:
            return True
        new = report(pool, sight, self._plane.totals)
        if self._outgoing.due(new, now):
            self._link.report(new)
        return not self._outgoing.waits(new)

    def settled(self, pool: Pool) -> bool:
        """Whether the operator has heard that everything that it drains is drained, or there is none to hear it."""
        return not self._introduced or self._outgoing.settled(pool)

    def site(self, key: str, trouble: str = "") -> None:
        """The site as this listener serves it, or why not."""
        site = self._known.sites.get(key)
        version, why = (site.version, trouble) if site else self._known.refused.get(key, (0, ""))
        if not site and not why:
            self._outgoing.forget_site(key)
        elif self._introduced:
            new = SiteReport(key=key, version=version, refused=why)
            if self._outgoing.site_due(new):
                self._link.report(new)

    def gone(self, pool: str) -> None:
        self._outgoing.forget(pool)
        self._demanded.pop(pool, None)

    def needs(self, pool: str, needed: bool) -> None:
        """Whether somebody waits for a pool that has nobody to serve it."""
        if not needed:
            self._demanded.pop(pool, None)
        else:
            self._demanded.setdefault(pool, -math.inf)

    def repeat(self, now: float) -> float:
        """Say what is due of demand; seconds until the next is."""
        if not self._introduced:
            return DEMAND_INTERVAL
        for pool, said in self._demanded.items():
            if now - said >= DEMAND_INTERVAL:
                self._link.demand(pool)
                self._demanded[pool] = now
        return min((said + DEMAND_INTERVAL - now for said in self._demanded.values()), default=math.inf)
