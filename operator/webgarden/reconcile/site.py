"""One look at one `Site`: which bindings it has, which pools are there, and what the listeners are told.

A Site that names an absent pool works for its other paths; that path is answered 503 until the pool is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from pydantic import ValidationError

from webgarden.api.conditions import Finding, Truth, merge
from webgarden.api.site import BindingStatus, Site, SiteStatus
from webgarden.reconcile import invalid
from webgarden.reconcile.listeners import Listeners
from webgarden.reconcile.ports import Body, Clock, Key, Kind, Link, Store, Writer
from webgarden.routing import Claim, claims, site_entry


def bindings_of(body: Body) -> set[tuple[str, int]]:
    """(host, port) of each binding, as they stand in a body that may be invalid."""
    return {(b.get("host", ""), b.get("port", 80)) for b in (body.get("spec") or {}).get("bindings") or []}


class SiteReconciler:
    def __init__(self, *, store: Store, writer: Writer, link: Link, listeners: Listeners, clock: Clock) -> None:
        self._store = store
        self._writer = writer
        self._link = link
        self._listeners = listeners
        self._clock = clock

    async def reconcile(self, key: Key) -> datetime | None:
        body = self._store.get(key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            self._link.remove_site(key.path)
            return None
        try:
            site = Site.model_validate(body)
        except ValidationError as error:
            await invalid.say(self._writer, body, error, self._clock())
            return None
        claimed = claims(site, self._rivals(body), ports=self._listeners.ports())
        self._link.publish_site(site_entry(site, claimed))
        missing = self._missing_pools(site)
        new = _status(site, claimed, missing, self._clock())
        if new != site.status:
            await self._writer.write_status(body, new.as_dict())
        return None

    def _rivals(self, mine: Body) -> Iterable[Site]:
        """Sites that claim what this one claims. Only those are parsed: there may be thousands of others."""
        wanted = bindings_of(mine)
        for body in self._store.all(Kind.SITE):
            if body["metadata"].get("deletionTimestamp") or wanted.isdisjoint(bindings_of(body)):
                continue
            with suppress(ValidationError):
                yield Site.model_validate(body)

    def _missing_pools(self, site: Site) -> list[str]:
        names = sorted({a.pool for a in site.spec.applications})
        return [n for n in names if self._store.get(Key(Kind.POOL, site.metadata.namespace, n)) is None]


def _status(site: Site, claimed: tuple[Claim, ...], missing: list[str], now: datetime) -> SiteStatus:
    return SiteStatus(
        observed_generation=site.metadata.generation,
        urls=tuple(_url(c) for c in claimed if c.accepted and c.host),
        bindings=tuple(
            BindingStatus(host=c.host, port=c.port, accepted=c.accepted, message=c.refusal) for c in claimed
        ),
        conditions=merge(site.status.conditions, _findings(site, claimed, missing), now),
    )


def _url(claim: Claim) -> str:
    return f"http://{claim.host}" if claim.port == 80 else f"http://{claim.host}:{claim.port}"


def _findings(site: Site, claimed: tuple[Claim, ...], missing: list[str]) -> list[Finding]:
    refused = [c.refusal for c in claimed if not c.accepted]
    accepted = (Truth.FALSE, "BindingRefused", "; ".join(refused)) if refused else (Truth.TRUE, "Accepted", "")
    absent = f"no ApplicationPool {', '.join(missing)} in namespace {site.metadata.namespace}: 503 for its paths"
    resolved = (Truth.FALSE, "PoolMissing", absent) if missing else (Truth.TRUE, "PoolsResolved", "")
    ready = next((v for v in (accepted, resolved) if v[0] is Truth.FALSE), (Truth.TRUE, "Ready", ""))
    found = {"Ready": ready, "Accepted": accepted, "PoolsResolved": resolved}
    generation = site.metadata.generation
    return [
        Finding(type=kind, status=status, reason=reason, message=message, observed_generation=generation)
        for kind, (status, reason, message) in found.items()
    ]
