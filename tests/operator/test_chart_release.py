"""The chart's life against a real API server: install, upgrade, uninstall, and what its accounts may do.

A control plane of its own, since Helm wants to be the one who installs the CRDs. No pod runs: the test plays the operator.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import binaries, controlplane

CHART = Path(__file__).parents[2] / "charts" / "webgarden"
OPERATOR = "system:serviceaccount:web:webgarden-operator"
Run = Callable[..., str]


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    directory = tmp_path_factory.mktemp("release")
    with controlplane.running(directory / "plane") as kubeconfig:
        options = [f"--kubeconfig={kubeconfig}", f"--cache-dir={directory}"]
        yield program([str(binaries.kubernetes() / "kubectl"), *options])


@pytest.fixture
def helm(kubectl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Helm in the namespace `web`; afterwards nothing of the chart is left."""
    for variable in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    kubeconfig = kubectl("config", "view", "--raw")
    (tmp_path / "kubeconfig").write_text(kubeconfig)
    run = program([str(binaries.helm()), f"--kubeconfig={tmp_path / 'kubeconfig'}", "--namespace=web"])
    yield run
    run("uninstall", "garden", "--ignore-not-found", "--wait")
    kubectl("delete", "crd", "--all")
    kubectl("delete", "rolebinding", "--all", "--namespace=default")


def program(start: list[str]) -> Run:
    def run(*arguments: str, stdin: str | None = None) -> str:
        done = subprocess.run([*start, *arguments], input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return run


def install(helm: Run, *options: str) -> str:
    return helm("install", "garden", str(CHART), "--create-namespace", *options)


def play_the_operator(kubectl: Run) -> None:
    """Make the WebServer as the chart asks for it, and a listener that it owns."""
    deployment = json.loads(kubectl("get", "deployment/webgarden-operator", "--namespace=web", "--output=json"))
    environment = {entry["name"]: entry for entry in deployment["spec"]["template"]["spec"]["containers"][0]["env"]}
    server = {
        "apiVersion": "webgarden.dev/v1alpha1",
        "kind": "WebServer",
        "metadata": {"name": "default", "ownerReferences": [owner(kubectl, "clusterrole/webgarden-operator")]},
        "spec": json.loads(environment["WEBGARDEN_WEBSERVER"]["value"]),
    }
    apply(kubectl, server)
    labels = {"app": "listener"}
    listener = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "webgarden-listener",
            "namespace": "web",
            "ownerReferences": [owner(kubectl, "webserver/default")],
        },
        "spec": {"selector": labels, "ports": [{"port": 80}]},
    }
    apply(kubectl, listener)


def apply(kubectl: Run, body: dict[str, Any]) -> None:
    """With the rights of the operator's account, as it does."""
    kubectl("apply", "--server-side", f"--as={OPERATOR}", "--filename=-", stdin=json.dumps(body))


def owner(kubectl: Run, what: str) -> dict[str, str]:
    found = json.loads(kubectl("get", what, f"--as={OPERATOR}", "--output=json"))
    return {key: found[key] for key in ("apiVersion", "kind")} | {
        key: found["metadata"][key] for key in ("name", "uid")
    }


def until_gone(kubectl: Run, what: str, *options: str) -> None:
    deadline = time.monotonic() + 120  # the garbage collector looks for new kinds twice a minute
    while kubectl("get", what, *options, "--ignore-not-found", "--output=name"):
        assert time.monotonic() < deadline, f"{what} is still there"
        time.sleep(0.2)


def make_pool(kubectl: Run) -> None:
    pool = {"apiVersion": "webgarden.dev/v1alpha1", "kind": "ApplicationPool", "metadata": {"name": "shop"}}
    kubectl("create", "--namespace=default", "--filename=-", stdin=json.dumps(pool))


def test_a_first_install_serves_the_kinds_and_says_what_to_do_next(helm: Run, kubectl: Run) -> None:
    notes = install(helm, "--set=webServer.spec.listener.replicas=3")
    assert "kubectl get webserver default" in notes
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    play_the_operator(kubectl)
    assert kubectl("get", "webserver/default", "--output=jsonpath={.spec.listener.replicas}") == "3"


def test_the_example_of_the_notes_is_accepted(helm: Run, kubectl: Run) -> None:
    notes = install(helm)
    example = "\n".join(line[2:] for line in notes.split("<<EOF\n")[1].split("  EOF")[0].splitlines())
    assert len(list(yaml.safe_load_all(example))) == 2
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    kubectl("create", "--namespace=default", "--filename=-", stdin=example)


def test_uninstalling_takes_the_web_server_and_the_listener_away_and_keeps_the_pools(helm: Run, kubectl: Run) -> None:
    install(helm)
    make_pool(kubectl)
    play_the_operator(kubectl)
    helm("uninstall", "garden")
    until_gone(kubectl, "webserver/default")
    until_gone(kubectl, "service/webgarden-listener", "--namespace=web")
    assert kubectl("get", "pool/shop", "--namespace=default", "--output=name") == "applicationpool.webgarden.dev/shop\n"


def test_a_release_can_be_installed_again(helm: Run, kubectl: Run) -> None:
    install(helm)
    make_pool(kubectl)
    helm("uninstall", "garden")
    install(helm)
    assert kubectl("get", "pool/shop", "--namespace=default", "--output=name")


def test_uninstalling_takes_everything_away_when_crds_are_not_kept(helm: Run, kubectl: Run) -> None:
    install(helm, "--set=crds.keep=false")
    make_pool(kubectl)
    play_the_operator(kubectl)
    helm("uninstall", "garden")
    until_gone(kubectl, "crd/applicationpools.webgarden.dev")
    until_gone(kubectl, "service/webgarden-listener", "--namespace=web")


def test_an_upgrade_upgrades_the_crds_and_keeps_the_web_server_and_the_leader(
    helm: Run, kubectl: Run, tmp_path: Path
) -> None:
    older = shutil.copytree(CHART, tmp_path / "older")
    file = older / "files" / "crds" / "webgarden.dev_sites.yaml"
    old = yaml.safe_load(file.read_text())
    del old["spec"]["versions"][0]["additionalPrinterColumns"]
    file.write_text(yaml.safe_dump(old))
    helm("install", "garden", str(older), "--create-namespace")
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    play_the_operator(kubectl)
    before = kubectl("get", "webserver/default", "--output=jsonpath={.metadata.uid}")
    lease = ["lease/webgarden-operator", "--namespace=web"]
    kubectl("patch", *lease, "--type=merge", '--patch={"spec": {"holderIdentity": "operator-0"}}')
    helm("upgrade", "garden", str(CHART))
    columns = "--output=jsonpath={.spec.versions[0].additionalPrinterColumns[*].name}"
    assert kubectl("get", "crd/sites.webgarden.dev", columns) == "Ready URL Reason Age"
    assert kubectl("get", "webserver/default", "--output=jsonpath={.metadata.uid}") == before
    assert kubectl("get", *lease, "--output=jsonpath={.spec.holderIdentity}") == "operator-0"


MAY = [
    "list applicationpools.webgarden.dev --all-namespaces",
    "patch applicationpools.webgarden.dev/shop --subresource=status --namespace=pools",
    "patch webservers.webgarden.dev/default --subresource=status",
    "create webservers.webgarden.dev",
    "patch webservers.webgarden.dev/default",
    "delete deployments.apps/shop --namespace=pools",
    "create deployments.apps --namespace=pools",
    "watch pods --all-namespaces",
    "patch pods/shop --namespace=pools",
    "delete pods/shop --namespace=pools",
    "create events.events.k8s.io --namespace=pools",
    "create tokenreviews.authentication.k8s.io",
    "patch secrets/webgarden-link-ca --namespace=web",
    "create secrets --namespace=web",
    "patch services/webgarden-listener --namespace=web",
    "create poddisruptionbudgets.policy --namespace=web",
    "update leases.coordination.k8s.io/webgarden-operator --namespace=web",
]
MAY_NOT = [
    "patch applicationpools.webgarden.dev/shop --namespace=pools",
    "delete applicationpools.webgarden.dev/shop --namespace=pools",
    "patch sites.webgarden.dev/shop --namespace=pools",
    "delete webservers.webgarden.dev/default",
    "create pods --namespace=pools",
    "create pods --subresource=exec --namespace=pools",
    "get secrets/webgarden-link-ca --namespace=pools",
    "get secrets/else --namespace=web",
    "list secrets --namespace=web",
    "create serviceaccounts --namespace=pools",
    "create serviceaccounts --subresource=token --namespace=web",
    "get clusterroles.rbac.authorization.k8s.io/admin",
    "escalate clusterroles.rbac.authorization.k8s.io",
    "list nodes",
    "list namespaces",
    "patch customresourcedefinitions.apiextensions.k8s.io/sites.webgarden.dev",
]


def answer(kubectl: Run, question: str, user: str = OPERATOR) -> str:
    """Yes or no: may the user?"""
    verb, what, *rest = question.split()
    options = {key.lstrip("-"): value for key, _, value in (option.partition("=") for option in rest)}
    resource, _, name = what.partition("/")
    plural, _, group = resource.partition(".")
    attributes = {
        "verb": verb,
        "group": group,
        "resource": plural,
        "name": name,
        "namespace": options.get("namespace", ""),
        "subresource": options.get("subresource", ""),
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": user, "resourceAttributes": attributes},
    }
    created = kubectl("create", "--filename=-", "--output=json", stdin=json.dumps(review))
    return "yes" if json.loads(created)["status"]["allowed"] else "no"


def test_the_operator_may_do_what_it_must_and_no_more(helm: Run, kubectl: Run) -> None:
    install(helm)
    assert {question: answer(kubectl, question) for question in MAY} == dict.fromkeys(MAY, "yes")
    assert {question: answer(kubectl, question) for question in MAY_NOT} == dict.fromkeys(MAY_NOT, "no")


@pytest.mark.parametrize(
    ("role", "allowed", "denied"),
    [
        ("view", "list applicationpools", "create applicationpools"),
        ("edit", "patch applicationpools --subresource=scale", "patch applicationpools --subresource=status"),
        ("admin", "delete sites", "create webservers"),
    ],
)
def test_the_roles_of_the_cluster_cover_our_kinds(
    role: str, allowed: str, denied: str, helm: Run, kubectl: Run
) -> None:
    install(helm)
    kubectl("create", "rolebinding", role, f"--clusterrole={role}", f"--user={role}er", "--namespace=default")

    def may(what: str) -> str:
        verb, resource, *rest = what.split()
        return answer(kubectl, " ".join([verb, f"{resource}.webgarden.dev", "--namespace=default", *rest]), f"{role}er")

    deadline = time.monotonic() + 30  # the controller manager puts the rules together
    while may(allowed) == "no":
        assert time.monotonic() < deadline, f"{role} may not {allowed}"
        time.sleep(0.2)
    assert may(denied) == "no"
