"""Every message of the link, as frozen models, and the two functions that put them on the wire."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

PROTOCOL = 1


class LinkError(Exception):
    """A frame that is no message of this protocol."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class PoolState(StrEnum):
    """What the listener does with a request for the pool."""

    STARTED = "Started"
    """Queue it: for a worker, or behind the gate while there is none."""
    STOPPED = "Stopped"
    """Answer 503 at once, and everything that waits too. `Pool.reason` says why."""


class WorkerState(StrEnum):
    """Where a worker stands in one listener."""

    WAITING = "Waiting"
    """Known, but it does not answer on its port yet."""
    SERVING = "Serving"
    DRAINING = "Draining"
    """Gets no new request; some are still running."""
    DRAINED = "Drained"
    """Gets no new request, and none is running: as far as this listener goes, it may be deleted."""


class Worker(_Model):
    """One worker process (a pod) of a pool."""

    name: str
    address: str
    port: int
    limit: int
    """Most requests at a time from one listener: the pool's limit divided by the listeners."""
    draining: bool = False


class Pool(_Model):
    key: str
    """`namespace/name`, also of a site."""
    state: PoolState = PoolState.STARTED
    reason: str = ""
    """With `Stopped`: the value of the `X-Webgarden-Reason` header."""
    retry_after: int = 0
    """With `Stopped`: seconds for the `Retry-After` header; 0 sends none."""
    queue_limit: int = 1000
    """Most requests that wait in one listener."""
    queue_timeout: int = 120
    """Seconds that a request may wait."""
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


class Site(_Model):
    key: str
    bindings: tuple[Binding, ...]
    """Those that this site has won; the operator settles conflicts."""
    applications: tuple[Application, ...]


class WorkerReport(_Model):
    name: str
    state: WorkerState
    in_flight: int = 0
    requests: int = 0


class Hello(_Model):
    kind: Literal["Hello"] = "Hello"
    protocol: int = PROTOCOL
    listener: str
    """Name of the listener's pod."""
    boot: str
    """Another one whenever the listener's totals begin at zero again."""


class Refusal(_Model):
    kind: Literal["Refusal"] = "Refusal"
    reason: str


class Table(_Model):
    kind: Literal["Table"] = "Table"
    version: int
    pools: tuple[Pool, ...] = ()
    sites: tuple[Site, ...] = ()


class Change(_Model):
    kind: Literal["Change"] = "Change"
    version: int
    pools: tuple[Pool, ...] = ()
    sites: tuple[Site, ...] = ()
    removed_pools: tuple[str, ...] = ()
    removed_sites: tuple[str, ...] = ()


class Applied(_Model):
    kind: Literal["Applied"] = "Applied"
    version: int


class Failed(_Model):
    kind: Literal["Failed"] = "Failed"
    version: int
    error: str


class Demand(_Model):
    kind: Literal["Demand"] = "Demand"
    pool: str


class Report(_Model):
    kind: Literal["Report"] = "Report"
    pool: str
    version: int
    """The table's version that this listener has applied: a `Drained` counts only when it is not older
    than the version which asked for it."""
    queued: int = 0
    """Requests that wait now, the one in the gate's hands among them."""
    rejected: int = 0
    """Requests refused with 503 because the queue was full or the wait too long; a total."""
    workers: tuple[WorkerReport, ...] = ()


Message = Hello | Refusal | Table | Change | Applied | Failed | Demand | Report

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
