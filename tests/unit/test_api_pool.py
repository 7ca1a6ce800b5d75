from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from webgarden.api.pool import (
    ApplicationPool,
    ApplicationPoolSpec,
    ApplicationPoolStatus,
    Failure,
    PoolState,
    StartMode,
    WantedState,
    WorkerState,
    WorkerStatus,
)
from webgarden.api.resource import ObjectMeta
from webgarden.api.site import Site
from webgarden.api.webserver import WebServerSpec


def pool(**spec: Any) -> ApplicationPool:  # noqa: ANN401
    metadata = {"name": "shop", "namespace": "web", "uid": "1", "managedFields": [{}]}
    return ApplicationPool.model_validate({"metadata": metadata, "spec": spec})


def test_the_smallest_pool_has_the_defaults_of_the_documentation() -> None:
    spec = pool().spec
    assert (spec.state, spec.start_mode, spec.queue_length) == (WantedState.STARTED, StartMode.ON_DEMAND, 1000)
    assert (spec.worker.image, spec.worker.port, spec.worker.max_concurrent_requests) == (None, 8080, 100)
    assert spec.process_model.idle_timeout == timedelta(minutes=20)
    assert spec.process_model.startup_time_limit == spec.process_model.shutdown_time_limit == timedelta(seconds=90)
    assert spec.process_model.max_processes == 1
    assert not spec.recycling.disallow_overlapping_rotation


@pytest.mark.parametrize(
    ("spec", "state"),
    [
        ({}, "Started"),
        ({"autoStart": True}, "Started"),
        ({"autoStart": False}, "Stopped"),
        ({"autoStart": False, "state": "Started"}, "Started"),
        ({"state": "Stopped"}, "Stopped"),
    ],
)
def test_a_pool_without_a_state_follows_auto_start(spec: dict[str, Any], state: str) -> None:
    assert pool(**spec).spec.state == state


def test_auto_start_is_followed_in_python_names_too() -> None:
    assert ApplicationPoolSpec(auto_start=False).state is WantedState.STOPPED


def test_fields_of_a_newer_crd_are_ignored() -> None:
    assert pool(cpu={"limit": "1"}, processModel={"pingInterval": "30s"}).spec == ApplicationPoolSpec()


def test_what_the_operator_does_not_read_is_passed_on_as_it_is() -> None:
    env = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    worker = pool(worker={"env": [env], "template": {"spec": {"nodeSelector": {"a": "b"}}}}).spec.worker
    assert worker.env == (env,)
    assert worker.template == {"spec": {"nodeSelector": {"a": "b"}}}


def test_a_pool_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        pool().spec.queue_length = 5  # type: ignore[misc]


def test_a_duration_that_is_none_is_an_invalid_spec() -> None:
    with pytest.raises(ValidationError, match="no duration"):
        pool(processModel={"idleTimeout": "soon"})


def test_a_key_names_the_namespace_where_there_is_one() -> None:
    assert pool().key == "web/shop"
    assert ApplicationPool(metadata=ObjectMeta(name="shop")).key == "shop"


def test_a_status_is_written_in_camel_case_and_read_back() -> None:
    started = datetime(2026, 5, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    worker = WorkerStatus(name="shop-1", state=WorkerState.RUNNING, start_time=started, in_flight=2)
    status = ApplicationPoolStatus(state=PoolState.STARTED, workers=(worker,), ready_replicas=1)
    written = status.as_dict()
    assert written["readyReplicas"] == 1
    assert written["workers"][0]["startTime"] == "2026-05-01T12:00:00Z"
    assert "lastRequestTime" not in written["workers"][0]
    assert ApplicationPoolStatus.model_validate(written) == status


def test_a_failure_says_what_fits() -> None:
    failure = Failure(time=datetime(2026, 5, 1, tzinfo=UTC), kind="Crash", message="x" * 5000)
    assert len(failure.message) == 1024


def test_times_without_a_zone_are_utc() -> None:
    assert WorkerStatus(name="a", state=WorkerState.STARTING, start_time=datetime(2026, 5, 1)).start_time == datetime(
        2026, 5, 1, tzinfo=UTC
    )


def test_a_site_has_the_documented_defaults() -> None:
    site = Site.model_validate(
        {"metadata": {"name": "shop"}, "spec": {"bindings": [{}], "applications": [{"path": "/", "pool": "shop"}]}}
    )
    (binding,) = site.spec.bindings
    assert (binding.protocol, binding.host, binding.port) == ("http", "", 80)
    assert site.spec.applications[0].app is None


def test_an_absent_web_server_is_the_built_in_defaults() -> None:
    listener = WebServerSpec().listener
    assert (listener.replicas, listener.ports, listener.threads, listener.service.type) == (2, (80,), 2, "ClusterIP")
