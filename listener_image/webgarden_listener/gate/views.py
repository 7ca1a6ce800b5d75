"""What agent and gate tell each other, one JSON object a line over a unix socket. Pure.

Both say levels, never events: what is now, so that a line that is lost with its connection is made good by the next.
The agent speaks first on each connection, with `whole`; the gate answers with every pool that it knows something of.
Each of the agent's lines has a number, which the gate repeats (`Obeyed`) when all that it says from then on is under
those orders: what it holds may have changed while they were under way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


class ViewError(Exception):
    """A line that is none of these."""


@dataclass(frozen=True)
class WorkerView:
    """A worker, as the agent sees it. One that is not in its pool's view any more is cut off."""

    name: str
    address: str
    port: int
    room: int
    """How many requests may be in it past HAProxy."""

    @property
    def endpoint(self) -> tuple[str, str, int]:
        return self.name, self.address, self.port


@dataclass(frozen=True)
class PoolView:
    queue_timeout: int
    stopped: str = ""
    """The reason, for a pool that is stopped."""
    retry_after: int = 0
    workers: tuple[WorkerView, ...] = ()


@dataclass(frozen=True)
class Orders:
    """From the agent: the pools that differ (None: it went), or all there are when `whole`."""

    whole: bool
    pools: Mapping[str, PoolView | None]
    number: int = 0


@dataclass(frozen=True)
class Obeyed:
    """From the gate, after what these orders changed in its hands."""

    obeyed: int


@dataclass(frozen=True)
class Hand:
    """From the gate: what it has in its hands of one pool."""

    pool: str
    waiting: int = 0
    spliced: Mapping[str, int] = field(default_factory=dict)
    """Requests that run through the gate, by worker."""
    requests: Mapping[str, int] = field(default_factory=dict)
    """All that ever ran through it, by worker; a total since `boot`."""
    rejected: int = 0
    """All that waited too long in its hands; a total since `boot`."""
    boot: str = ""


def encode(view: Orders | Hand | Obeyed) -> bytes:
    return json.dumps(asdict(view), separators=(",", ":")).encode() + b"\n"


def orders(line: bytes) -> Orders:
    """Raises `ViewError`."""
    try:
        said = json.loads(line)
        pools = {key: pool_view(view) if view is not None else None for key, view in said["pools"].items()}
        return Orders(bool(said["whole"]), pools, int(said["number"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ViewError(repr(error)) from error


def pool_view(said: dict[str, Any]) -> PoolView:
    workers = tuple(WorkerView(**worker) for worker in said.pop("workers"))
    return PoolView(**said, workers=workers)


def answer(line: bytes) -> Hand | Obeyed:
    """Raises `ViewError`."""
    try:
        said = json.loads(line)
        return Obeyed(**said) if "obeyed" in said else Hand(**said)
    except (ValueError, TypeError) as error:
        raise ViewError(repr(error)) from error
