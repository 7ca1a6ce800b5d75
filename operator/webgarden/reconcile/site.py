"""One look at one `Site`: which bindings it has, which pools are there, what the listeners are told, and which have it.

A Site that names an absent pool works for its other paths; that path is answered 503 until the pool is there. What was said
of the listeners for this generation stays until they say something else, so that an operator which begins to lead, and has
heard of none yet, takes nothing back and repeats no Event.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

from pydantic import ValidationError

from webgarden.api.conditions import Condition, Finding, Truth, merge
from webgarden.api.site import BindingStatus, Site, SiteStatus
from webgarden.reconcile import events, invalid
from webgarden.reconcile.listeners import Listeners
from webgarden.reconcile.naming import bindings_of
from webgarden.reconcile.ports import Body, Key, Kind, Outside, SiteFacts
from webgarden.routing import Claim, claims, requires, site_entry

Verdict = tuple[Truth, str, str]
TOO_OLD = "ListenerTooOld"
REFUSED = "SiteRefused"
REFUSALS = frozenset({TOO_OLD, REFUSED})


class SiteReconciler:
    def __init__(self, outside: Outside, *, listeners: Listeners) -> None:
        self._store = outside.store
        self._writer = outside.writer
        self._link = outside.link
        self._recorder = outside.recorder
        self._clock = outside.clock
        self._listeners = listeners

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
        published = _published(site, self._link.site_facts(key.path))
        new = _status(site, claimed, (_resolved(site, self._missing_pools(site)), published), self._clock())
        if new != site.status:
            await self._writer.write_status(body, new.as_dict())
            await self._tell_of_refusal(body, site, published)
        return None

    async def _tell_of_refusal(self, body: Body, site: Site, published: Verdict) -> None:
        """Once: not while the status says so."""
        _, reason, message = published
        before = _condition(site, "Published")
        if reason in REFUSALS and (before is None or before.reason != reason):
            await self._recorder.record(body, events.site_refused(reason, message))

    def _rivals(self, mine: Body) -> Iterable[Site]:
        """Sites that claim what this one claims. Only those are looked at: there may be thousands of others."""
        for binding in bindings_of(mine):
            for body in self._store.claiming(binding):
                if not body["metadata"].get("deletionTimestamp"):
                    with suppress(ValidationError):
                        yield Site.model_validate(body)

    def _missing_pools(self, site: Site) -> list[str]:
        names = sorted({a.pool for a in site.spec.applications})
        return [n for n in names if self._store.get(Key(Kind.POOL, site.metadata.namespace, n)) is None]


def _status(site: Site, claimed: tuple[Claim, ...], verdicts: tuple[Verdict, Verdict], now: datetime) -> SiteStatus:
    """`verdicts`: about the pools and about the listeners."""
    return SiteStatus(
        observed_generation=site.metadata.generation,
        urls=tuple(_url(c) for c in claimed if c.accepted and c.host),
        bindings=tuple(
            BindingStatus(host=c.host, port=c.port, accepted=c.accepted, message=c.refusal) for c in claimed
        ),
        conditions=merge(site.status.conditions, _findings(site, _accepted(claimed), *verdicts), now),
    )


def _url(claim: Claim) -> str:
    return f"http://{claim.host}" if claim.port == 80 else f"http://{claim.host}:{claim.port}"


def _findings(site: Site, accepted: Verdict, resolved: Verdict, published: Verdict) -> list[Finding]:
    wrong = (verdict for verdict in (accepted, resolved, published) if verdict[0] is not Truth.TRUE)
    found = {
        "Ready": next(wrong, (Truth.TRUE, "Ready", "")),
        "Accepted": accepted,
        "PoolsResolved": resolved,
        "Published": published,
    }
    generation = site.metadata.generation
    return [
        Finding(type=kind, status=status, reason=reason, message=message, observed_generation=generation)
        for kind, (status, reason, message) in found.items()
    ]


def _accepted(claimed: tuple[Claim, ...]) -> Verdict:
    refused = [c.refusal for c in claimed if not c.accepted]
    return (Truth.FALSE, "BindingRefused", "; ".join(refused)) if refused else (Truth.TRUE, "Accepted", "")


def _resolved(site: Site, missing: list[str]) -> Verdict:
    absent = f"no ApplicationPool {', '.join(missing)} in namespace {site.metadata.namespace}: 503 for its paths"
    return (Truth.FALSE, "PoolMissing", absent) if missing else (Truth.TRUE, "PoolsResolved", "")


def _published(site: Site, facts: SiteFacts) -> Verdict:
    if facts.refusals:
        return _refused(site, facts)
    if facts.live:
        return Truth.TRUE, "Published", ""
    before = _condition(site, "Published")
    if before is not None and before.observed_generation == site.metadata.generation:
        return before.status, before.reason, before.message
    return Truth.FALSE, "Publishing", "not every listener has said yet that it serves the site as it is now"


def _refused(site: Site, facts: SiteFacts) -> Verdict:
    """A site that requires a feature is refused by who lacks it; any other by who cannot read it."""
    words = "; ".join(f"{name} does not serve it: {why}" for name, why in sorted(facts.refusals.items()))
    if requires(site):
        return Truth.FALSE, TOO_OLD, f"{words}: give all listeners the image of the operator's release"
    return Truth.FALSE, REFUSED, f"{words}: change what it names"


def _condition(site: Site, kind: str) -> Condition | None:
    return next((c for c in site.status.conditions if c.type == kind), None)
