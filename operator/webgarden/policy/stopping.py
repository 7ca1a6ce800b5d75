"""Fewer workers by the administrator's wish: the pool was stopped, or `maxProcesses` was lowered."""

from __future__ import annotations

from datetime import datetime

from webgarden.policy import draining
from webgarden.policy.actions import Action, Recycled, Retire
from webgarden.policy.view import PoolView, Reason, Worker


def stopped(view: PoolView, now: datetime) -> list[Action]:
    if view.started:
        return []
    return [
        action
        for worker in view.workers
        if not worker.terminating
        for action in draining.leave(view, worker, now=now, reason=Reason.STOPPED, end=_end(worker))
    ]


def _end(worker: Worker) -> tuple[Action, ...]:
    retire = Retire(worker.name, Reason.STOPPED)
    if worker.leaving is not None and worker.leaving.replace:
        return (retire, Recycled(worker.name, worker.leaving.reason))
    return (retire,)


def surplus(view: PoolView, now: datetime, wanted: int) -> list[Action]:
    """The youngest go, those that do not run yet before those that do: they have the least in hand."""
    extra = len(view.fresh) + len(view.outdated) - wanted
    if extra <= 0 or view.outdated:
        return []
    order = sorted(view.fresh, key=lambda w: (w.running_since is not None, -w.created.timestamp(), w.name))
    return [
        action
        for worker in order[:extra]
        for action in draining.leave(
            view, worker, now=now, reason=Reason.SURPLUS, end=(Retire(worker.name, Reason.SURPLUS),)
        )
    ]
