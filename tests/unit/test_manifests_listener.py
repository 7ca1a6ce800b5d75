"""The listener's pod: what each container is told, may do, and is asked whether it lives."""

from __future__ import annotations

from typing import Any

import pytest

from webgarden.api.webserver import WebServer
from webgarden.manifests.listener import Place, objects

PLACE = Place(namespace="web", image="listener:1", pull_policy="Always", pull_secrets=("s",), link_url="wss://o/link")
Json = dict[str, Any]


def deployment(**listener: object) -> Json:
    body = {"kind": "WebServer", "metadata": {"name": "default", "uid": "u"}, "spec": {"listener": listener}}
    made = {m["kind"]: m for m in objects(WebServer.model_validate(body), PLACE)}
    found: Json = made["Deployment"]["spec"]
    return found


def pod(**listener: object) -> Json:
    found: Json = deployment(**listener)["template"]["spec"]
    return found


def container(name: str, **listener: object) -> Json:
    (found,) = [c for c in pod(**listener)["containers"] if c["name"] == name]
    assert isinstance(found, dict)
    return found


def environment(name: str, **listener: object) -> dict[str, str]:
    return {e["name"]: e.get("value", "") for e in container(name, **listener)["env"]}


def test_there_are_haproxy_and_its_agent_and_nothing_else() -> None:
    commands = {c["name"]: c["command"] for c in pod()["containers"]}
    assert commands == {"haproxy": ["webgarden-listener", "haproxy"], "agent": ["webgarden-listener", "agent"]}


def test_each_is_asked_on_its_own_port_whether_it_lives() -> None:
    haproxy, agent = container("haproxy"), container("agent")
    ports = {p["name"]: p["containerPort"] for c in (haproxy, agent) for p in c["ports"]}
    assert (ports["health"], ports["agent-health"]) == (8404, 8405)
    assert haproxy["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "health"}
    assert haproxy["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "health"}
    assert agent["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "agent-health"}
    assert "readinessProbe" not in agent  # requests are HAProxy's
    assert environment("agent")["WEBGARDEN_AGENT_HEALTH_PORT"] == "8405"


def test_a_pod_that_ends_finishes_what_it_has_within_its_grace() -> None:
    hooks = [c["lifecycle"]["preStop"]["exec"]["command"] for c in pod()["containers"]]
    assert hooks == [["webgarden-listener", "leave"], ["webgarden-listener", "stay"]]
    said = environment("haproxy")
    took = int(said["WEBGARDEN_LINGER"]) + int(said["WEBGARDEN_GRACE"])
    assert pod()["terminationGracePeriodSeconds"] == took + 15


def test_what_they_share_is_in_memory() -> None:
    volumes = {v["name"]: v for v in pod()["volumes"]}
    assert volumes["run"] == {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}
    for each in pod()["containers"]:
        assert {m["name"]: m["mountPath"] for m in each["volumeMounts"]}["run"] == "/run/webgarden"


def test_haproxy_has_the_resources_that_the_web_server_names() -> None:
    assert container("haproxy")["resources"] == {"requests": {"cpu": "100m", "memory": "128Mi"}}
    given = {"limits": {"memory": "1Gi"}}
    assert container("haproxy", resources=given)["resources"] == given
    assert container("agent", resources=given)["resources"] == {"requests": {"cpu": "20m", "memory": "64Mi"}}


def test_the_pod_keeps_to_the_restricted_standard() -> None:
    context = pod()["securityContext"]
    assert context["runAsNonRoot"] and context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod()["automountServiceAccountToken"] is False
    for each in pod()["containers"]:
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }


@pytest.mark.parametrize(
    ("given", "told"), [("64Ki", "65536"), ("1Mi", "1048576"), ("20k", "20000"), (131072, "131072")]
)
def test_the_size_of_a_head_is_told_in_bytes(given: object, told: str) -> None:
    assert environment("haproxy", maxHeadSize=given)["WEBGARDEN_HEAD_SIZE"] == told


def test_limits_of_a_head_have_defaults_and_make_new_pods() -> None:
    said = environment("haproxy")
    assert (said["WEBGARDEN_HEAD_SIZE"], said["WEBGARDEN_HEAD_LINES"]) == ("65536", "200")
    assert environment("haproxy", maxHeadLines=300)["WEBGARDEN_HEAD_LINES"] == "300"
    assert deployment()["template"] != deployment(maxHeadLines=300)["template"]


def test_ports_of_sites_are_mapped_to_ports_that_need_no_privilege() -> None:
    ports = {p["name"]: p["containerPort"] for p in container("haproxy", ports=[443, 80])["ports"]}
    assert ports == {"http-80": 10_000, "http-443": 10_001, "health": 8404}
    assert environment("agent", ports=[443, 80])["WEBGARDEN_PORTS"] == "80:10000,443:10001"
