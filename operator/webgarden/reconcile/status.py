"""A pool's status: counters, workers, state and conditions, from the view and the decision. Pure.

A condition is the first finding of an ordered chain, as in a checklist: the first thing that is wrong names the reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from webgarden.api import pool as api
from webgarden.api.conditions import Finding, Truth, merge
from webgarden.manifests import names
from webgarden.policy import Decision, Fail, Failure, PoolView, Recycled, Worker
from webgarden.policy.view import Reason
from webgarden.reconcile.observing import Observation, time

KEPT_FAILURES = 20
FAILURES_FOR = timedelta(hours=1)
MAX_REQUEST = 253


def build(
    seen: Observation, view: PoolView, decision: Decision, *, new_recycles: list[Recycled], refused: str
) -> api.ApplicationPoolStatus:
    """The new status. `refused`: why no worker can be made of the pod template, mostly in the API server's words."""
    old = seen.pool.status
    workers = tuple(_worker_status(w, seen, decision) for w in sorted(view.workers, key=lambda w: (w.created, w.name)))
    state, reason = state_of(view, decision)
    recycles, last = _recycles(seen, new_recycles)
    findings = _findings(view, decision, refused=refused, generation=seen.pool.metadata.generation)
    return api.ApplicationPoolStatus(
        observed_generation=seen.pool.metadata.generation,
        state=state,
        reason=reason,
        replicas=sum(not w.terminating for w in view.workers),
        ready_replicas=len(_able(view)),
        selector=f"{names.POOL}={seen.pool.metadata.name}",
        workers=workers,
        recycles=recycles,
        last_recycle=last,
        failures=tuple(
            api.Failure(time=f.time, worker=f.worker, kind=f.kind, message=f.message)
            for f in _kept(view, [*view.failures, *new_failures(view, decision, seen.now)], seen.now)
        ),
        queue=api.QueueStatus(length=seen.facts.queued, rejected=max(old.queue.rejected, seen.facts.rejected)),
        conditions=merge(old.conditions, findings, seen.now),
    )


def new_failures(view: PoolView, decision: Decision, now: datetime) -> list[Failure]:
    """Failures that are not on record yet."""
    return [
        Failure(time=now, worker=a.worker, kind=a.kind, message=a.message)
        for a in decision.actions
        if isinstance(a, Fail) and not _on_record(view.failures, a)
    ]


def _on_record(failures: Iterable[Failure], fail: Fail) -> bool:
    # Times in a status have whole seconds, those of the cluster may have more.
    since = fail.since.replace(microsecond=0)
    return any(f.worker == fail.worker and f.kind is fail.kind and f.time >= since for f in failures)


def uncounted(seen: Observation, decision: Decision, counted: Collection[str]) -> list[Recycled]:
    """Recycles that are to be counted now. A worker is recycled once, so its name tells; `counted` are those that this
    operator has counted. One that came to nothing may be tried again, by another wish."""
    last = seen.pool.status.last_recycle
    return [
        a
        for a in decision.actions
        if isinstance(a, Recycled)
        and a.worker not in counted
        and not (last and last == _recycle(seen, a).model_copy(update={"time": last.time}))
    ]


def _recycle(seen: Observation, recycled: Recycled) -> api.LastRecycle:
    asked = seen.pool.metadata.annotations.get(names.RECYCLE, "") if recycled.reason is Reason.ON_DEMAND else ""
    return api.LastRecycle(
        time=seen.now,
        worker=recycled.worker,
        reason=recycled.reason,
        result=_result(recycled),
        request=asked[:MAX_REQUEST],
    )


def _result(recycled: Recycled) -> str:
    return "Failed" if recycled.failed else "Succeeded"


def _recycles(seen: Observation, new: list[Recycled]) -> tuple[int, api.LastRecycle | None]:
    old = seen.pool.status
    if not new:
        return old.recycles, old.last_recycle
    return old.recycles + sum(not r.failed for r in new), _recycle(seen, new[-1])


def _kept(view: PoolView, failures: list[Failure], now: datetime) -> list[Failure]:
    """Failures of the last hour, without failed starts that a successful one came after: those are over."""
    started = max((w.running_since for w in view.fresh if w.running_since), default=None)
    kept = [
        f
        for f in failures
        if now - f.time < FAILURES_FOR
        and not (started is not None and f.kind is Reason.STARTUP_TIME_LIMIT and f.time < started)
    ]
    return kept[-KEPT_FAILURES:]


def _worker_status(worker: Worker, seen: Observation, decision: Decision) -> api.WorkerStatus:
    facts = seen.facts.workers.get(worker.name)
    pod = next(p for p in seen.pods if p["metadata"]["name"] == worker.name)
    state, reason = worker_state(worker, decision)
    known = next((w for w in seen.pool.status.workers if w.name == worker.name), None)
    return api.WorkerStatus(
        name=worker.name,
        state=state,
        reason=reason,
        start_time=time(pod["metadata"].get("creationTimestamp")),
        address=(pod.get("status") or {}).get("podIP") or "",
        requests=max(known.requests if known else 0, facts.requests if facts else 0),
        in_flight=worker.in_flight,
        last_request_time=worker.last_activity,
    )


def worker_state(worker: Worker, decision: Decision) -> tuple[api.WorkerState, str]:
    if worker.terminating:
        return api.WorkerState.STOPPING, worker.leaving.reason if worker.leaving else ""
    drain = next((a for a in decision.actions if a.worker == worker.name and a.worker in decision.drained), None)
    if drain is not None:
        return api.WorkerState.DRAINING, getattr(drain, "reason", "")
    if worker.running_since is None:
        return api.WorkerState.STARTING, worker.trouble.partition(":")[0]
    return api.WorkerState.RUNNING, worker.leaving.reason if worker.leaving else ""


def _able(view: PoolView) -> list[Worker]:
    return [w for w in view.workers if w.running_since is not None and not w.terminating and not w.crash]


def state_of(view: PoolView, decision: Decision) -> tuple[api.PoolState, str]:
    if not view.started:
        there = bool(view.workers)
        return api.PoolState.STOPPING if there else api.PoolState.STOPPED, Reason.STOPPED
    if _able(view):
        return api.PoolState.STARTED, "Running"
    if decision.paused_until is not None:
        return api.PoolState.STARTED, Reason.STARTUP_TIME_LIMIT
    if decision.wanted:
        return api.PoolState.STARTING, "WorkerStarting"
    return api.PoolState.STARTED, "Idle"


def _findings(view: PoolView, decision: Decision, *, refused: str, generation: int) -> list[Finding]:
    accepted = _accepted(refused)
    available = _available(view, decision)
    degraded = _degraded(view, decision)
    ready = accepted if accepted[0] is Truth.FALSE else available
    if ready is available and available[0] is Truth.FALSE and degraded[0] is Truth.TRUE:
        ready = (Truth.FALSE, degraded[1], degraded[2])
    found = {
        "Ready": ready,
        "Accepted": accepted,
        "Available": available,
        "Progressing": _progressing(view, decision),
        "Degraded": degraded,
    }
    return [
        Finding(type=kind, status=status, reason=reason, message=message, observed_generation=generation)
        for kind, (status, reason, message) in found.items()
    ]


Verdict = tuple[Truth, str, str]


def _accepted(refused: str) -> Verdict:
    if refused:
        return Truth.FALSE, "TemplateRefused", f"no worker can be made: {refused}"
    return Truth.TRUE, "Accepted", ""


def _available(view: PoolView, decision: Decision) -> Verdict:
    if not view.started:
        return Truth.FALSE, Reason.STOPPED, "spec.state is Stopped (or autoStart is false): set spec.state to Started"
    if able := _able(view):
        return Truth.TRUE, "Running", f"{len(able)} of at most {view.max_processes} workers can serve"
    if decision.paused_until is not None:
        until = decision.paused_until.strftime("%H:%M:%S UTC")
        return (
            Truth.FALSE,
            Reason.STARTUP_TIME_LIMIT,
            f"no worker came up; requests get 503 until the next try at {until}",
        )
    if decision.wanted:
        return Truth.TRUE, "Starting", "requests wait until a worker answers"
    return Truth.TRUE, "Idle", "no worker runs; the next request starts one"


def _progressing(view: PoolView, decision: Decision) -> Verdict:
    recycling = [w for w in view.workers if w.leaving is not None and w.leaving.replace]
    if recycling:
        return Truth.TRUE, "Recycling", f"{', '.join(w.name for w in recycling)} is being replaced"
    if view.outdated:
        return Truth.TRUE, "ConfigChange", f"{len(view.outdated)} workers still have the template before this one"
    starting = [w for w in view.rotation if w.running_since is None]
    if starting:
        return Truth.TRUE, "Starting", f"{len(starting)} workers are starting"
    if len(view.rotation) < decision.wanted:
        return Truth.TRUE, "Starting", f"{decision.wanted - len(view.rotation)} pods are still to be created"
    return Truth.FALSE, "Settled", ""


def _degraded(view: PoolView, decision: Decision) -> Verdict:
    for worker in view.rotation:
        if worker.trouble:
            return Truth.TRUE, "WorkerCannotStart", f"{worker.name}: {worker.trouble}"
    current = view.current
    if current is not None and current.trouble and len(view.fresh) < current.replicas:
        return Truth.TRUE, "PodsCannotBeCreated", current.trouble
    failures = [f for f in view.failures if f.kind is Reason.STARTUP_TIME_LIMIT]
    if decision.paused_until is not None and failures:
        return Truth.TRUE, Reason.STARTUP_TIME_LIMIT, f"{failures[-1].worker}: {failures[-1].message}"
    return Truth.FALSE, "Healthy", ""
