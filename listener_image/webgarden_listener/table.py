"""The table that the operator last sent, as this listener knows it: pools and sites by key.

Names and numbers become words of a configuration, of maps and of commands, so what HAProxy could read as something else
is left out here, once, and named in `refused`: one bad resource never affects another, and nothing past this module has
to quote. That every word stays in its line is checked again where it is written: see `haproxy.commands`.

A site that requires a feature this listener lacks is refused as a whole: it is never served without the rule.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from webgarden_link import (
    FEATURES,
    Affinity,
    Application,
    Binding,
    Change,
    Listeners,
    Pool,
    PoolState,
    Site,
    Table,
    Worker,
    WorkerState,
)

KEY = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
HOST = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")
NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
PATH = re.compile(r"/[^\s;\"'\\#?\x00-\x1f\x7f-\x9f\ud800-\udfff]{0,1000}")

LONGEST_WAIT = 1_000_000
"""Seconds; HAProxy counts milliseconds in 31 bits, and takes 0 for ever."""
LARGEST = 2**31 - 1

Endpoint = tuple[str, str, int]
"""Name, address and port of a worker: another address under the same name is another worker."""
Target = tuple[str, Endpoint]
"""A pool and one of its workers."""


@dataclass
class Touched:
    """What a message concerns."""

    pools: set[str] = field(default_factory=set)
    sites: set[str] = field(default_factory=set)


class Routing:
    """What the operator wants. It is changed by messages alone."""

    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self.sites: dict[str, Site] = {}
        """Those that are served."""
        self.refused: dict[str, tuple[int, str]] = {}
        """Sites that are not served: their version, and why."""
        self.listeners = 1
        self.workers = 0
        """How many there are, of all pools."""
        self._sites_of: defaultdict[str, set[str]] = defaultdict(set)
        self._affine_for: defaultdict[str, set[str]] = defaultdict(set)

    def take(self, message: Table | Change | Listeners) -> Touched:
        """Everything that may have to be done anew because of a message."""
        touched = Touched()
        match message:
            case Listeners():
                self._count(message.count, touched)
            case Table():
                self._count(message.listeners, touched)
                for site in self.sites.keys() | self.refused.keys():
                    self._remove_site(site, touched)
                for pool in list(self.pools):
                    self._remove_pool(pool, touched)
                self._put(message.pools, message.sites, touched)
            case Change():
                for pool in message.removed_pools:
                    self._remove_pool(pool, touched)
                for site in message.removed_sites:
                    self._remove_site(site, touched)
                self._put(message.pools, message.sites, touched)
        return touched

    def table(self) -> Table:
        """The message that would make this routing, but for what is refused."""
        return Table(listeners=self.listeners, pools=tuple(self.pools.values()), sites=tuple(self.sites.values()))

    def affine(self, pool: str) -> bool:
        """Whether the pool's clients keep to their workers: one application that wants it is enough."""
        return bool(self._affine_for.get(pool))

    def share(self, total: int) -> int:
        """This listener's part of a limit, rounded up: each counts its own requests."""
        return max(1, math.ceil(total / self.listeners))

    def _count(self, listeners: int, touched: Touched) -> None:
        if listeners != self.listeners:
            self.listeners = max(1, listeners)
            touched.pools |= self.pools.keys()

    def _put(self, pools: Iterable[Pool], sites: Iterable[Site], touched: Touched) -> None:
        for pool in pools:
            if KEY.fullmatch(pool.key):
                self._remove_pool(pool.key, touched)
                self.pools[pool.key] = clean(pool)
                self.workers += len(self.pools[pool.key].workers)
        for site in sites:
            if KEY.fullmatch(site.key):
                self._put_site(clean_site(site), touched)

    def _remove_pool(self, key: str, touched: Touched) -> None:
        touched.pools.add(key)
        pool = self.pools.pop(key, None)
        self.workers -= len(pool.workers) if pool else 0

    def _put_site(self, site: Site, touched: Touched) -> None:
        self._remove_site(site.key, touched)
        lacking = sorted(set(site.requires) - FEATURES)
        if lacking:
            self.refused[site.key] = (site.version, f"this listener does not know {', '.join(lacking)}: upgrade it")
            return
        self.sites[site.key] = site
        for one in site.applications:
            self._sites_of[one.pool].add(site.key)
            if one.affinity is Affinity.COOKIE:
                self._bind(one.pool, site.key, touched)

    def _remove_site(self, key: str, touched: Touched) -> None:
        touched.sites.add(key)
        self.refused.pop(key, None)
        site = self.sites.pop(key, None)
        for pool in {one.pool for one in site.applications} if site else ():
            self._sites_of[pool].discard(key)
            if key in self._affine_for.get(pool, ()):
                self._affine_for[pool].discard(key)
                self._moved(pool, touched)

    def _bind(self, pool: str, site: str, touched: Touched) -> None:
        self._affine_for[pool].add(site)
        self._moved(pool, touched)

    def _moved(self, pool: str, touched: Touched) -> None:
        """The pool may have another backend now, which every site that names it must say."""
        touched.pools.add(pool)
        touched.sites |= self._sites_of[pool]


def clean(pool: Pool) -> Pool:
    workers = {worker.name: worker for worker in pool.workers if fit(worker)}
    return pool.model_copy(
        update={
            "workers": tuple(workers.values()),
            "reason": pool.reason if WORD.fullmatch(pool.reason) else ("Stopped" if stopped(pool) else ""),
            "queue_timeout": between(1, pool.queue_timeout, LONGEST_WAIT),
            "queue_limit": between(0, pool.queue_limit, LARGEST),
            "worker_limit": between(1, pool.worker_limit, LARGEST),
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
    return 0 < worker.port < 65536 and bool(NAME.fullmatch(worker.name)) and is_address(worker.address)


def is_address(text: str) -> bool:
    try:
        return "%" not in str(ipaddress.ip_address(text))  # a zone may be any text
    except ValueError:
        return False


def bound(binding: Binding) -> bool:
    return 0 < binding.port < 65536 and (not binding.host or bool(HOST.fullmatch(binding.host)))


def placed(application: Application) -> bool:
    return bool(PATH.fullmatch(application.path) and KEY.fullmatch(application.pool))


def refused(message: Table | Change | Listeners) -> list[str]:
    """What a `Routing` leaves out of a message, in words for a log."""
    if isinstance(message, Listeners):
        return []
    pools, sites = message.pools, message.sites
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
    return worker.state is WorkerState.DRAINING or stopped(pool)


def endpoint(worker: Worker) -> Endpoint:
    return worker.name, worker.address, worker.port
