"""From resources to what the listener is told: entries of the routing table. Pure.

Limits are the pool's totals: each listener takes its share of them. What a site cannot do without is named in its entry
(`requires`), so that a listener of an older release refuses it and does not serve it otherwise than it says.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import webgarden_link as link
from webgarden.api.pool import ApplicationPool
from webgarden.api.site import Affinity, Site

QUEUE_GRACE_SECONDS = 30
"""A request may wait this much longer than a worker may take to start: the operator's answer comes first."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A worker that a listener may know of."""

    name: str
    address: str
    draining: bool


@dataclass(frozen=True, kw_only=True)
class Refusing:
    """Why the pool takes no requests now."""

    reason: str
    retry_after: int = 0


def pool_entry(pool: ApplicationPool, endpoints: Iterable[Endpoint], *, refusing: Refusing | None) -> link.Pool:
    spec = pool.spec
    return link.Pool(
        key=pool.key,
        state=link.PoolState.STOPPED if refusing else link.PoolState.STARTED,
        reason=refusing.reason if refusing else "",
        retry_after=refusing.retry_after if refusing else 0,
        queue_limit=spec.queue_length,
        queue_timeout=math.ceil(spec.process_model.startup_time_limit.total_seconds()) + QUEUE_GRACE_SECONDS,
        worker_limit=spec.worker.max_concurrent_requests,
        workers=tuple(_worker(e, spec.worker.port) for e in sorted(endpoints, key=lambda e: e.name)),
    )


def _worker(endpoint: Endpoint, port: int) -> link.Worker:
    state = link.WorkerState.DRAINING if endpoint.draining else link.WorkerState.ACTIVE
    return link.Worker(name=endpoint.name, address=endpoint.address, port=port, state=state)


@dataclass(frozen=True)
class Claim:
    """What became of one binding of a site."""

    host: str
    port: int
    refusal: str = ""

    @property
    def accepted(self) -> bool:
        return not self.refusal


def claims(site: Site, rivals: Iterable[Site], *, ports: frozenset[int]) -> tuple[Claim, ...]:
    """Who has the bindings of `site`. Of two sites that claim one host and port, the older one wins."""
    older = [rival for rival in rivals if rival.key != site.key and _age(rival) < _age(site)]
    taken = {
        (b.host, b.port): rival.key for rival in sorted(older, key=_age, reverse=True) for b in rival.spec.bindings
    }
    return tuple(
        Claim(b.host, b.port, _refusal((b.host, b.port), taken=taken, ports=ports)) for b in site.spec.bindings
    )


def _refusal(binding: tuple[str, int], *, taken: dict[tuple[str, int], str], ports: frozenset[int]) -> str:
    host, port = binding
    if port not in ports:
        return f"the listener has no port {port}: add it to spec.listener.ports of the WebServer"
    if binding in taken:
        return f"{host or 'any host'}:{port} belongs to the older Site {taken[binding]}"
    return ""


def _age(site: Site) -> tuple[float, str]:
    created = site.metadata.creation_timestamp
    return (created.timestamp() if created else math.inf, site.key)


def site_entry(site: Site, accepted: Iterable[Claim]) -> link.Site:
    return link.Site(
        key=site.key,
        bindings=tuple(link.Binding(port=c.port, host=c.host) for c in accepted if c.accepted),
        applications=tuple(
            link.Application(
                path=a.path, pool=f"{site.metadata.namespace}/{a.pool}", affinity=link.Affinity(a.affinity)
            )
            for a in site.spec.applications
        ),
        requires=requires(site),
    )


def requires(site: Site) -> tuple[str, ...]:
    """Features of the listener, as `link.FEATURES` names them."""
    return ("affinity",) if any(a.affinity is not Affinity.NONE for a in site.spec.applications) else ()
