"""Reading pods and Deployments, also those that somebody has broken by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from webgarden.api.pool import ApplicationPool
from webgarden.policy import Leaving, PoolView, Reason, Revision, Worker
from webgarden.reconcile import observing
from webgarden.reconcile.observing import Memory, Observation
from webgarden.reconcile.ports import PoolFacts, WorkerFacts

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BORN = "2026-01-01T11:00:00Z"
Body = dict[str, Any]
TERMINATED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


def pod(*, annotations: Body | None = None, labels: Body | None = None, deleted: bool = False, **status: Any) -> Body:  # noqa: ANN401
    named = {f"webgarden.dev/{name}": value for name, value in (annotations or {}).items()}
    worn = {"webgarden.dev/rotation": "in", "webgarden.dev/revision": "abc", **(labels or {})}
    metadata: Body = {"name": "w", "creationTimestamp": BORN, "annotations": named, "labels": worn}
    if deleted:
        metadata["deletionTimestamp"] = BORN
    return {"metadata": metadata, "status": {"podIP": "10.0.0.1", **status}}


def container(state: Body, *, last: Body | None = None, restarts: int = 0, name: str = "worker") -> list[Body]:
    return [{"name": name, "state": state, "lastState": last or {}, "restartCount": restarts}]


def seen(
    *pods: Body, deployments: tuple[Body, ...] = (), facts: PoolFacts | None = None, complete: bool = True,
    annotations: Body | None = None, status: Body | None = None,
) -> PoolView:  # fmt: skip
    pool = {
        "kind": "ApplicationPool",
        "metadata": {"name": "shop", "namespace": "a", "annotations": annotations or {}},
        "status": status or {},
    }
    return observing.view(
        Observation(
            pool=ApplicationPool.model_validate(pool),
            revision="abc",
            pods=pods,
            deployments=deployments,
            facts=facts or PoolFacts(),
            listeners_complete=complete,
            memory=Memory(begun=NOW, draining={"w": NOW - timedelta(seconds=5)}),
            now=NOW,
        )
    )


def worker(body: Body, facts: WorkerFacts | None = None, *, complete: bool = True) -> Worker:
    workers = {"w": facts} if facts else {}
    (found,) = seen(body, facts=PoolFacts(workers=workers), complete=complete).workers
    return found


def test_a_worker_is_what_its_pod_and_the_listeners_say() -> None:
    facts = WorkerFacts(seen=True, serving=True, in_flight=3, requests=9, last_activity=NOW)
    found = worker(pod(annotations={"running-since": "2026-01-01T11:00:02+00:00"}), facts)
    assert (found.name, found.revision, found.in_rotation, found.terminating) == ("w", "abc", True, False)
    assert found.created == NOW - timedelta(hours=1)
    assert found.running_since == NOW - timedelta(minutes=59, seconds=58)
    assert (found.serving, found.in_flight, found.last_activity) == (True, 3, NOW)
    assert found.draining_since == NOW - timedelta(seconds=5)
    assert worker(pod(deleted=True)).terminating
    assert not worker(pod(labels={"webgarden.dev/rotation": "out"})).in_rotation


def test_a_worker_runs_from_the_first_answer_and_that_is_written_down() -> None:
    assert worker(pod()).running_since is None
    assert worker(pod(), WorkerFacts(seen=True)).running_since == NOW
    marked = pod(annotations={"running-since": BORN})
    assert worker(marked, WorkerFacts(seen=True)).running_since == NOW - timedelta(hours=1)
    assert worker(marked).running_since == NOW - timedelta(hours=1)  # nobody is connected to say so


@pytest.mark.parametrize("broken", ["", "yesterday", "2026-01-01T11:00:00", "{}", "99999999999"])
def test_a_time_that_cannot_be_read_counts_as_absent(broken: str) -> None:
    assert worker(pod(annotations={"running-since": broken})).running_since is None


def test_a_drain_is_confirmed_only_when_no_listener_is_missing() -> None:
    facts = WorkerFacts(drained=True)
    assert worker(pod(), facts).drained
    assert not worker(pod(), facts, complete=False).drained
    assert worker(pod(podIP=""), complete=False).drained  # nobody can have sent it anything


def test_a_pod_that_has_ended_for_good_before_it_answered_is_looked_for_no_longer_than_others() -> None:
    evicted = worker(pod(phase="Failed", reason="Evicted"))
    assert (evicted.sought_since, evicted.drained) == (evicted.created, True)
    assert "Evicted" in evicted.crash
    assert worker(pod(phase="Running")).sought_since is None


LEAVING = Leaving(reason=Reason.ON_DEMAND, since=NOW, replace=True)


def test_leaving_is_read_as_it_was_written() -> None:
    assert observing.leaving(pod(annotations={"leaving": observing.write_leaving(LEAVING)})) == LEAVING
    assert observing.leaving(pod()) is None


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "no json",
        "[]",
        "3",
        "null",
        "{}",
        json.dumps({"reason": "Boredom", "since": NOW.isoformat(), "replace": True}),
        json.dumps({"reason": "OnDemand", "since": "today", "replace": True}),
        json.dumps({"reason": "OnDemand", "since": 7, "replace": True}),
        json.dumps({"reason": "OnDemand", "replace": True}),
    ],
)
def test_leaving_that_somebody_has_broken_counts_as_absent(broken: str) -> None:
    assert observing.leaving(pod(annotations={"leaving": broken})) is None
    assert worker(pod(annotations={"leaving": broken})).leaving is None


def test_leaving_without_a_time_zone_does_not_break_the_decision() -> None:
    broken = json.dumps({"reason": "OnDemand", "since": "2026-01-01T11:00:00", "replace": True})
    found = observing.leaving(pod(annotations={"leaving": broken}))
    assert found is None or found.since.tzinfo is not None


def test_a_container_that_has_ended_is_a_crash_in_its_own_words() -> None:
    ended = {"terminated": {"exitCode": 3, "reason": "Error", "message": "no database\n"}}
    assert observing.crash(pod(containerStatuses=container(ended))) == (
        "the worker ended with exit code 3 (Error): no database"
    )
    assert "(OOMKilled)" in observing.crash(pod(containerStatuses=container(TERMINATED)))
    assert not observing.crash(pod(containerStatuses=container({"running": {}})))
    assert not observing.crash(pod(containerStatuses=container(TERMINATED, name="sidecar")))
    assert not observing.crash({"metadata": {"name": "w"}})


def test_a_restart_counts_from_when_it_first_answered() -> None:
    again = container({"running": {}}, last=TERMINATED, restarts=2)
    assert observing.crash(pod(annotations={"restarts": "1"}, containerStatuses=again))
    assert not observing.crash(pod(annotations={"restarts": "2"}, containerStatuses=again))
    assert not observing.crash(pod(containerStatuses=again))  # it has not answered yet
    assert not observing.crash(pod(annotations={"restarts": "some"}, containerStatuses=again))
    assert observing.restarts(pod(containerStatuses=again)) == 2


def test_a_pod_that_failed_as_a_whole_is_a_crash() -> None:
    text = observing.crash(pod(phase="Failed", reason="Evicted", message="low on memory"))
    assert text == "the pod failed: Evicted low on memory"
    assert observing.crash(pod(phase="Failed")) == "the pod failed"


def test_trouble_is_what_keeps_a_worker_from_coming_up() -> None:
    waiting = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}
    assert observing.trouble(pod(containerStatuses=container(waiting))) == "ErrImagePull: not found"
    loop = container({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}}, last=TERMINATED)
    assert observing.trouble(pod(containerStatuses=loop)) == (
        "CrashLoopBackOff: the worker ended with exit code 137 (OOMKilled)"
    )
    full = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    assert observing.trouble(pod(conditions=[full])) == "Unschedulable: 0/3 nodes"
    assert not observing.trouble(pod(conditions=[{"type": "PodScheduled", "status": "True"}]))
    for usual in ("ContainerCreating", "PodInitializing"):
        assert not observing.trouble(pod(containerStatuses=container({"waiting": {"reason": usual}})))


def deployment(*, annotations: Body | None = None, replicas: int = 2, conditions: tuple[Body, ...] = ()) -> Body:
    named = {f"webgarden.dev/{name}": value for name, value in (annotations or {}).items()}
    metadata = {"name": "shop-abc", "labels": {"webgarden.dev/revision": "abc"}, "annotations": named}
    volumes = [{"name": "webgarden-applications", "configMap": {"name": "shop-apps"}}]
    spec = {"replicas": replicas, "template": {"spec": {"volumes": volumes}}}
    return {"metadata": metadata, "spec": spec, "status": {"conditions": list(conditions)}}


def revision(body: Body) -> Revision:
    (found,) = seen(deployments=(body,)).revisions
    return found


def test_a_revision_is_what_its_deployment_says() -> None:
    found = revision(deployment(annotations={"wanted": "3", "scaled-at": BORN}))
    assert (found.revision, found.name, found.replicas, found.wanted) == ("abc", "shop-abc", 2, 3)
    assert found.scaled_at == NOW - timedelta(hours=1)
    assert found.hosted == "shop-apps"
    assert not found.trouble


@pytest.mark.parametrize("broken", ["", "many", "-1", "2.5"])
def test_a_wish_that_somebody_has_broken_is_what_there_is(broken: str) -> None:
    found = revision(deployment(annotations={"wanted": broken, "scaled-at": "when?"}))
    assert found.wanted == 2
    assert found.scaled_at == observing.NEVER


def test_pods_that_cannot_be_created_are_the_trouble_of_their_deployment() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    assert revision(deployment(conditions=(failure,))).trouble == "exceeded quota"
    assert not revision(deployment(conditions=({**failure, "status": "False"},))).trouble


def wish(text: str, **last: str) -> tuple[datetime | None, str]:
    status = {"lastRecycle": {"time": BORN, **last}} if last else {}
    view = seen(annotations={"webgarden.dev/recycle": text}, status=status)
    return view.recycle_before, view.recycle_worker


def test_a_wish_for_a_recycle_is_a_time_and_perhaps_a_worker() -> None:
    assert wish("2026-01-01T11:00:00Z") == (NOW - timedelta(hours=1), "")
    assert wish("2026-01-01T12:00:00+01:00, w") == (NOW - timedelta(hours=1), "w")


def test_a_wish_is_in_whole_seconds_as_the_birth_of_a_pod_is() -> None:
    assert wish("2026-01-01T11:00:00.9Z")[0] == NOW - timedelta(hours=1)


@pytest.mark.parametrize("text", ["", "now", "2026-01-01T11:00:00", ",w", "2026-13-01T11:00:00Z"])
def test_a_wish_that_cannot_be_read_is_none(text: str) -> None:
    assert wish(text)[0] is None


def test_a_wish_that_came_to_nothing_is_not_tried_again() -> None:
    text = "2026-01-01T11:00:00Z"
    assert wish(text, result="Failed", request=text)[0] is None
    assert wish(text, result="Succeeded", request=text)[0] is not None  # others may still have to go
    assert wish(text, result="Failed", request="2026-01-01T10:00:00Z")[0] is not None
