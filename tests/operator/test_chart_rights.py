"""The operator as the chart runs it: its environment, with no rights but those of its account, against a real API server."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import binaries, controlplane

CHART = Path(__file__).parents[2] / "charts" / "webgarden"
POOL = {
    "apiVersion": "webgarden.dev/v1alpha1",
    "kind": "ApplicationPool",
    "metadata": {"name": "shop", "namespace": "default"},
    "spec": {"startMode": "AlwaysRunning", "worker": {"image": "shop:1"}},
}
APP = {"kind": "Static", "root": "/srv"}
SITE = {
    "apiVersion": "webgarden.dev/v1alpha1",
    "kind": "Site",
    "metadata": {"name": "shop", "namespace": "default"},
    "spec": {"bindings": [{}], "applications": [{"path": "/", "pool": "shop", "app": APP}]},
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Kubeconfig of an administrator of a cluster in which the chart is installed."""
    directory = tmp_path_factory.mktemp("rights")
    with controlplane.running(directory) as kubeconfig:
        chart = ["install", "garden", str(CHART), "--namespace=web", "--create-namespace"]
        run([str(binaries.helm()), f"--kubeconfig={kubeconfig}", *chart])
        kubectl(kubeconfig, "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        yield kubeconfig


@pytest.fixture(scope="module")
def log(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What the operator says while it runs with the rights of its account."""
    directory = tmp_path_factory.mktemp("operator")
    (directory / "kubeconfig").write_text(yaml.safe_dump(as_operator(installed)))
    environment = {**os.environ, **given(installed), "KUBECONFIG": str(directory / "kubeconfig")}
    written = directory / "log"
    with (
        written.open("w") as output,
        subprocess.Popen([sys.executable, "-m", "webgarden"], env=environment, stdout=output, stderr=output) as process,
    ):
        yield written
        process.terminate()


def run(command: list[str], stdin: str | None = None) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def kubectl(kubeconfig: Path, *arguments: str, stdin: Any = None) -> str:  # noqa: ANN401
    program = [str(binaries.kubernetes() / "kubectl"), f"--kubeconfig={kubeconfig}", f"--cache-dir={kubeconfig.parent}"]
    return run([*program, *arguments], None if stdin is None else json.dumps(stdin))


def as_operator(kubeconfig: Path) -> dict[str, Any]:
    """The same server, with a token of the operator's account."""
    config: dict[str, Any] = yaml.safe_load(kubeconfig.read_text())
    token = kubectl(kubeconfig, "create", "token", "webgarden-operator", "--namespace=web")
    config["users"][0]["user"] = {"token": token}
    return config


def given(kubeconfig: Path) -> dict[str, str]:
    """The environment of the chart's container, with ports that are free here."""
    found = json.loads(kubectl(kubeconfig, "get", "deployment/webgarden-operator", "--namespace=web", "--output=json"))
    (container,) = found["spec"]["template"]["spec"]["containers"]
    literal = {entry["name"]: entry["value"] for entry in container["env"] if "value" in entry}
    here = {"WEBGARDEN_NAMESPACE": "web", "WEBGARDEN_POD": "operator-0"}
    return literal | here | {"WEBGARDEN_HEALTH_PORT": free_port(), "WEBGARDEN_LINK_PORT": free_port()}


def free_port() -> str:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return str(bound.getsockname()[1])


def until(found: Callable[[], str], what: str, log: Path) -> str:
    deadline = time.monotonic() + 60
    while not (value := found()):
        assert time.monotonic() < deadline, f"{what}\n{log.read_text()[-4000:]}"
        time.sleep(0.2)
    return value


def test_the_operator_can_do_all_that_it_does_and_goes_without_a_trace(installed: Path, log: Path) -> None:
    def read(what: str, path: str, namespace: str = "web") -> Callable[[], str]:
        options = [f"--namespace={namespace}", "--ignore-not-found", f"--output=jsonpath={path}"]
        return lambda: kubectl(installed, "get", what, *options)

    until(read("webserver/default", "{.status.conditions[0].type}"), "the WebServer has no status", log)
    until(read("deployment/webgarden-listener", "{.metadata.uid}"), "there is no listener", log)
    until(read("poddisruptionbudget/webgarden-listener", "{.metadata.uid}"), "it has no disruption budget", log)
    until(read("configmap/webgarden-link-ca", "{.metadata.ownerReferences}"), "the authority is not owned", log)
    kubectl(installed, "create", "--filename=-", stdin=SITE)
    until(read("site/shop", "{.status.conditions[0].type}", "default"), "the site has no status", log)
    kubectl(installed, "create", "--filename=-", stdin=POOL)
    until(read("pool/shop", "{.status.state}", "default"), "the pool has no status", log)
    worker = ["deployments", "--selector=webgarden.dev/pool=shop", "--output=name"]
    until(lambda: kubectl(installed, "get", *worker), "there is no worker", log)
    hosted = ["configmaps", "--selector=webgarden.dev/pool=shop", "--output=name"]
    until(lambda: kubectl(installed, "get", *hosted), "it has nothing to host", log)
    kubectl(installed, "patch", "pool/shop", "--type=merge", "--patch", '{"spec":{"state":"Stopped"}}')
    kubectl(installed, "delete", "site/shop")
    until(lambda: "" if kubectl(installed, "get", *hosted) else "none", "what it had to host is left behind", log)
    assert "forbidden" not in log.read_text().lower()

    run([str(binaries.helm()), f"--kubeconfig={installed}", "uninstall", "garden", "--namespace=web"])
    until(lambda: "" if left(installed) else "nothing", "the release has left something", log)


def left(kubeconfig: Path) -> set[str]:
    """What there is in the namespace of the release beyond what every namespace has, and of the cluster's own kinds."""
    namespaced = "deployments,pods,services,configmaps,secrets,serviceaccounts,leases,poddisruptionbudgets,roles"
    found = kubectl(kubeconfig, "get", namespaced, "--namespace=web", "--output=name").split()
    found += kubectl(kubeconfig, "get", "webservers", "--output=name").split()
    return set(found) - {"configmap/kube-root-ca.crt", "serviceaccount/default"}
