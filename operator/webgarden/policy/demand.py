"""Demand start and web garden: how many workers the pool wants, before idle ones leave.

On demand it is one first, and more when all that were wanted are there and requests wait or every worker is full. Workers
leave one by one (`idling`), so this number never falls here but for the administrator's wish and a failed start.
"""

from __future__ import annotations

from datetime import datetime

from webgarden.policy import backoff
from webgarden.policy.view import PoolView


def wanted(view: PoolView, now: datetime) -> int:
    if not view.started:
        return 0
    pause = backoff.until(view)
    if pause is not None and now < pause:
        return min(len(view.able), view.max_processes)
    if view.always_running:
        return view.max_processes
    return min(_on_demand(view), view.max_processes)


def _on_demand(view: PoolView) -> int:
    current = view.wanted
    if current == 0:
        return 1 if view.demand or view.queued else 0
    serving = [w for w in view.rotation if w.serving]
    if len(serving) < current:
        return current
    load = view.queued + sum(w.in_flight for w in serving)
    if load < current * view.concurrency and not view.queued:
        return current
    return max(current, load // view.concurrency + 1)
