"""What a policy may ask for. Everything but `Drain` happens once; `Drain` is a level: it holds while it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from webgarden.policy.view import Reason


@dataclass(frozen=True)
class Drain:
    """Give the worker no more requests. Not asked for again: it gets requests again."""

    worker: str
    reason: Reason


@dataclass(frozen=True)
class TakeOut:
    """Relabel the worker out of its ReplicaSet, which makes another at once. It goes on serving until it is drained."""

    worker: str
    reason: Reason
    replace: bool = True
    """False: what is made in its place is not meant to replace it."""


@dataclass(frozen=True)
class PutBack:
    """Undo `TakeOut`: the ReplicaSet takes the worker back and removes the replacement that never came up."""

    worker: str


@dataclass(frozen=True)
class Retire:
    """End a drained worker, and do not replace it now."""

    worker: str
    reason: Reason
    replace: bool = False
    """A replacement follows when this one is gone (recycling without overlap)."""


@dataclass(frozen=True)
class Discard:
    """Delete the pod; its ReplicaSet, if it has one, makes another at once."""

    worker: str
    reason: Reason


@dataclass(frozen=True)
class Fail:
    """Count a failure, once: not when one of this kind and worker is known from `since` or later."""

    worker: str
    kind: Reason
    message: str
    since: datetime


@dataclass(frozen=True)
class Recycled:
    """Count a recycle that has come to its end."""

    worker: str
    reason: Reason
    failed: str = ""
    """Why it came to nothing: the old worker goes on."""


Action = Drain | TakeOut | PutBack | Retire | Discard | Fail | Recycled
