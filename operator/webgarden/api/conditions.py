"""Conditions as in KEP-1623: what is true of a resource, why, and since when.

Whoever judges a resource makes `Finding`s without a time; `merge` dates them. A condition's `lastTransitionTime` moves
only when its status changes, so that "not ready for ten minutes" can be told from "looked at a second ago". Conditions
that the new findings do not name are left out: under server-side apply that gives ours up and leaves those of other
managers alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field, WithJsonSchema

from webgarden.api.resource import Part, Time, clip

_TYPE = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)
_REASON = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
_LONG_MESSAGE = Annotated[str, clip(32768), WithJsonSchema({"type": "string", "maxLength": 32768})]


class Truth(StrEnum):
    """The status of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Finding(Part):
    """A condition before it has a time."""

    type: str = Field(pattern=_TYPE, max_length=316)
    """What it is about, in CamelCase."""
    status: Truth
    """True, False, or Unknown until it has been looked at."""
    reason: str = Field(pattern=_REASON, min_length=1, max_length=1024)
    """Why, as one CamelCase word."""
    message: _LONG_MESSAGE = ""
    """Why, as a sentence."""
    observed_generation: int | None = Field(default=None, ge=0)
    """The generation of the resource that was judged."""


class Condition(Finding):
    """One aspect of a resource's state."""

    last_transition_time: Time
    """When the status changed last."""


def merge(old: Iterable[Condition], new: Iterable[Finding], now: datetime) -> tuple[Condition, ...]:
    """`new` with times: the one in `old` where the status is the same, else `now`. In the order of `new`."""
    known = {condition.type: condition for condition in old}
    return tuple(_dated(finding, known.get(finding.type), now) for finding in new)


def _dated(finding: Finding, before: Condition | None, now: datetime) -> Condition:
    same = before is not None and before.status == finding.status
    since = before.last_transition_time if before is not None and same else now
    fields = {name: getattr(finding, name) for name in Finding.model_fields}
    return Condition(**fields, last_transition_time=since)
