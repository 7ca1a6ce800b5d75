"""`startupTimeLimit`: a worker that does not answer in time is a failure, and is not waited for any longer.

Whatever the cause (image, scheduling, quota, a crash loop, a port nobody listens on), the failure's message names it.
"""

from __future__ import annotations

from datetime import datetime

from webgarden.policy.actions import Action, Fail, Retire
from webgarden.policy.view import PoolView, Reason, Worker

NEVER_ANSWERED = "it did not answer on its port"


def overdue(view: PoolView, worker: Worker, now: datetime) -> bool:
    """Nobody can tell without a listener, so nothing is overdue then."""
    late = now - worker.created >= view.startup_time_limit
    return late and worker.running_since is None and view.listeners > 0


def failed(view: PoolView, now: datetime) -> list[Action]:
    actions: list[Action] = []
    for worker in view.rotation:
        if overdue(view, worker, now):
            cause = worker.trouble or worker.crash or NEVER_ANSWERED
            actions += [
                Fail(worker.name, Reason.STARTUP_TIME_LIMIT, cause, worker.created),
                Retire(worker.name, Reason.STARTUP_TIME_LIMIT),
            ]
    return actions or _uncreated(view, now)


def _uncreated(view: PoolView, now: datetime) -> list[Action]:
    """Pods that the ReplicaSet cannot even create leave no pod to blame: the failure is the Deployment's."""
    if any(w.leaving is not None and w.leaving.replace for w in view.workers):
        return []  # what is missing is a replacement: the recycle is given up then (`recycling`), the pool is not
    current = view.current
    if current is None or len(view.fresh) >= current.replicas or not current.trouble:
        return []
    if now - current.scaled_at < view.startup_time_limit:
        return []
    return [Fail(current.name, Reason.STARTUP_TIME_LIMIT, current.trouble, current.scaled_at)]
