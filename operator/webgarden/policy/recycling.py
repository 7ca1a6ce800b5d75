"""Recycling one worker at a time, a new one first: take out, wait for the replacement, drain, confirm, end.

Taking out relabels the pod, so its ReplicaSet makes another while the old one serves. If the replacement does not come up
within `startupTimeLimit`, the old worker is put back and the recycle has failed. Without overlap
(`disallowOverlappingRotation`) the old worker is drained and gone before the new one is made; requests wait in the queue.
"""

from __future__ import annotations

from datetime import datetime

from webgarden.policy import draining, starting
from webgarden.policy.actions import Action, Discard, Drain, Fail, PutBack, Recycled, Retire, TakeOut
from webgarden.policy.view import Leaving, PoolView, Reason, Worker


def recycled(view: PoolView, now: datetime, wanted: int) -> list[Action]:
    leaving = [w for w in view.workers if w.leaving is not None and not w.terminating]
    if leaving:
        return [action for worker in leaving for action in _go_on(view, worker, now, wanted)]
    if any(w.leaving is not None for w in view.workers):
        return []  # one is still on its way out: the next one waits
    due = _due(view, now)
    if (
        due is None
        or not view.listeners_complete
        or len(view.fresh) < wanted
        or not all(w.serving for w in view.fresh if w is not due)
    ):
        return []  # the last replacement is not there yet, or a listener that we do not hear of needs the old worker
    if view.overlap:
        return [TakeOut(due.name, Reason.ON_DEMAND)]
    return draining.leave(
        view,
        due,
        now=now,
        reason=Reason.ON_DEMAND,
        end=(Retire(due.name, Reason.ON_DEMAND, replace=True), Recycled(due.name, Reason.ON_DEMAND)),
    )


def _due(view: PoolView, now: datetime) -> Worker | None:
    """The oldest worker that the administrator wants recycled. A wish for a later time waits for it."""
    before = view.recycle_before
    if before is None or before > now:
        return None
    due = [w for w in view.fresh if w.created < before and view.recycle_worker in ("", w.name)]
    return min(due, key=lambda w: (w.created, w.name), default=None)


def _go_on(view: PoolView, worker: Worker, now: datetime, wanted: int) -> list[Action]:
    assert worker.leaving is not None
    leaving = worker.leaving
    if worker.in_rotation or not leaving.replace:
        # Its end had been decided when the operator died: finish it.
        return draining.leave(
            view, worker, now=now, reason=leaving.reason, end=(Retire(worker.name, leaving.reason, leaving.replace),)
        )
    if sum(w.serving for w in view.fresh) >= wanted:
        if not view.listeners_complete:
            return [Drain(worker.name, leaving.reason)]  # a listener that we do not hear of may know no other worker
        end: tuple[Action, ...] = (Discard(worker.name, leaving.reason), Recycled(worker.name, leaving.reason))
        return draining.leave(view, worker, now=now, reason=leaving.reason, end=end)
    if now - leaving.since >= view.startup_time_limit:
        return _give_up(view, worker, leaving)
    return []


def _give_up(view: PoolView, worker: Worker, leaving: Leaving) -> list[Action]:
    """Put the old worker back. What was to replace it goes out first, so that the ReplicaSet has no choice to make."""
    late = [w for w in view.fresh if not w.serving]
    cause = next((w.trouble or w.crash for w in late if w.trouble or w.crash), "")
    cause = cause or (view.current.trouble if view.current else "") or starting.NEVER_ANSWERED
    failed = late[0].name if late else worker.name
    return [
        *(TakeOut(w.name, Reason.STARTUP_TIME_LIMIT, replace=False) for w in late),
        PutBack(worker.name),
        Fail(failed, Reason.STARTUP_TIME_LIMIT, cause, leaving.since),
        Recycled(worker.name, leaving.reason, failed=cause),
    ]
