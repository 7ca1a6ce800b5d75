"""The table that the operator last sent, as this listener knows it: pools and sites by key. Pure.

Names and numbers become words of a configuration, of a map and of commands, so what HAProxy could read as something
else is left out here, once, and named in `refused`: one bad resource never affects another, and nothing past this
module has to quote. That every word stays in its line is checked again where it is written: see `haproxy.maps`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from webgarden_link import Application, Binding, Change, Pool, PoolState, Site, Table, Worker

KEY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
PATH = re.compile(r"/[^\s\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,1000}")

LONGEST_WAIT = 1_000_000
"""Seconds; HAProxy counts milliseconds in 31 bits, and takes 0 for ever."""
LARGEST = 2**31 - 1

Endpoint = tuple[str, str, int]
"""Name, address and port of a worker: another address under the same name is another worker."""
Target = tuple[str, Endpoint]
"""A pool and one of its workers."""


@dataclass(frozen=True)
class Routing:
    """One version of the table."""

    version: int = 0
    pools: Mapping[str, Pool] = field(default_factory=dict)
    sites: Mapping[str, Site] = field(default_factory=dict)


def routing(table: Table) -> Routing:
    """A table as a routing, without what `refused` names."""
    pools = {pool.key: clean(pool) for pool in table.pools if KEY.fullmatch(pool.key)}
    sites = {site.key: clean_site(site) for site in table.sites if KEY.fullmatch(site.key)}
    return Routing(table.version, pools, sites)


def table(known: Routing) -> Table:
    """The message that would make this routing."""
    return Table(version=known.version, pools=tuple(known.pools.values()), sites=tuple(known.sites.values()))


def changed(known: Routing, change: Change) -> Routing:
    """The routing after a change; what it removes goes first."""
    pools = {key: pool for key, pool in known.pools.items() if key not in change.removed_pools}
    sites = {key: site for key, site in known.sites.items() if key not in change.removed_sites}
    new = routing(Table(version=change.version, pools=change.pools, sites=change.sites))
    return Routing(change.version, {**pools, **new.pools}, {**sites, **new.sites})


def clean(pool: Pool) -> Pool:
    workers = {worker.name: worker for worker in pool.workers if fit(worker)}
    return pool.model_copy(
        update={
            "workers": tuple(workers.values()),
            "reason": pool.reason if WORD.fullmatch(pool.reason) else ("Stopped" if stopped(pool) else ""),
            "queue_timeout": between(1, pool.queue_timeout, LONGEST_WAIT),
            "queue_limit": between(0, pool.queue_limit, LARGEST),
            "retry_after": between(0, pool.retry_after, LARGEST),
        }
    )


def between(least: int, number: int, most: int) -> int:
    return min(max(number, least), most)


def clean_site(site: Site) -> Site:
    bindings = tuple(one for one in site.bindings if bound(one))
    applications = tuple(one for one in site.applications if placed(one))
    return site.model_copy(update={"bindings": bindings, "applications": applications})


def fit(worker: Worker) -> bool:
    numbers = 0 < worker.port < 65536 and 0 < worker.limit <= LARGEST
    return bool(NAME.fullmatch(worker.name)) and is_address(worker.address) and numbers


def is_address(text: str) -> bool:
    try:
        return "%" not in str(ipaddress.ip_address(text))  # a zone may be any text
    except ValueError:
        return False


def bound(binding: Binding) -> bool:
    return 0 < binding.port < 65536 and (not binding.host or bool(HOST.fullmatch(binding.host)))


def placed(application: Application) -> bool:
    return bool(PATH.fullmatch(application.path) and KEY.fullmatch(application.pool))


def refused(pools: Sequence[Pool], sites: Sequence[Site]) -> list[str]:
    """What `routing` leaves out, in words for a log."""
    names = [*(pool.key for pool in pools), *(site.key for site in sites)]
    keys = [f"pool or site {name!r}" for name in names if not KEY.fullmatch(name)]
    workers = [
        f"worker {worker.name!r} of {pool.key!r}" for pool in pools for worker in pool.workers if not fit(worker)
    ]
    hosts = [
        f"host {one.host!r}:{one.port} of {site.key!r}" for site in sites for one in site.bindings if not bound(one)
    ]
    applications = [
        f"application {one.path!r} of {site.key!r} with the pool {one.pool!r}"
        for site in sites
        for one in site.applications
        if not placed(one)
    ]
    return keys + workers + hosts + applications


def stopped(pool: Pool) -> bool:
    return pool.state is PoolState.STOPPED


def leaves(pool: Pool, worker: Worker) -> bool:
    """Whether the worker must get no new request: nobody serves a stopped pool."""
    return worker.draining or stopped(pool)


def endpoint(worker: Worker) -> Endpoint:
    return worker.name, worker.address, worker.port


def limits(known: Routing, answering: Collection[Target]) -> dict[Target, int]:
    """Those of the workers that answer."""
    return {target: worker.limit for target, worker in targets(known).items() if target in answering}


def targets(known: Routing) -> dict[Target, Worker]:
    return {(key, endpoint(worker)): worker for key, pool in known.pools.items() for worker in pool.workers}
