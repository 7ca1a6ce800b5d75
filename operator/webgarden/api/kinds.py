"""The kinds of the group: how each is named, scoped, printed and scaled.

One table, for the CRD generator and for whoever needs the path of a resource.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from webgarden.api.pool import ApplicationPool
from webgarden.api.resource import Resource
from webgarden.api.site import Site
from webgarden.api.webserver import WebServer


class Column(NamedTuple):
    """A column of `kubectl get`; a wide one is shown with `-o wide` alone."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False


class Scale(NamedTuple):
    """Paths of the scale subresource."""

    spec_replicas: str
    status_replicas: str
    selector: str


@dataclass(frozen=True, kw_only=True)
class Kind:
    model: type[Resource]
    plural: str
    short_names: tuple[str, ...] = ()
    namespaced: bool = True
    columns: tuple[Column, ...] = ()
    scale: Scale | None = None

    @property
    def name(self) -> str:
        return self.model.__name__


_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_READY = Column("Ready", '.status.conditions[?(@.type=="Ready")].status')
_WHY = Column("Reason", '.status.conditions[?(@.type=="Ready")].reason')

APPLICATION_POOL = Kind(
    model=ApplicationPool,
    plural="applicationpools",
    short_names=("pool", "apppool"),
    columns=(
        Column("State", ".status.state"),
        Column("Ready", ".status.readyReplicas", "integer"),
        Column("Max", ".spec.processModel.maxProcesses", "integer"),
        Column("Queue", ".status.queue.length", "integer"),
        Column("Recycles", ".status.recycles", "integer"),
        Column("Reason", ".status.reason"),
        _AGE,
        Column("Image", ".spec.worker.image", wide=True),
        Column("Idle", ".spec.processModel.idleTimeout", wide=True),
    ),
    scale=Scale(".spec.processModel.maxProcesses", ".status.replicas", ".status.selector"),
)
SITE = Kind(
    model=Site,
    plural="sites",
    columns=(_READY, Column("URL", ".status.urls[0]"), _WHY, _AGE),
)
WEB_SERVER = Kind(
    model=WebServer,
    plural="webservers",
    namespaced=False,
    columns=(
        _READY,
        Column("Listeners", ".status.listeners", "integer"),
        Column("Wanted", ".spec.listener.replicas", "integer"),
        _WHY,
        _AGE,
    ),
)
KINDS = (APPLICATION_POOL, SITE, WEB_SERVER)
