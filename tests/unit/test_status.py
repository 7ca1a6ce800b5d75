"""A pool's status: which state it is in, and the first thing that is wrong names the reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from webgarden.api.conditions import Condition
from webgarden.api.pool import ApplicationPool, ApplicationPoolStatus, WorkerState
from webgarden.policy import Failure, Leaving, PoolView, Reason, Revision, Worker, decide
from webgarden.reconcile import status
from webgarden.reconcile.observing import Memory, Observation
from webgarden.reconcile.ports import PoolFacts

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
CURRENT = Revision(revision="abc", name="shop-abc", replicas=1, wanted=1, scaled_at=NOW - 5 * SECOND)
VIEW = PoolView(
    started=True,
    always_running=False,
    max_processes=2,
    concurrency=10,
    idle_timeout=timedelta(minutes=20),
    startup_time_limit=90 * SECOND,
    shutdown_time_limit=90 * SECOND,
    overlap=True,
    revision="abc",
    begun=NOW - timedelta(hours=1),
    revisions=(CURRENT,),
)
RUNNING = Worker(
    name="shop-abc-1",
    revision="abc",
    created=NOW - 60 * SECOND,
    sought_since=NOW - 60 * SECOND,
    running_since=NOW - 50 * SECOND,
    serving=True,
)
STARTING = replace(RUNNING, running_since=None, serving=False, created=NOW - SECOND, sought_since=NOW - SECOND)


def build(view: PoolView, *, refused: str = "", **old: object) -> ApplicationPoolStatus:
    metadata = {"name": "shop", "namespace": "a", "generation": 7}
    pool = ApplicationPool.model_validate({"kind": "ApplicationPool", "metadata": metadata, "status": old})
    pods = tuple({"metadata": {"name": w.name, "creationTimestamp": "2026-01-01T11:59:00Z"}} for w in view.workers)
    seen = Observation(
        pool=pool,
        revision="abc",
        pods=pods,
        deployments=(),
        facts=PoolFacts(),
        listeners_complete=True,
        memory=Memory(begun=view.begun, draining={}),
        now=NOW,
    )
    decision = decide(view, NOW)
    return status.build(seen, view, decision, refused=refused, new_recycles=[])


def told(made: ApplicationPoolStatus, kind: str) -> Condition:
    return next(c for c in made.conditions if c.type == kind)


def verdicts(made: ApplicationPoolStatus) -> dict[str, tuple[str, str]]:
    return {c.type: (str(c.status), c.reason) for c in made.conditions}


def test_a_pool_that_runs_is_ready() -> None:
    made = build(replace(VIEW, workers=(RUNNING,)))
    assert (made.state, made.reason, made.replicas, made.ready_replicas) == ("Started", "Running", 1, 1)
    assert verdicts(made) == {
        "Ready": ("True", "Running"),
        "Accepted": ("True", "Accepted"),
        "Available": ("True", "Running"),
        "Progressing": ("False", "Settled"),
        "Degraded": ("False", "Healthy"),
    }
    assert {c.observed_generation for c in made.conditions} == {7}
    assert made.observed_generation == 7


def test_a_pool_that_sleeps_is_ready_too() -> None:
    made = build(replace(VIEW, revisions=(replace(CURRENT, replicas=0, wanted=0),)))
    assert (made.state, made.reason) == ("Started", "Idle")
    assert verdicts(made)["Ready"] == ("True", "Idle")


def test_a_pool_whose_first_worker_starts_is_starting() -> None:
    made = build(replace(VIEW, workers=(STARTING,)))
    assert (made.state, made.reason, made.replicas, made.ready_replicas) == ("Starting", "WorkerStarting", 1, 0)
    assert verdicts(made)["Progressing"] == ("True", "Starting")


def test_a_pod_that_is_still_to_be_created_is_progress() -> None:
    made = build(VIEW)
    assert verdicts(made)["Progressing"] == ("True", "Starting")
    assert "1 pods are still to be created" in told(made, "Progressing").message


def test_a_pool_that_is_stopped_is_stopping_while_a_worker_is_left() -> None:
    stopped = replace(VIEW, started=False)
    assert build(replace(stopped, workers=(RUNNING,))).state == "Stopping"
    made = build(stopped)
    assert made.state == "Stopped"
    assert verdicts(made)["Ready"] == ("False", "StoppedByAdministrator")
    assert "set spec.state to Started" in told(made, "Ready").message


def test_a_refused_template_comes_before_everything_else() -> None:
    made = build(replace(VIEW, workers=(replace(STARTING, trouble="ErrImagePull: x"),)), refused="bad volume")
    assert verdicts(made)["Ready"] == verdicts(made)["Accepted"] == ("False", "TemplateRefused")
    assert "bad volume" in told(made, "Ready").message


def test_the_cause_of_a_pause_is_in_the_condition_people_look_at() -> None:
    failure = Failure(time=NOW - SECOND, worker="shop-abc-0", kind=Reason.STARTUP_TIME_LIMIT, message="ErrImagePull")
    made = build(replace(VIEW, failures=(failure,)))
    assert verdicts(made)["Available"] == ("False", "StartupTimeLimit")
    assert verdicts(made)["Degraded"] == ("True", "StartupTimeLimit")
    assert verdicts(made)["Ready"] == ("False", "StartupTimeLimit")
    assert "shop-abc-0: ErrImagePull" in told(made, "Ready").message
    assert made.reason == "StartupTimeLimit"


def test_a_worker_that_cannot_start_degrades_a_pool_that_serves() -> None:
    troubled = replace(STARTING, name="shop-abc-2", trouble="Unschedulable: no room")
    made = build(replace(VIEW, workers=(RUNNING, troubled)))
    assert verdicts(made)["Ready"] == ("True", "Running")
    assert verdicts(made)["Degraded"] == ("True", "WorkerCannotStart")
    assert told(made, "Degraded").message == "shop-abc-2: Unschedulable: no room"


def test_pods_that_cannot_be_created_degrade_it() -> None:
    made = build(replace(VIEW, revisions=(replace(CURRENT, trouble="exceeded quota"),)))
    assert verdicts(made)["Degraded"] == ("True", "PodsCannotBeCreated")


def test_a_recycle_and_a_changed_template_are_progress() -> None:
    leaving = Leaving(reason=Reason.ON_DEMAND, since=NOW, replace=True)
    out = replace(RUNNING, name="old", in_rotation=False, leaving=leaving)
    assert verdicts(build(replace(VIEW, workers=(out, STARTING))))["Progressing"] == ("True", "Recycling")
    outdated = replace(RUNNING, revision="before")
    assert verdicts(build(replace(VIEW, workers=(outdated,))))["Progressing"] == ("True", "ConfigChange")


@pytest.mark.parametrize(
    ("worker", "state", "reason"),
    [
        (RUNNING, WorkerState.RUNNING, ""),
        (STARTING, WorkerState.STARTING, ""),
        (replace(STARTING, trouble="ErrImagePull: not found"), WorkerState.STARTING, "ErrImagePull"),
        (replace(RUNNING, terminating=True), WorkerState.STOPPING, ""),
        (
            replace(RUNNING, in_rotation=False, leaving=Leaving(reason=Reason.ON_DEMAND, since=NOW, replace=True)),
            WorkerState.RUNNING,
            "OnDemand",
        ),
    ],
)
def test_each_worker_is_shown_where_it_is(worker: Worker, state: WorkerState, reason: str) -> None:
    (shown,) = build(replace(VIEW, workers=(worker,))).workers
    assert (shown.state, shown.reason) == (state, reason)


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    old = build(replace(VIEW, workers=(RUNNING,))).as_dict()["conditions"]
    before = "2026-01-01T10:00:00Z"
    old = [{**c, "lastTransitionTime": before} for c in old]
    made = build(replace(VIEW, workers=(STARTING,)), conditions=old)
    assert told(made, "Ready").last_transition_time == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert told(made, "Ready").reason == "Starting"
    assert told(made, "Progressing").last_transition_time == NOW


def test_a_failure_is_recorded_once() -> None:
    crashed = replace(RUNNING, crash="the worker ended with exit code 1 (Error)")
    view = replace(VIEW, workers=(crashed,))
    (failure,) = build(view).failures
    assert (failure.worker, failure.kind) == ("shop-abc-1", "Crash")
    again = replace(view, failures=(Failure(time=NOW, worker="shop-abc-1", kind=Reason.CRASH),))
    assert len(build(again).failures) == 1
    assert not status.new_failures(again, decide(again, NOW), NOW)


def test_failures_do_not_grow_without_end() -> None:
    many = tuple(Failure(time=NOW - SECOND, worker=f"w{i}", kind=Reason.CRASH) for i in range(50))
    kept = build(replace(VIEW, failures=many)).failures
    assert [f.worker for f in kept] == [f"w{i}" for i in range(50 - status.KEPT_FAILURES, 50)]


def test_a_status_is_the_same_after_it_was_stored() -> None:
    made = build(replace(VIEW, workers=(RUNNING,)))
    assert ApplicationPoolStatus.model_validate(made.as_dict()) == made
