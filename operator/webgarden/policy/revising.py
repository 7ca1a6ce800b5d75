"""A changed template: workers move to the new revision one by one, new one first, drained like any recycle.

The new revision grows in `replicas`; here, old workers are told to go as soon as there are more workers than wanted. What
makes it level-triggered is that nothing is remembered: an old worker is one whose label is not the current revision.
"""

from __future__ import annotations

from datetime import datetime

from webgarden.policy import draining
from webgarden.policy.actions import Action, Recycled, Retire
from webgarden.policy.view import PoolView, Reason, Worker


def revised(view: PoolView, now: datetime, wanted: int) -> list[Action]:
    if not view.outdated:
        return []
    if any(w.draining_since is None and w.leaving is not None for w in view.workers):
        return []
    serving = sum(w.serving for w in view.fresh)
    excess = len(view.outdated) + serving - wanted if view.overlap else 1
    if excess <= 0:
        return []
    if not view.overlap and serving < len(view.fresh):
        return []  # the last replacement is not there yet
    order = sorted(
        view.outdated, key=lambda w: (w.draining_since is None, w.running_since is not None, w.created, w.name)
    )
    return [
        action
        for worker in order[:excess]
        for action in draining.leave(
            view,
            worker,
            now=now,
            reason=Reason.CONFIG_CHANGE,
            end=_end(worker),
        )
    ]


def _end(worker: Worker) -> tuple[Action, ...]:
    """One that never ran is no recycle: it may be the pod that a ReplicaSet makes in passing."""
    retire = Retire(worker.name, Reason.CONFIG_CHANGE, replace=True)
    return (retire, Recycled(worker.name, Reason.CONFIG_CHANGE)) if worker.running_since is not None else (retire,)
