"""Which blow a lost request is due to, and which losses nothing explains. Pure.

A blow has a window: from the moment before it falls until what it hit is gone, or back. It explains a loss of a kind that it
may cause, of the pool that it hit, whose time touches the window. What no blow explains is the product's fault, also when a
blow that must cost nothing fell at that time: that one is the suspect, and has the loss in its row of the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tests.e2e.losses import Loss


class Kind(StrEnum):
    AGENT_KILLED = "agent killed"
    HAPROXY_KILLED = "HAProxy killed"
    LISTENER_DELETED = "listener deleted"
    LISTENER_KILLED = "listener without grace"
    OPERATOR_DELETED = "operator deleted"
    OPERATOR_KILLED = "operator without grace"
    WORKER_DELETED = "worker deleted"
    WORKER_KILLED = "worker without grace"
    RECYCLE = "recycle"


EXPLAINS: Mapping[Kind, frozenset[str]] = {
    Kind.HAPROXY_KILLED: frozenset({"connect", "reset", "cut"}),
    # Its address is gone with it: a SYN that was on its way is answered by nobody.
    Kind.LISTENER_KILLED: frozenset({"connect", "reset", "cut", "timeout"}),
    # 500: uvicorn's answer to a WebSocket that was about to be opened when SIGTERM came.
    Kind.WORKER_KILLED: frozenset({"502 WorkerLost", "reset", "cut", "closed 1012", "500"}),
    # uvicorn ends WebSockets at SIGTERM with a goodbye, which a word that crosses it may overtake.
    Kind.WORKER_DELETED: frozenset({"closed 1012", "cut"}),
}
"""Kinds of loss that a blow may cause; one that is not here may cause none."""

AFTERMATH = 3.0
"""Seconds after a window in which what was hit may still be met: kube-proxies hear of an address that is gone."""
NOTHING = "no blow at that time"


@dataclass(frozen=True, kw_only=True)
class Blow:
    """Times are those of `Loss`."""

    kind: Kind
    target: str
    host: str = ""
    """Of the pool that was hit; empty: the blow was to all."""
    begin: float
    end: float

    def meets(self, loss: Loss) -> bool:
        return self.begin <= loss.ended and loss.since <= self.end + AFTERMATH

    def explains(self, loss: Loss) -> bool:
        ours = self.host in ("", loss.host)
        return ours and loss.kind in EXPLAINS.get(self.kind, ()) and self.meets(loss)


@dataclass
class Row:
    count: int = 0
    failed: int = 0
    explained: int = 0


@dataclass(frozen=True)
class Attribution:
    rows: Mapping[str, Row]
    """By the kind of blow; the last is of losses when none fell."""
    unexplained: Sequence[Loss]

    def __str__(self) -> str:
        head = f"{'event':<24} {'count':>6} {'failed':>7} {'explained':>10}"
        return "\n".join(
            [head, *(f"{n:<24} {r.count:>6} {r.failed:>7} {r.explained:>10}" for n, r in self.rows.items())]
        )


def attribute(losses: Sequence[Loss], blows: Sequence[Blow]) -> Attribution:
    rows = {str(kind): Row() for kind in Kind} | {NOTHING: Row()}
    for blow in blows:
        rows[blow.kind].count += 1
    for loss in losses:
        explained = any(blow.explains(loss) for blow in blows)
        met = [blow for blow in blows if (blow.explains if explained else blow.meets)(loss)]
        row = rows[max(met, key=lambda b: b.begin).kind if met else NOTHING]
        row.failed += 1
        row.explained += explained
    return Attribution(rows, [loss for loss in losses if not any(blow.explains(loss) for blow in blows)])
