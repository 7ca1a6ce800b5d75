"""What users and autoscalers see of the kinds: columns, defaults, scale; and that what our models write is kept as it is."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.cluster import binaries

from webgarden.api.conditions import Finding, Truth, merge
from webgarden.api.pool import (
    MAX_FAILURES,
    MAX_WORKERS,
    ApplicationPoolStatus,
    Failure,
    LastRecycle,
    PoolState,
    QueueStatus,
    WorkerState,
    WorkerStatus,
)
from webgarden.api.resource import API_VERSION
from webgarden.api.site import BindingStatus, SiteStatus
from webgarden.api.webserver import WebServerStatus

Kubectl = Callable[..., str]
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
CONDITIONS = merge((), [Finding(type="Ready", status=Truth.TRUE, reason="Running", observed_generation=1)], NOW)
WORKERS = tuple(
    WorkerStatus(
        name=f"shop-{number}",
        state=WorkerState.RUNNING,
        reason="Busy",
        start_time=NOW,
        address="10.0.0.1",
        requests=10,
        in_flight=1,
        last_request_time=NOW,
    )
    for number in range(MAX_WORKERS)
)
POOL_STATUS = ApplicationPoolStatus(
    observed_generation=1,
    state=PoolState.STARTED,
    reason="Running",
    replicas=2,
    ready_replicas=1,
    selector="webgarden.dev/pool=shop",
    workers=WORKERS[:2],
    recycles=17,
    last_recycle=LastRecycle(time=NOW, worker="shop-0", reason="OnDemand", result="Done", request="2026-05-01"),
    failures=(Failure(time=NOW, worker="shop-0", kind="Crash", message="exit code 1"),),
    queue=QueueStatus(length=3, rejected=4),
    conditions=CONDITIONS,
)
SITE_STATUS = SiteStatus(
    observed_generation=1,
    urls=("http://shop.example.com/",),
    bindings=(BindingStatus(host="shop.example.com", port=80, accepted=False, message="taken"),),
    conditions=CONDITIONS,
)


@pytest.fixture
def kubectl(crds: Path, tmp_path: Path) -> Iterator[Kubectl]:
    """kubectl in a namespace of the test's own. Its cache, too: another run may have had a server on the same port."""
    program = str(binaries.kubernetes() / "kubectl")
    namespace = f"test-{uuid4()}"

    def run(*arguments: str, stdin: Any = None) -> str:  # noqa: ANN401
        command = [program, f"--kubeconfig={crds}", f"--cache-dir={tmp_path}", f"--namespace={namespace}", *arguments]
        text = None if stdin is None else json.dumps(stdin)
        return subprocess.run(command, input=text, check=True, stdout=subprocess.PIPE, text=True).stdout

    run("create", "namespace", namespace)
    yield run
    run("delete", "webserver", "--all")
    run("delete", "namespace", namespace, "--wait=false")


def make(kubectl: Kubectl, kind: str, name: str, **fields: Any) -> None:  # noqa: ANN401
    body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, **fields}
    kubectl("create", "--filename=-", stdin=body)


def write_status(kubectl: Kubectl, what: str, status: dict[str, Any]) -> dict[str, Any]:
    patch = json.dumps({"status": status})
    kubectl("patch", what, "--subresource=status", "--type=merge", f"--patch={patch}")
    written: dict[str, Any] = json.loads(kubectl("get", what, "--output=json"))["status"]
    return written


def row(kubectl: Kubectl, what: str, *options: str) -> dict[str, str]:
    """What `kubectl get` shows: column -> value."""
    titles, values = kubectl("get", what, *options).splitlines()
    starts = [titles.index(title) for title in titles.split()]
    ends = [*starts[1:], None]
    cells = [values[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    return dict(zip(titles.split(), cells, strict=True))


def test_a_pool_shows_how_it_is(kubectl: Kubectl) -> None:
    make(kubectl, "ApplicationPool", "shop")
    write_status(kubectl, "pool/shop", POOL_STATUS.as_dict())
    shown = row(kubectl, "apppool/shop")
    assert shown.pop("AGE")
    assert shown == {
        "NAME": "shop",
        "STATE": "Started",
        "READY": "1",
        "MAX": "1",
        "QUEUE": "3",
        "RECYCLES": "17",
        "REASON": "Running",
    }


def test_a_pool_shows_more_when_asked(kubectl: Kubectl) -> None:
    make(kubectl, "ApplicationPool", "shop", spec={"worker": {"image": "shop:1"}})
    shown = row(kubectl, "pool/shop", "--output=wide")
    assert (shown["IMAGE"], shown["IDLE"]) == ("shop:1", "20m")


def test_a_site_and_the_web_server_show_whether_they_are_ready(kubectl: Kubectl) -> None:
    spec = {"bindings": [{}], "applications": [{"path": "/", "pool": "shop"}]}
    make(kubectl, "Site", "shop", spec=spec)
    make(kubectl, "WebServer", "default")
    write_status(kubectl, "site/shop", SITE_STATUS.as_dict())
    write_status(kubectl, "webserver/default", WebServerStatus(listeners=1, conditions=CONDITIONS).as_dict())
    site, server = row(kubectl, "site/shop"), row(kubectl, "webserver/default")
    assert (site["READY"], site["URL"], site["REASON"]) == ("True", "http://shop.example.com/", "Running")
    assert (server["READY"], server["LISTENERS"], server["WANTED"]) == ("True", "1", "2")


def test_one_word_lists_all_kinds(kubectl: Kubectl) -> None:
    make(kubectl, "ApplicationPool", "shop")
    make(kubectl, "WebServer", "default")
    listed = kubectl("get", "webgarden", "--output=name").split()
    assert listed == ["applicationpool.webgarden.dev/shop", "webserver.webgarden.dev/default"]


def test_a_pool_shows_its_defaults(kubectl: Kubectl) -> None:
    make(kubectl, "ApplicationPool", "shop")
    assert json.loads(kubectl("get", "pool/shop", "--output=json"))["spec"] == {
        "autoStart": True,
        "startMode": "OnDemand",
        "queueLength": 1000,
        "worker": {"port": 8080, "maxConcurrentRequests": 100},
        "processModel": {
            "idleTimeout": "20m",
            "maxProcesses": 1,
            "startupTimeLimit": "90s",
            "shutdownTimeLimit": "90s",
        },
        "recycling": {"disallowOverlappingRotation": False},
    }


def test_the_web_server_shows_its_defaults(kubectl: Kubectl) -> None:
    make(kubectl, "WebServer", "default")
    shown = json.loads(kubectl("get", "webserver/default", "--output=json"))["spec"]
    listener = {"replicas": 2, "ports": [80], "service": {"type": "ClusterIP"}, "threads": 2, "accessLog": "Failed"}
    assert shown == {"listener": {**listener, "maxHeadSize": "64Ki", "maxHeadLines": 200}}


def test_scaling_a_pool_sets_the_size_of_its_web_garden(kubectl: Kubectl) -> None:
    make(kubectl, "ApplicationPool", "shop")
    write_status(kubectl, "pool/shop", POOL_STATUS.as_dict())
    kubectl("scale", "pool/shop", "--replicas=5")
    assert json.loads(kubectl("get", "pool/shop", "--output=json"))["spec"]["processModel"]["maxProcesses"] == 5
    scale = json.loads(kubectl("get", "pool/shop", "--subresource=scale", "--output=json"))
    assert scale["spec"] == {"replicas": 5}
    assert scale["status"] == {"replicas": 2, "selector": "webgarden.dev/pool=shop"}


def test_a_status_can_be_written_through_its_subresource_alone(kubectl: Kubectl) -> None:
    make(kubectl, "ApplicationPool", "shop", status={"state": "Started"})
    kubectl("patch", "pool/shop", "--type=merge", '--patch={"status": {"state": "Started"}}')
    assert "status" not in json.loads(kubectl("get", "pool/shop", "--output=json"))


def test_what_the_models_write_is_kept_as_it_is(kubectl: Kubectl) -> None:
    make(kubectl, "ApplicationPool", "shop")
    make(kubectl, "Site", "shop", spec={"bindings": [{}], "applications": [{"path": "/", "pool": "shop"}]})
    assert write_status(kubectl, "pool/shop", POOL_STATUS.as_dict()) == POOL_STATUS.as_dict()
    assert write_status(kubectl, "site/shop", SITE_STATUS.as_dict()) == SITE_STATUS.as_dict()


def test_the_largest_status_fits(kubectl: Kubectl, tmp_path: Path) -> None:
    make(kubectl, "ApplicationPool", "shop")
    failure = Failure(time=NOW, worker="x" * 253, kind="Crash", message="x" * 2000)
    status = POOL_STATUS.model_copy(update={"workers": WORKERS, "failures": (failure,) * MAX_FAILURES})
    file = tmp_path / "patch.json"
    file.write_text(json.dumps({"status": status.as_dict()}))
    kubectl("patch", "pool/shop", "--subresource=status", "--type=merge", f"--patch-file={file}")
    written = json.loads(kubectl("get", "pool/shop", "--output=json"))["status"]
    assert (len(written["workers"]), len(written["failures"])) == (MAX_WORKERS, MAX_FAILURES)
