"""Every message of the link, as frozen models, and the two functions that put them on the wire."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

PROTOCOL = 2


class LinkError(Exception):
    """A frame that is no message of this protocol."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PoolState(StrEnum):
    """What the listener does with a request for the pool."""

    STARTED = "Started"
    """Queue it, for a worker that has a place or for the first one."""
    STOPPED = "Stopped"
    """Answer 503 at once, and everything that waits too. `Pool.reason` says why."""


class WorkerState(StrEnum):
    """What the operator asks of a listener for one worker."""

    ACTIVE = "Active"
    """Give it requests as soon as it answers."""
    DRAINING = "Draining"
    """Give it no new request; say when none is running any more."""


class WorkerStatus(StrEnum):
    """Where a worker stands in one listener."""

    WAITING = "Waiting"
    """Known, but it has not answered on its port yet."""
    SERVING = "Serving"
    DOWN = "Down"
    """It answered once, and does not any more."""
    DRAINING = "Draining"
    """Gets no new request; some are still running."""
    DRAINED = "Drained"
    """Gets no new request, and none is running: as far as this listener goes, it may be deleted."""


class Affinity(StrEnum):
    """Whether the requests of one client go to one worker."""

    NONE = "None"
    COOKIE = "Cookie"
    """By a cookie of the listener, for as long as that worker takes requests."""


class Worker(_Model):
    """One worker process (a pod) of a pool."""

    name: str
    address: str
    port: int
    state: WorkerState = WorkerState.ACTIVE


class Pool(_Model):
    """Limits are the pool's totals: each listener takes its share by the number of listeners it was told."""

    key: str
    """`namespace/name`, also of a site."""
    version: int = 0
    """Of this pool; grows with each change."""
    state: PoolState = PoolState.STARTED
    reason: str = ""
    """With `Stopped`: the value of the `X-Webgarden-Reason` header."""
    retry_after: int = 0
    """With `Stopped`: seconds for the `Retry-After` header; 0 sends none."""
    queue_limit: int = 1000
    """Most requests that wait."""
    queue_timeout: int = 120
    """Seconds that a request may wait."""
    worker_limit: int = 100
    """Most requests in one worker at a time."""
    workers: tuple[Worker, ...] = ()


class Binding(_Model):
    port: int
    host: str = ""
    """Lower case; exact, `*.example.com`, or empty for any."""


class Application(_Model):
    path: str
    """`/`, or `/a/b` without a slash at its end."""
    pool: str
    """Key of a pool. One that is in no table is answered with 503 and the reason `PoolMissing`."""
    affinity: Affinity = Affinity.NONE


class Site(_Model):
    key: str
    version: int = 0
    """Of this site; grows with each change."""
    bindings: tuple[Binding, ...]
    """Those that this site has won; the operator settles conflicts."""
    applications: tuple[Application, ...]
    requires: tuple[str, ...] = ()
    """Features (`FEATURES`) without which this site must not be served: a listener that lacks one refuses the site."""


FEATURES = frozenset({"affinity"})
"""What a listener of this release can do besides the first protocol's; a site names those that it needs."""


class WorkerReport(_Model):
    name: str
    state: WorkerStatus
    in_flight: int = 0
    requests: int = 0
    """That this listener's HAProxy gave to the worker; a total by `boot`."""


class PoolReport(_Model):
    """The listener's view of one pool: a level, never an event, so the newest one is the whole truth."""

    key: str
    version: int
    """The pool's version that HAProxy has: a `Drained` counts only when it is not older than the version which asked
    for it."""
    boot: str
    """Of HAProxy. Another one when its totals have begun at zero again; totals of several boots add up."""
    queued: int = 0
    """Requests that wait now, the one that rings among them."""
    rejected: int = 0
    """Requests refused with 503 because the queue was full or the wait too long; a total by `boot`."""
    workers: tuple[WorkerReport, ...] = ()


class SiteReport(_Model):
    key: str
    version: int
    """The site's version that HAProxy has, or that this listener refuses."""
    refused: str = ""
    """Why this listener does not serve the site, in words for its administrator."""


class Hello(_Model):
    kind: Literal["Hello"] = "Hello"
    protocol: int = PROTOCOL
    listener: str
    """Name of the listener's pod."""


class Refusal(_Model):
    kind: Literal["Refusal"] = "Refusal"
    reason: str


class Table(_Model):
    kind: Literal["Table"] = "Table"
    listeners: int = 1
    """Among which limits are divided."""
    pools: tuple[Pool, ...] = ()
    sites: tuple[Site, ...] = ()


class Change(_Model):
    kind: Literal["Change"] = "Change"
    pools: tuple[Pool, ...] = ()
    sites: tuple[Site, ...] = ()
    removed_pools: tuple[str, ...] = ()
    removed_sites: tuple[str, ...] = ()


class Listeners(_Model):
    kind: Literal["Listeners"] = "Listeners"
    count: int
    """Among which limits are divided from now on."""


class Demand(_Model):
    kind: Literal["Demand"] = "Demand"
    pool: str


class Report(_Model):
    """What changed, by subject; one frame may carry many."""

    kind: Literal["Report"] = "Report"
    pools: tuple[PoolReport, ...] = ()
    sites: tuple[SiteReport, ...] = ()


Message = Hello | Refusal | Table | Change | Listeners | Demand | Report

_ADAPTER: TypeAdapter[Message] = TypeAdapter(Annotated[Message, Field(discriminator="kind")])


def encode(message: Message) -> str:
    """One message as one JSON text."""
    return message.model_dump_json()


def decode(text: str | bytes) -> Message:
    """The message in a frame.

    Raises `LinkError` for anything that is not one, in words for a log.
    """
    try:
        return _ADAPTER.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise LinkError(f"not a message of the link: {first['msg']} {where}".strip()) from error
