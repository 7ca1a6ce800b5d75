"""What reconciling needs of the outside, as protocols: the cluster, the link, and the recorder of Events."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import webgarden_link as link

Body = dict[str, Any]
HostPort = tuple[str, int]
"""What a binding of a Site claims."""


class Kind(StrEnum):
    """Kinds that are watched or written."""

    POOL = "ApplicationPool"
    SITE = "Site"
    WEB_SERVER = "WebServer"
    DEPLOYMENT = "Deployment"
    POD = "Pod"
    SERVICE = "Service"
    SERVICE_ACCOUNT = "ServiceAccount"
    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"
    DISRUPTION_BUDGET = "PodDisruptionBudget"
    CLUSTER_ROLE = "ClusterRole"


@dataclass(frozen=True, order=True)
class Key:
    """One object; the key of the work queue as well."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.path}"

    @property
    def path(self) -> str:
        """`namespace/name`, as the link names pools and sites."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Refused(Exception):
    """The API server refused an object for what is in it. Trying again is of no use; the message says why."""


class Store(Protocol):
    """What the watches know, read only. Bodies are shared: nobody changes them."""

    def get(self, key: Key) -> Body | None: ...
    def all(self, kind: Kind, namespace: str | None = None) -> list[Body]: ...
    def of_pool(self, kind: Kind, pool: Key) -> list[Body]:
        """Pods or Deployments that carry the pool's label; Sites that name it."""
        ...

    def claiming(self, binding: HostPort) -> list[Body]:
        """Sites that name it."""
        ...


class Writer(Protocol):
    """Writes to the API server. Each puts the answer into the store, so that the next look sees it."""

    async def get(self, key: Key) -> Body | None: ...
    async def apply(self, manifest: Body) -> Body:
        """Server-side apply. Raises `Refused`."""
        ...

    async def create(self, manifest: Body) -> Body | None:
        """None when there is one of that name already. Raises `Refused`."""
        ...

    async def patch(self, key: Key, patch: Body) -> Body | None:
        """JSON merge patch. None when the object is gone."""
        ...

    async def write_status(self, body: Body, status: Body) -> None: ...
    async def delete(self, key: Key, *, uid: str, grace_seconds: int | None = None) -> None:
        """Gone already is fine, and so is another object of that name: nothing is deleted then."""
        ...


@dataclass(frozen=True)
class Event:
    reason: str
    message: str
    was_id: int = 0
    """Of the Windows event that means the same; 0: there is none."""
    warning: bool = False


class Recorder(Protocol):
    """Events, on transitions only."""

    async def record(self, about: Body, event: Event) -> None: ...


@dataclass(frozen=True)
class WorkerFacts:
    """What the listeners say of one worker, all together."""

    sought_since: datetime | None = None
    """Since when all connected ones have it in their table; None while one has not said so, or none is connected."""
    seen: bool = False
    """At least one gives it requests, or did before it was drained."""
    serving: bool = False
    """All connected ones give it requests."""
    down: bool = False
    """At least one had its answer once, and has none any more."""
    drained: bool = False
    in_flight: int = 0
    requests: int = 0
    last_activity: datetime | None = None


@dataclass(frozen=True)
class PoolFacts:
    """What the listeners say of one pool, all together."""

    demand: bool = False
    queued: int = 0
    rejected: int = 0
    workers: dict[str, WorkerFacts] = field(default_factory=dict)


@dataclass(frozen=True)
class SiteFacts:
    """What the listeners say of one site as it is now, all together."""

    live: bool = False
    """All connected ones have it, or all had it once."""
    refusals: dict[str, str] = field(default_factory=dict)
    """Listener -> why it does not serve the site, in its own words."""


class Link(Protocol):
    """The operator's end of the link."""

    def pool_facts(self, pool: str, leaving: Collection[str] = ()) -> PoolFacts:
        """`leaving`: listeners on their way out. They take no new worker; what they still run there is waited for."""
        ...

    def site_facts(self, site: str) -> SiteFacts: ...
    def connected(self) -> frozenset[str]:
        """Names of the listener pods that are connected."""
        ...

    def publish_listeners(self, count: int) -> None:
        """Among how many the limits are divided."""
        ...

    def publish_pool(self, pool: link.Pool) -> None: ...
    def publish_site(self, site: link.Site) -> None: ...
    def remove_pool(self, key: str) -> None: ...
    def remove_site(self, key: str) -> None: ...


Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Outside:
    """All of it, for whoever looks at resources."""

    store: Store
    writer: Writer
    link: Link
    recorder: Recorder
    clock: Clock
