"""One request that failed, as the client saw it. What the load client writes and `attribution` reads."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Times are `time.monotonic()`, which all processes of a machine share."""

    since: float
    """When the connection was last known to be well: before it was opened, or its answer before this one. It may have
    been cut at any time from then on."""
    ended: float
    host: str
    label: str
    kind: str
    """As in `load`."""
    detail: str
    identity: str = ""
    """Of a POST, as its worker writes it down."""

    def __str__(self) -> str:
        return f"{self.label} {self.host} {self.kind}: {self.detail}"
