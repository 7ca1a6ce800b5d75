"""From what the store and the link hold to a `PoolView`: reading pods and Deployments. Pure.

A fact that cannot be read (an annotation somebody has broken) counts as absent; it is written again when it matters.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from webgarden.api.pool import ApplicationPool, StartMode, WantedState
from webgarden.manifests import names
from webgarden.manifests.applications import mounted_in
from webgarden.manifests.worker import CONTAINER
from webgarden.policy import Failure, Leaving, PoolView, Reason, Revision, Worker
from webgarden.reconcile.ports import Body, PoolFacts, WorkerFacts

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
NO_FACTS = WorkerFacts()
KINDS_OF_FAILURE = frozenset(Reason)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """What this operator has seen of the pool itself; a new leader begins without."""

    begun: datetime
    draining: Mapping[str, datetime]
    """Worker -> since when it is being drained."""


@dataclass(frozen=True, kw_only=True)
class Observation:
    """Everything one look at a pool is based on."""

    pool: ApplicationPool
    revision: str
    pods: tuple[Body, ...]
    deployments: tuple[Body, ...]
    facts: PoolFacts
    listeners_complete: bool
    memory: Memory
    now: datetime


def view(seen: Observation) -> PoolView:
    spec = seen.pool.spec
    before, worker = recycle_request(seen)
    return PoolView(
        started=spec.state is WantedState.STARTED,
        always_running=spec.start_mode is StartMode.ALWAYS_RUNNING,
        max_processes=spec.process_model.max_processes,
        concurrency=spec.worker.max_concurrent_requests,
        idle_timeout=spec.process_model.idle_timeout,
        startup_time_limit=spec.process_model.startup_time_limit,
        shutdown_time_limit=spec.process_model.shutdown_time_limit,
        overlap=not spec.recycling.disallow_overlapping_rotation,
        revision=seen.revision,
        begun=seen.memory.begun,
        revisions=tuple(_revision(d) for d in seen.deployments if _number(d)),
        workers=tuple(_worker(p, seen) for p in seen.pods),
        failures=tuple(
            Failure(time=f.time, worker=f.worker, kind=Reason(f.kind), message=f.message)
            for f in seen.pool.status.failures
            if f.kind in KINDS_OF_FAILURE
        ),
        demand=seen.facts.demand,
        queued=seen.facts.queued,
        listeners_complete=seen.listeners_complete,
        recycle_before=before,
        recycle_worker=worker,
    )


def _number(deployment: Body) -> str:
    return str((deployment["metadata"].get("labels") or {}).get(names.REVISION, ""))


def _revision(deployment: Body) -> Revision:
    metadata = deployment["metadata"]
    annotations = metadata.get("annotations") or {}
    replicas = deployment["spec"].get("replicas", 1)
    wanted = annotations.get(names.WANTED, "")
    return Revision(
        revision=_number(deployment),
        name=metadata["name"],
        replicas=replicas,
        wanted=int(wanted) if wanted.isdecimal() else replicas,
        scaled_at=time(annotations.get(names.SCALED_AT)) or NEVER,
        trouble=_replica_failure(deployment),
        hosted=mounted_in(deployment["spec"]["template"]),
    )


def _replica_failure(deployment: Body) -> str:
    for condition in (deployment.get("status") or {}).get("conditions") or []:
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return str(condition.get("message") or condition.get("reason") or "pods cannot be created")
    return ""


def _worker(pod: Body, seen: Observation) -> Worker:
    metadata = pod["metadata"]
    name = metadata["name"]
    labels = metadata.get("labels") or {}
    facts = seen.facts.workers.get(name, NO_FACTS)
    running_since = time((metadata.get("annotations") or {}).get(names.RUNNING_SINCE))
    created = time(metadata.get("creationTimestamp")) or seen.now
    # What has no address yet, or has ended for good, is in no listener's table: nobody gives it a request, and nobody
    # looks for its answer.
    unknown = not (pod.get("status") or {}).get("podIP") or over(pod)
    return Worker(
        name=name,
        revision=labels.get(names.REVISION, ""),
        created=created,
        in_rotation=labels.get(names.ROTATION) == "in",
        running_since=running_since or (seen.now if facts.seen else None),
        sought_since=created if unknown else facts.sought_since,
        serving=facts.serving,
        terminating=bool(metadata.get("deletionTimestamp")),
        crash=crash(pod),
        trouble=trouble(pod),
        leaving=leaving(pod),
        draining_since=seen.memory.draining.get(name),
        drained=unknown or (facts.drained and seen.listeners_complete),
        in_flight=facts.in_flight,
        last_activity=facts.last_activity,
    )


def leaving(pod: Body) -> Leaving | None:
    text = (pod["metadata"].get("annotations") or {}).get(names.LEAVING)
    if not text:
        return None
    try:
        value = json.loads(text)
        since = time(value["since"])
        return Leaving(reason=Reason(value["reason"]), since=since, replace=bool(value["replace"])) if since else None
    except (ValueError, KeyError, TypeError):
        return None


def write_leaving(value: Leaving) -> str:
    return json.dumps({"reason": value.reason, "since": value.since.isoformat(), "replace": value.replace})


def _container_status(pod: Body) -> dict[str, Any]:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return next((s for s in statuses if s["name"] == CONTAINER), {})


def over(pod: Body) -> bool:
    """Whether none of its containers runs or will run again."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def crash(pod: Body) -> str:
    """How the worker's container ended, if it did so by itself and has not come up again since; empty otherwise."""
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return f"the pod failed: {status.get('reason') or ''} {status.get('message') or ''}".rstrip(": ")
    container = _container_status(pod)
    known = (pod["metadata"].get("annotations") or {}).get(names.RESTARTS, "")
    again = known.isdecimal() and restarts(pod) > int(known)  # restarts before it first answered belong to its start
    return _ending(container, "state") or (_ending(container, "lastState") if again else "")


def _ending(container: Body, state: str) -> str:
    ended = (container.get(state) or {}).get("terminated")
    if not ended:
        return ""
    detail = f": {ended['message'].strip()}" if ended.get("message") else ""
    return f"the worker ended with exit code {ended.get('exitCode')} ({ended.get('reason') or 'Error'}){detail}"


def restarts(pod: Body) -> int:
    return int(_container_status(pod).get("restartCount", 0))


def trouble(pod: Body) -> str:
    """Why the worker does not come up, in the cluster's words; empty when nothing is known to be wrong."""
    container = _container_status(pod)
    waiting = (container.get("state") or {}).get("waiting") or {}
    if waiting.get("reason") not in (None, "", "ContainerCreating", "PodInitializing"):
        words = _ending(container, "lastState") or waiting.get("message") or ""
        return f"{waiting['reason']}: {words}".rstrip(": ")
    for condition in (pod.get("status") or {}).get("conditions") or []:
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{condition.get('reason')}: {condition.get('message') or ''}".rstrip(": ")
    ending = _ending(container, "lastState")  # it runs again, for the moment
    return f"Restarted: {ending}" if ending else ""


def ready(pod: Body) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def recycle_request(seen: Observation) -> tuple[datetime | None, str]:
    """(workers born before this are to be recycled, the only worker that is meant) by annotation; None when done.

    In whole seconds, as the birth of a pod is: a replacement that is made in the second of the wish is not older than it.
    """
    text = seen.pool.metadata.annotations.get(names.RECYCLE, "")
    last = seen.pool.status.last_recycle
    if last is not None and last.request == text and last.result == "Failed":
        return None, ""
    wished = wished_time(text)
    return (wished.replace(microsecond=0) if wished else None), wished_worker(text)


def wished_time(annotation: str) -> datetime | None:
    """The time in a recycle annotation, `<time>[,<worker>]`; None when there is none."""
    return time(annotation.partition(",")[0].strip())


def wished_worker(annotation: str) -> str:
    """The worker in a recycle annotation; empty for all."""
    return annotation.partition(",")[2].strip()


def time(text: str | None) -> datetime | None:
    """RFC 3339 as a time in UTC; None for anything else."""
    try:
        value = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if value is None or value.tzinfo is None:
        return None
    return value.astimezone(UTC)
