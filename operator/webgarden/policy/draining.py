"""The one way to take a worker out of service: drain, confirm, end. `shutdownTimeLimit` bounds the wait."""

from __future__ import annotations

from datetime import datetime

from webgarden.policy.actions import Action, Drain, Fail
from webgarden.policy.view import PoolView, Reason, Worker


def leave(view: PoolView, worker: Worker, *, now: datetime, reason: Reason, end: tuple[Action, ...]) -> list[Action]:
    """Drain the worker; when that is confirmed, or its time is up, `end` it as well.

    The drain is asked for together with the end: a worker that is being deleted must not get a request meanwhile.
    """
    drain = Drain(worker.name, reason)
    if worker.drained:
        return [drain, *end]
    if worker.draining_since is not None and now - worker.draining_since >= view.shutdown_time_limit:
        cut = f"{worker.in_flight} requests were still running after shutdownTimeLimit and were cut"
        return [drain, Fail(worker.name, Reason.SHUTDOWN_TIME_LIMIT, cut, worker.created), *end]
    return [drain]
