"""The table that the operator last sent, as this listener knows it: pools and sites by key. Pure.

Names become words of a configuration, of a map and of commands, so what does not look like a name is left out here,
once, and named in `refused`: one bad resource never affects another, and nothing past this module has to quote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from webgarden_link import Change, Pool, PoolState, Site, Table, Worker

KEY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
ADDRESS = re.compile(r"[0-9a-fA-F:.]+")

LONGEST_WAIT = 1_000_000
"""Seconds; HAProxy counts milliseconds in 31 bits, and takes 0 for ever."""

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
    sites = {site.key: site for site in table.sites if KEY.fullmatch(site.key)}
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
    workers = tuple(worker for worker in pool.workers if fit(worker))
    timeout = min(max(pool.queue_timeout, 1), LONGEST_WAIT)
    reason = pool.reason if WORD.fullmatch(pool.reason) else ("Stopped" if pool.state is PoolState.STOPPED else "")
    return pool.model_copy(update={"workers": workers, "reason": reason, "queue_timeout": timeout})


def fit(worker: Worker) -> bool:
    named = NAME.fullmatch(worker.name) and ADDRESS.fullmatch(worker.address)
    return bool(named) and 0 < worker.port < 65536 and worker.limit > 0


def refused(pools: Sequence[Pool], sites: Sequence[Site]) -> list[str]:
    """What `routing` leaves out, in words for a log."""
    names = [*(pool.key for pool in pools), *(site.key for site in sites)]
    keys = [f"pool or site {name!r}" for name in names if not KEY.fullmatch(name)]
    workers = [f"worker {worker.name!r} of {pool.key}" for pool in pools for worker in pool.workers if not fit(worker)]
    hosts = [
        f"host {binding.host!r} of {site.key}"
        for site in sites
        for binding in site.bindings
        if binding.host and not HOST.fullmatch(binding.host)
    ]
    return keys + workers + hosts


def stopped(pool: Pool) -> bool:
    return pool.state is PoolState.STOPPED


def leaves(pool: Pool, worker: Worker) -> bool:
    """Whether the worker must get no new request: nobody serves a stopped pool."""
    return worker.draining or stopped(pool)


def endpoint(worker: Worker) -> Endpoint:
    return worker.name, worker.address, worker.port


def targets(known: Routing) -> dict[Target, Worker]:
    return {(key, endpoint(worker)): worker for key, pool in known.pools.items() for worker in pool.workers}
