"""`startupTimeLimit`: a worker that does not answer in time is a failure, and is not waited for any longer.

Whatever the cause (image, scheduling, quota, a crash loop, a port nobody listens on), the failure's message names it.
"""

from __future__ import annotations

from datetime import datetime

from webgarden.policy import draining
from webgarden.policy.actions import Action, Fail, Retire
from webgarden.policy.view import PoolView, Reason, Worker

NEVER_ANSWERED = "it did not answer on its port"


def overdue(view: PoolView, worker: Worker, now: datetime) -> bool:
    """Nobody can tell without a listener, and each of them must have had the time: an operator that was away knows of
    workers which it has never seen answering."""
    end = deadline(view, worker)
    return end is not None and now >= end


def deadline(view: PoolView, worker: Worker) -> datetime | None:
    """When the worker will have taken too long; None when it has answered, or nobody can tell."""
    if worker.running_since is not None or worker.sought_since is None:
        return None
    return max(worker.created, worker.sought_since) + view.startup_time_limit


def failed(view: PoolView, now: datetime) -> list[Action]:
    """Drained before it ends: it may answer in this very moment."""
    if _replacing(view):
        return []
    actions = [
        action
        for worker in view.rotation
        if overdue(view, worker, now)
        for action in draining.leave(view, worker, now=now, reason=Reason.STARTUP_TIME_LIMIT, end=_end(worker))
    ]
    return actions or _uncreated(view, now)


def _replacing(view: PoolView) -> bool:
    """A worker that was taken out waits for its replacement, and `recycling` decides when that has failed. Ended here, it
    would leave no replica, and nothing that says why."""
    return any(
        w.leaving is not None and w.leaving.replace and w.draining_since is None and not w.terminating
        for w in view.workers
    )


def _end(worker: Worker) -> tuple[Action, ...]:
    cause = worker.trouble or worker.crash or NEVER_ANSWERED
    return (
        Fail(worker.name, Reason.STARTUP_TIME_LIMIT, cause, worker.created),
        Retire(worker.name, Reason.STARTUP_TIME_LIMIT),
    )


def _uncreated(view: PoolView, now: datetime) -> list[Action]:
    """Pods that the ReplicaSet cannot even create leave no pod to blame: the failure is the Deployment's."""
    current = view.current
    if current is None or len(view.fresh) >= current.replicas or not current.trouble:
        return []
    if now - current.scaled_at < view.startup_time_limit:
        return []
    return [Fail(current.name, Reason.STARTUP_TIME_LIMIT, current.trouble, current.scaled_at)]
