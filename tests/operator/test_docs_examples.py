"""What the pages and examples show is accepted by a real API server: every manifest, every kubectl line that can be tried.

Lines that read run as they stand; lines that change something get `--dry-run=server`. The names they use (`shop`,
`webgarden`) are made here. What needs a kubelet (`logs`, `port-forward`) is left out, and what needs a file.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import binaries

from webgarden.api import reference
from webgarden.api.crd import schema
from webgarden.api.kinds import KINDS
from webgarden.api.resource import API_VERSION

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("charts/*/README.md")])
EXAMPLES = sorted(ROOT.glob("examples/**/*.yaml"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
READING = ("get", "describe", "events", "explain", "wait")
CHANGING = ("annotate", "delete", "label", "patch", "scale")
CONDITION = {
    "type": "Ready",
    "status": "True",
    "reason": "Running",
    "message": "",
    "lastTransitionTime": "2026-05-01T12:00:00Z",
}
Manifest = dict[str, Any]
Kubectl = Callable[..., subprocess.CompletedProcess[str]]


def blocks(page: Path, language: str) -> Iterator[str]:
    return (text for name, text in FENCE.findall(page.read_text("utf-8")) if name == language)


def shown() -> Iterator[tuple[str, str]]:
    """(where, text) of every manifest that a reader may copy."""
    for page in PAGES:
        texts = [text for text in blocks(page, "yaml") if "apiVersion:" in text]
        yield from ((f"{page.relative_to(ROOT)}:{number}", text) for number, text in enumerate(texts, 1))
    yield from ((str(path.relative_to(ROOT)), path.read_text("utf-8")) for path in EXAMPLES)


def lines() -> Iterator[tuple[str, str]]:
    """(where, command) of every kubectl line, in blocks and in the text."""
    for page in PAGES:
        text = page.read_text("utf-8")
        typed = "\n".join(blocks(page, "sh")).replace("\\\n", " ").splitlines()
        inline = re.findall(r"`(kubectl [^`]+)`", FENCE.sub("", text))
        for line in [*typed, *(one for one in inline if len(one.split()) > 3)]:
            if line.startswith("kubectl ") and (command := tried(line)):
                yield str(page.relative_to(ROOT)), command


def tried(line: str) -> str:
    """The line as it is run here; empty when it is not."""
    command = re.sub(r"\s+#.*", "", line)
    verb = next(word for word in re.sub(r" -n \S+", "", command).split()[1:] if not word.startswith("-"))
    if verb in CHANGING:
        return f"{command} --dry-run=server"
    return command if verb in READING else ""


@pytest.fixture(scope="module")
def kubectl(crds: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """Runs a shell command whose `kubectl` is that of the test's API server, in the namespace `shop`."""
    folder = tmp_path_factory.mktemp("docs")
    program = [str(binaries.kubernetes() / "kubectl"), f"--kubeconfig={folder}/config", f"--cache-dir={folder}/cache"]
    shutil.copy(crds, folder / "config")
    (folder / "kubectl").write_text(f'#!/bin/sh\nexec {shlex.join(program)} "$@"\n')
    (folder / "kubectl").chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}

    def run(command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", command], input=stdin, capture_output=True, text=True, env=environment, check=False
        )

    run("kubectl config set-context --current --namespace=shop")
    made = [m for m in what_the_lines_name() if run("kubectl create -f -", json.dumps(m)).returncode == 0]
    for what, status in statuses().items():
        assert run(f"kubectl patch {what} --subresource=status --type=merge -p '{json.dumps(status)}'").returncode == 0
    yield run
    run("kubectl delete --wait=false -f -", json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))


def what_the_lines_name() -> Iterator[Manifest]:
    for name in ("shop", "webgarden"):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    account = {"name": "webgarden-listener", "namespace": "webgarden"}
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}
    site = {"bindings": [{"host": "shop.example.com"}], "applications": [{"path": "/", "pool": "shop"}]}
    shop = {"name": "shop", "namespace": "shop"}
    yield {"apiVersion": API_VERSION, "kind": "ApplicationPool", "metadata": shop}
    yield {"apiVersion": API_VERSION, "kind": "ApplicationPool", "metadata": {**shop, "name": "hello"}}
    yield {"apiVersion": API_VERSION, "kind": "Site", "metadata": shop, "spec": site}
    yield {"apiVersion": API_VERSION, "kind": "WebServer", "metadata": {"name": "default"}}


def statuses() -> dict[str, Manifest]:
    time = CONDITION["lastTransitionTime"]
    recycle = {"time": time, "worker": "shop-1", "reason": "OnDemand", "result": "Succeeded"}
    pool = {"state": "Started", "recycles": 1, "lastRecycle": recycle, "workers": [{"name": "w", "state": "Running"}]}
    binding = {"host": "shop.example.com", "port": 80, "accepted": True}
    return {
        "pool/shop": {"status": {**pool, "conditions": [CONDITION]}},
        "site/shop": {"status": {"bindings": [binding], "conditions": [CONDITION]}},
    }


@pytest.mark.parametrize(("where", "text"), [pytest.param(where, text, id=where) for where, text in shown()])
def test_a_manifest_that_is_shown_is_accepted(kubectl: Kubectl, where: str, text: str) -> None:
    items = [here(manifest) for manifest in yaml.safe_load_all(text) if manifest]
    assert items, where
    answer = kubectl(
        "kubectl apply --server-side --force-conflicts --dry-run=server --validate=strict -f -",
        json.dumps({"apiVersion": "v1", "kind": "List", "items": items}),
    )
    assert answer.returncode == 0, answer.stderr


def here(manifest: Manifest) -> Manifest:
    """In a namespace that there is: a dry run makes none."""
    if manifest["kind"] in ("Namespace", "WebServer"):
        return manifest
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": "shop"}}


@pytest.mark.parametrize(("page", "command"), list(lines()))
def test_a_line_that_is_shown_does_what_it_says(kubectl: Kubectl, page: str, command: str) -> None:
    answer = kubectl(command)
    absent = "NotFound" in answer.stderr and " get " in command
    assert answer.returncode == 0 or absent, answer.stderr
    for path in re.findall(r"[{ ]\.((?:spec|status)[\w.\[\]*]*)", command):
        assert path.replace("[*]", "[]") in paths(), path
    if "jsonpath" in command and not absent:
        assert re.search(r"\w", answer.stdout), "the path leads to nothing"


def paths() -> set[str]:
    """`spec.x.y`, `status.z[]` of all kinds."""
    parts = [(part, schema(kind.model)["properties"][part]) for kind in KINDS for part in ("spec", "status")]
    fields = {f"{part}.{row.path}" for part, node in parts for row in reference.rows(node)}
    return fields | {f"{field}[]" for field in fields}


def test_there_are_lines_to_try() -> None:
    """Else a change to the pages, or to how they are read, would empty the tests above."""
    verbs = {command.split()[1] for _, command in lines()}
    assert {"annotate", "get", "patch", "scale"} <= verbs
    assert len(list(shown())) > 10
