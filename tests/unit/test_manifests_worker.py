"""The worker's Deployment: layers of the template, restricted security, and a name for each template."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from webgarden.api.pool import ApplicationPool
from webgarden.api.site import App
from webgarden.manifests.applications import FILE, HostedApplication, config_map, mounted_in
from webgarden.manifests.worker import (
    Images,
    Scaling,
    deployment,
    has_readiness_probe,
    pod_template,
    revision,
    scale,
)

Body = dict[str, Any]
IMAGES = Images(worker="worker:1", pull_policy="IfNotPresent")
SCALING = Scaling(replicas=2, wanted=3, scaled_at=datetime(2026, 1, 1, tzinfo=UTC))


def pool(name: str = "shop", **spec: Any) -> ApplicationPool:  # noqa: ANN401 (fields of a spec)
    metadata = {"name": name, "namespace": "a", "uid": "u1"}
    return ApplicationPool.model_validate({"kind": "ApplicationPool", "metadata": metadata, "spec": spec})


def template(*applications: HostedApplication, **spec: Any) -> Body:  # noqa: ANN401
    made = pool(**spec)
    return pod_template(made, config_map(made, applications), IMAGES)


def hosted(site: str = "a/one", **app: Any) -> HostedApplication:  # noqa: ANN401 (fields of an app)
    return HostedApplication(site=site, path="/", app=App.model_validate(app))


WSGI = hosted(kind="WSGI", target="x:y")
ASGI = hosted(kind="ASGI", target="x:y")


def container(made: Body, name: str = "worker") -> Body:
    found: Body = next(c for c in made["spec"]["containers"] if c["name"] == name)
    return found


def environment(made: Body) -> dict[str, str | None]:
    return {entry["name"]: entry.get("value") for entry in container(made)["env"]}


def test_the_least_pool_is_restricted_and_has_no_token() -> None:
    made = template()
    spec = made["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    worker = container(made)
    assert worker["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert worker["image"] == "worker:1"
    assert worker["ports"] == [{"name": "http", "containerPort": 8080}]
    assert "livenessProbe" not in worker
    assert worker["lifecycle"] == {"preStop": {"sleep": {"seconds": 2}}}


def test_the_short_form_lies_over_the_template_and_ours_over_both() -> None:
    made = template(
        worker={
            "image": "shop:2",
            "port": 8000,
            "command": ["serve"],
            "env": [{"name": "A", "value": "short"}, {"name": "WEBGARDEN_PORT", "value": "1"}],
            "volumes": [{"name": "data", "emptyDir": {}}],
            "volumeMounts": [{"mountPath": "/data", "name": "data"}],
            "template": {
                "metadata": {"labels": {"team": "x"}, "annotations": {"note": "y"}},
                "spec": {
                    "volumes": [{"name": "other", "emptyDir": {}}],
                    "nodeSelector": {"disk": "fast"},
                    "containers": [
                        {
                            "name": "worker",
                            "image": "template:1",
                            "env": [{"name": "A", "value": "long"}, {"name": "B", "value": "long"}],
                            "securityContext": {"readOnlyRootFilesystem": True},
                        },
                        {"name": "sidecar", "image": "sidecar:1"},
                    ],
                },
            },
        }
    )
    worker = container(made)
    assert (worker["image"], worker["command"]) == ("shop:2", ["serve"])
    assert {name: environment(made)[name] for name in ("A", "B", "WEBGARDEN_PORT")} == {
        "A": "short",
        "B": "long",
        "WEBGARDEN_PORT": "8000",
    }
    assert worker["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
    assert container(made, "sidecar")["image"] == "sidecar:1"
    assert [v["name"] for v in made["spec"]["volumes"]] == ["other", "data"]
    assert made["spec"]["nodeSelector"] == {"disk": "fast"}
    assert made["metadata"]["labels"]["team"] == "x"
    assert made["metadata"]["labels"]["webgarden.dev/pool"] == "shop"
    assert made["metadata"]["annotations"] == {"note": "y"}


def test_a_label_of_ours_cannot_be_taken_over_by_the_template() -> None:
    made = template(worker={"template": {"metadata": {"labels": {"webgarden.dev/rotation": "out"}}}})
    assert made["metadata"]["labels"]["webgarden.dev/rotation"] == "in"


def test_a_pre_stop_of_the_template_is_kept() -> None:
    own = {"exec": {"command": ["bye"]}}
    made = template(worker={"template": {"spec": {"containers": [{"name": "worker", "lifecycle": {"preStop": own}}]}}})
    assert container(made)["lifecycle"] == {"preStop": own}


def test_a_post_start_of_the_template_is_kept_beside_our_pre_stop() -> None:
    own = {"postStart": {"exec": {"command": ["hello"]}}}
    made = template(worker={"template": {"spec": {"containers": [{"name": "worker", "lifecycle": own}]}}})
    assert container(made)["lifecycle"] == {**own, "preStop": {"sleep": {"seconds": 2}}}


def test_the_grace_period_is_the_shutdown_time_limit_and_what_comes_around_it() -> None:
    made = template(processModel={"shutdownTimeLimit": "30s"})
    assert made["spec"]["terminationGracePeriodSeconds"] == 30 + 2 + 6
    assert environment(made)["WEBGARDEN_SHUTDOWN_SECONDS"] == "30"


def test_the_applications_are_a_file_that_the_template_names() -> None:
    made = template(WSGI)
    config = config_map(pool(), [WSGI])
    assert config is not None
    name = config["metadata"]["name"]
    assert made["spec"]["volumes"] == [{"name": "webgarden-applications", "configMap": {"name": name}}]
    (mount,) = container(made)["volumeMounts"]
    assert (mount["name"], mount["readOnly"]) == ("webgarden-applications", True)
    assert environment(made)["WEBGARDEN_APPLICATIONS"] == f"{mount['mountPath']}/{FILE}"
    assert mounted_in(made) == name


def test_a_pool_without_applications_has_no_such_file() -> None:
    made = template()
    assert "WEBGARDEN_APPLICATIONS" not in environment(made)
    assert mounted_in(made) == ""
    assert config_map(pool(), []) is None


def test_volumes_of_the_pool_s_own_stand_beside_it() -> None:
    own = {"volumes": [{"name": "data", "emptyDir": {}}], "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    made = template(WSGI, worker=own)
    assert [v["name"] for v in made["spec"]["volumes"]] == ["data", "webgarden-applications"]
    assert mounted_in(made)


def test_the_name_of_a_template_changes_with_it_and_with_nothing_else() -> None:
    base = revision(template(worker={"image": "a:1"}))
    assert len(base) == 8
    assert revision(template(worker={"image": "a:1"}, queueLength=50)) == base
    assert revision(template(worker={"image": "a:1"}, processModel={"maxProcesses": 7, "idleTimeout": "1m"})) == base
    assert revision(template(worker={"image": "a:2"})) != base
    assert revision(template(worker={"image": "a:1", "port": 81})) != base
    reordered = {"spec": {"nodeSelector": {"a": "1", "b": "2"}}}
    turned = {"spec": {"nodeSelector": {"b": "2", "a": "1"}}}
    assert revision(template(worker={"template": reordered})) == revision(template(worker={"template": turned}))


def test_a_changed_limit_is_another_template_only_where_it_is_a_number_of_threads() -> None:
    def number(limit: int, *applications: HostedApplication, **more: Any) -> str:  # noqa: ANN401
        return revision(template(*applications, worker={"maxConcurrentRequests": limit, **more}))

    assert number(5) == number(6)
    assert number(5, ASGI) != number(6, ASGI)
    assert number(5, WSGI) != number(6, WSGI)
    own = [{"name": "WEBGARDEN_THREADS", "value": "3"}]
    assert number(5, WSGI, env=own) == number(6, WSGI, env=own)
    made = template(WSGI, worker={"maxConcurrentRequests": 5, "env": own})
    assert environment(made)["WEBGARDEN_THREADS"] == "3"
    assert environment(template(WSGI, worker={"maxConcurrentRequests": 5000}))["WEBGARDEN_THREADS"] == "1000"


def test_building_changes_nothing_of_the_pool() -> None:
    given = {"spec": {"containers": [{"name": "worker", "env": [{"name": "A", "value": "1"}]}]}}
    made = pool(worker={"template": given})
    before = deepcopy(made.as_dict())
    pod_template(made, None, IMAGES)
    assert made.as_dict() == before


def test_the_deployment_selects_its_revision_and_what_is_in_rotation() -> None:
    made = pool()
    number = revision(pod_template(made, None, IMAGES))
    body = deployment(made, pod_template(made, None, IMAGES), SCALING)
    selector = {"webgarden.dev/pool": "shop", "webgarden.dev/revision": number, "webgarden.dev/rotation": "in"}
    assert body["metadata"]["name"] == f"shop-{number}"
    assert body["spec"]["selector"]["matchLabels"] == selector
    assert selector.items() <= body["spec"]["template"]["metadata"]["labels"].items()
    assert body["spec"]["replicas"] == 2
    (owner,) = body["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == ("u1", True, False)
    assert body["spec"]["strategy"] == {"type": "Recreate"}
    patch = scale(SCALING)
    assert patch["metadata"]["annotations"] == body["metadata"]["annotations"]
    assert patch["spec"] == {"replicas": 2}


@pytest.mark.parametrize("name", ["a" * 63, "a" * 40 + "." + "b" * 22, "a" * 38 + "-" * 3 + "b" * 20])
def test_the_pods_of_a_pool_with_a_long_name_have_names_that_are_valid(name: str) -> None:
    body = deployment(pool(name), pod_template(pool(name), None, IMAGES), SCALING)
    prefix = body["metadata"]["name"].rpartition("-")[0]
    assert name.startswith(prefix)
    assert prefix[-1].isalnum()
    assert len(body["metadata"]["name"]) + len("-d4669494f-47v8k") <= 63


def test_a_readiness_probe_of_the_template_is_seen() -> None:
    probe = {"spec": {"containers": [{"name": "worker", "readinessProbe": {"httpGet": {"path": "/", "port": 80}}}]}}
    assert has_readiness_probe(template(worker={"template": probe}))
    assert not has_readiness_probe(template())
