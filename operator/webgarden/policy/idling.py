"""`idleTimeout`: a worker with nothing to do for that long leaves, and the pool sleeps when the last one has left.

A request that comes while it drains makes it not idle, so the drain is not asked for again and it serves on. A listener
that is alive but not connected might be giving out requests, so nothing idles out while there is one.
"""

from __future__ import annotations

from datetime import datetime

from webgarden.policy.actions import Action, Drain, Retire
from webgarden.policy.view import PoolView, Reason, Worker


def idle_since(view: PoolView, worker: Worker) -> datetime | None:
    """Since when the worker has had nothing to do; None while it works, or where idling does not apply."""
    if view.always_running or not view.idle_timeout or worker.running_since is None or worker.in_flight:
        return None
    return worker.active_at(view.begun)


def idle(view: PoolView, now: datetime) -> list[Action]:
    if view.queued or view.demand or not view.listeners_complete:
        return []
    actions: list[Action] = []
    for worker in view.rotation:
        since = idle_since(view, worker)
        if since is None or now - since < view.idle_timeout:
            continue
        actions.append(Drain(worker.name, Reason.IDLE_TIMEOUT))
        if worker.drained:
            actions.append(Retire(worker.name, Reason.IDLE_TIMEOUT))
    return actions
