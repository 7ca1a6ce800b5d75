"""The chart as Helm renders it: rights, pods, values; no cluster is asked."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import binaries

from webgarden.api import crd
from webgarden.manifests import names
from webgarden.settings import Settings

Json = dict[str, Any]
CHART = Path(__file__).parents[2] / "charts" / "webgarden"
TEMPLATE = ["template", "garden", str(CHART), "--namespace=web", "--kube-version=1.35.4"]
DIGEST = f"sha256:{'0' * 64}"


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(binaries.helm()), *arguments], capture_output=True, text=True, check=False)


def render(*values: str) -> list[Json]:
    """The objects, with `--set` for each of the values."""
    done = helm(*TEMPLATE, *(f"--set={value}" for value in values))
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_kind(kind: str, objects: list[Json]) -> list[Json]:
    return [found for found in objects if found["kind"] == kind]


def one(kind: str, name: str, objects: list[Json]) -> Json:
    (found,) = [found for found in of_kind(kind, objects) if found["metadata"]["name"] == name]
    return found


def pod_of(objects: list[Json]) -> Json:
    spec: Json = one("Deployment", "webgarden-operator", objects)["spec"]["template"]["spec"]
    return spec


def environment(objects: list[Json]) -> dict[str, str]:
    """As the container sees it; a field reference as the path it refers to."""
    (container,) = pod_of(objects)["containers"]
    return {
        variable["name"]: variable["value"] if "value" in variable else variable["valueFrom"]["fieldRef"]["fieldPath"]
        for variable in container["env"]
    }


def rights(objects: list[Json]) -> list[Json]:
    return [rule for role in (*of_kind("ClusterRole", objects), *of_kind("Role", objects)) for rule in role["rules"]]


def test_helm_finds_nothing_wrong() -> None:
    done = helm("lint", "--strict", str(CHART))
    assert done.returncode == 0, done.stdout


def test_an_old_cluster_is_refused() -> None:
    assert "incompatible with Kubernetes v1.29" in helm(*TEMPLATE, "--kube-version=1.29.9").stderr


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("replica=3", "additional properties 'replica' not allowed"),
        ("replicas=0", "/replicas"),
        ("image.name=operator", "'name' not allowed"),
        ("image.digest=sha256:1", "does not match pattern"),
        ("imagePullPolicy=Sometimes", "/imagePullPolicy"),
        ("crds.enable=true", "'enable' not allowed"),
        ("crds.keep=perhaps", "/crds/keep"),
        ("webServer.spec.listeners=2", "'listeners' not allowed"),
        ("webServer.spec.listener.threads=65", "/webServer/spec/listener/threads"),
        ("webServer.spec.listener.maxHeadSize=much", "/webServer/spec/listener/maxHeadSize"),
        ("webServer.spec.listener.maxHeadLines=9", "/webServer/spec/listener/maxHeadLines"),
        ("webServer.spec.listener.ports={80,80}", "/webServer/spec/listener/ports"),
        ("webServer.spec.listener.service.type=External", "/webServer/spec/listener/service/type"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(value: str, words: str) -> None:
    done = helm(*TEMPLATE, f"--set={value}")
    assert done.returncode != 0
    assert words in done.stderr


@pytest.mark.parametrize(
    "value",
    [
        "global.registry=example.com",
        f"image.digest={DIGEST}",
        "webServer.spec.listener.ports={80,8080}",
        "webServer.spec.listener.resources.limits.memory=1Gi",
        "webServer.spec.listener.maxHeadSize=128Ki",
        "webServer.spec.listener.maxHeadSize=65536",
        "webServer.spec.listener.service.annotations.a=b",
        "tolerations[0].operator=Exists",
        "affinity.podAntiAffinity.a=b",
    ],
)
def test_a_value_that_makes_sense_is_taken(value: str) -> None:
    assert render(value)


def test_no_rule_grants_everything() -> None:
    for rule in rights(render()):
        assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}


def test_the_operator_reads_and_writes_secrets_in_its_own_namespace_alone() -> None:
    objects = render()
    own = {"secrets", "services", "serviceaccounts", "poddisruptionbudgets", "leases"}
    wide = {
        resource: rule["verbs"]
        for role in of_kind("ClusterRole", objects)
        for rule in role["rules"]
        for resource in rule["resources"]
    }
    assert not wide.keys() & own
    assert wide["configmaps"] == ["create", "delete"]  # what workers host; nobody else's is read
    assert one("Role", "webgarden-operator", objects)["metadata"]["namespace"] == "web"


def test_what_is_named_in_the_rights_is_what_the_operator_names() -> None:
    granted = {
        resource: rule["resourceNames"]
        for rule in one("Role", "webgarden-operator", render())["rules"]
        for resource in rule["resources"]
        if "resourceNames" in rule
    }
    assert granted == {
        "configmaps": [names.AUTHORITY],
        "secrets": [names.AUTHORITY],
        "serviceaccounts": [names.LISTENER],
        "services": [names.LISTENER],
        "poddisruptionbudgets": [names.LISTENER],
        "leases": [names.LEASE],
    }


def test_every_subject_is_the_operator_in_the_release_s_namespace() -> None:
    objects = render()
    bindings = [*of_kind("RoleBinding", objects), *of_kind("ClusterRoleBinding", objects)]
    subject = {"kind": "ServiceAccount", "name": "webgarden-operator", "namespace": "web"}
    assert [binding["subjects"] for binding in bindings] == [[subject], [subject]]
    assert pod_of(objects)["serviceAccountName"] == "webgarden-operator"


def test_the_cluster_s_roles_are_extended_unless_that_is_off() -> None:
    extended = {role["metadata"]["name"] for role in of_kind("ClusterRole", render())}
    assert extended == {"webgarden-operator", "webgarden-view", "webgarden-edit"}
    assert len(of_kind("ClusterRole", render("rbac.aggregate=false"))) == 1


def test_every_pod_keeps_to_the_restricted_standard() -> None:
    objects = render()
    (test,) = of_kind("Pod", objects)
    for pod in (pod_of(objects), test["spec"]):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 65532
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }


def test_the_operator_gets_the_environment_that_it_needs() -> None:
    secrets = ("imagePullSecrets[0].name=one", "imagePullSecrets[1].name=two")
    settings = Settings.from_environment(environment(render("workerImage.tag=v9", "imagePullPolicy=Always", *secrets)))
    assert (settings.namespace, settings.identity) == ("metadata.namespace", "metadata.name")
    assert settings.worker_image == "ghcr.io/webgarden-dev/webgarden-worker:v9"
    assert settings.listener_image == "ghcr.io/webgarden-dev/webgarden-listener:0.1.0"
    assert settings.image_pull_policy == "Always"
    assert settings.image_pull_secrets == ("one", "two")
    assert Settings.from_environment(environment(render())).image_pull_secrets == ()


def test_ports_and_the_service_of_the_link_are_those_of_the_operator() -> None:
    objects = render()
    settings = Settings.from_environment(environment(objects))
    ports = {port["name"]: port["containerPort"] for port in pod_of(objects)["containers"][0]["ports"]}
    assert ports == {"health": settings.health_port, "link": settings.link_port}
    service = one("Service", settings.link_service, objects)["spec"]
    assert (service["clusterIP"], service["ports"][0]["port"]) == ("None", settings.link_port)


def test_a_service_selects_the_operator_s_pods_and_not_the_test_s() -> None:
    objects = render()
    selector = one("Service", "webgarden-link", objects)["spec"]["selector"].items()
    assert (
        selector <= one("Deployment", "webgarden-operator", objects)["spec"]["template"]["metadata"]["labels"].items()
    )
    assert not selector <= of_kind("Pod", objects)[0]["metadata"]["labels"].items()


def test_a_digest_goes_before_a_tag() -> None:
    (container,) = pod_of(render(f"image.digest={DIGEST}", "image.tag=v2"))["containers"]
    assert container["image"] == f"ghcr.io/webgarden-dev/webgarden-operator@{DIGEST}"


def test_values_of_the_pod_reach_it() -> None:
    objects = render(
        "podLabels.team=web",
        "podAnnotations.note=hello",
        "nodeSelector.disk=ssd",
        "tolerations[0].operator=Exists",
        "affinity.nodeAffinity.a=b",
        "priorityClassName=high",
        "imagePullSecrets[0].name=registry",
        "serviceAccount.annotations.role=web",
        "resources.limits.memory=1Gi",
        "replicas=3",
        "podDisruptionBudget.enabled=false",
    )
    deployment = one("Deployment", "webgarden-operator", objects)["spec"]
    pod, metadata = deployment["template"]["spec"], deployment["template"]["metadata"]
    assert deployment["replicas"] == 3
    assert (metadata["labels"]["team"], metadata["annotations"]) == ("web", {"note": "hello"})
    assert (pod["nodeSelector"], pod["tolerations"]) == ({"disk": "ssd"}, [{"operator": "Exists"}])
    assert (pod["affinity"], pod["priorityClassName"]) == ({"nodeAffinity": {"a": "b"}}, "high")
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert pod["containers"][0]["resources"]["limits"] == {"memory": "1Gi"}
    assert one("ServiceAccount", "webgarden-operator", objects)["metadata"]["annotations"] == {"role": "web"}
    assert of_kind("PodDisruptionBudget", objects) == []


def test_the_web_server_is_handed_to_the_operator() -> None:
    objects = render("webServer.spec.listener.replicas=3", "webServer.spec.listener.ports={80,8080}")
    assert json.loads(environment(objects)["WEBGARDEN_WEBSERVER"]) == {"listener": {"replicas": 3, "ports": [80, 8080]}}
    assert of_kind("WebServer", objects) == []


def test_no_web_server_is_made_when_that_is_off() -> None:
    objects = render("webServer.create=false")
    assert "WEBGARDEN_WEBSERVER" not in environment(objects)
    assert not any("create" in rule["verbs"] and "webservers" in rule["resources"] for rule in rights(objects))


def test_the_crds_are_those_of_the_models_and_are_kept() -> None:
    rendered = {found["metadata"]["name"]: found for found in of_kind("CustomResourceDefinition", render())}
    for text in crd.files().values():
        generated = yaml.safe_load(text)
        found = rendered.pop(generated["metadata"]["name"])
        assert found["metadata"].pop("annotations") == {"helm.sh/resource-policy": "keep"}
        assert found == generated
    assert rendered == {}


def test_crds_may_go_with_the_release_or_be_left_out() -> None:
    assert "annotations" not in of_kind("CustomResourceDefinition", render("crds.keep=false"))[0]["metadata"]
    assert of_kind("CustomResourceDefinition", render("crds.enabled=false")) == []


def test_helm_test_asks_the_first_port_of_the_listener() -> None:
    for value, url in (("replicas=2", "svc:80/"), ("webServer.spec.listener.ports={8080,80}", "svc:8080/")):
        (pod,) = of_kind("Pod", render(value))
        assert pod["spec"]["containers"][0]["env"][0]["value"] == f"http://{names.LISTENER}.web.{url}"
        compile(pod["spec"]["containers"][0]["args"][0], "test", "exec")
