"""The order of the policies, and the one decision they make together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from webgarden.policy import backoff, crashing, demand, idling, recycling, revising, starting, stopping
from webgarden.policy.actions import Action, Drain, Retire, TakeOut
from webgarden.policy.replicas import replicas
from webgarden.policy.view import PoolView, Reason

UNWANTED = frozenset({Reason.IDLE_TIMEOUT, Reason.STARTUP_TIME_LIMIT})
"""Who leaves for one of these is not replaced: the pool wants fewer from then on."""


@dataclass(frozen=True)
class Decision:
    actions: tuple[Action, ...]
    wanted: int
    """Workers that the pool wants after this look."""
    replicas: dict[str, int]
    """Revision -> replicas."""
    paused_until: datetime | None
    """The pool does not come up and has no worker: waiting requests are refused until then."""
    next_look: datetime | None

    @property
    def drained(self) -> frozenset[str]:
        """Workers that get no new requests."""
        return frozenset(a.worker for a in self.actions if isinstance(a, Drain))


def decide(view: PoolView, now: datetime) -> Decision:
    wanted = demand.wanted(view, now)
    actions = _claimed(
        crashing.crashed(view, now),
        stopping.stopped(view, now),
        recycling.recycled(view, now, wanted),
        starting.failed(view, now),
        revising.revised(view, now, wanted),
        stopping.surplus(view, now, wanted),
        idling.idle(view, now),
    )
    retired = frozenset(a.worker for a in actions if isinstance(a, Retire))
    if any(isinstance(a, Retire) and a.reason in UNWANTED for a in actions):
        wanted = min(wanted, sum(w.name not in retired for w in view.rotation))
    pause = backoff.until(view)
    return Decision(
        actions=actions,
        wanted=wanted,
        replicas=replicas(view, wanted=wanted, retired=retired, now=now),
        paused_until=pause if pause is not None and now < pause and not view.able else None,
        next_look=_next_look(view, now),
    )


def held_up(view: PoolView, now: datetime) -> bool:
    """Whether a worker would be on its way out if every listener that is alive were connected."""
    if view.listeners_complete:
        return False
    heard = decide(replace(view, listeners_complete=True), now)
    return any(isinstance(action, Drain | TakeOut) for action in heard.actions)


def _claimed(*policies: list[Action]) -> tuple[Action, ...]:
    """Each worker belongs to the first policy that names it."""
    owners: dict[str, int] = {}
    return tuple(
        action
        for rank, actions in enumerate(policies)
        for action in actions
        if owners.setdefault(action.worker, rank) == rank
    )


def _next_look(view: PoolView, now: datetime) -> datetime | None:
    """The first moment at which time alone changes the decision."""
    return min((time for time in _deadlines(view) if time > now), default=None)


def _deadlines(view: PoolView) -> Iterable[datetime]:
    if (pause := backoff.until(view)) is not None:
        yield pause
    if view.recycle_before is not None:
        yield view.recycle_before
    if (current := view.current) is not None and len(view.fresh) < current.replicas:
        yield current.scaled_at + view.startup_time_limit
    for worker in view.workers:
        if (end := starting.deadline(view, worker)) is not None:
            yield end
        if worker.draining_since is not None:
            yield worker.draining_since + view.shutdown_time_limit
        if worker.leaving is not None:
            yield worker.leaving.since + view.startup_time_limit
        if (since := idling.idle_since(view, worker)) is not None:
            yield since + view.idle_timeout
