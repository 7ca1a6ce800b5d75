"""The release itself: who may connect, upgrades under load (A24), what uninstalling leaves (A23), and the examples.

These tests change the release, and leave it as they found it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml
from tests.cluster import images
from tests.e2e.asking import ask
from tests.e2e.installation import CHART, NAMESPACE, RELEASE, Installation
from tests.e2e.kubernetes import Body
from tests.e2e.tenant import Tenant
from tests.e2e.traffic import traffic
from tests.e2e.waiting import until
from tests.worker.browser import Browser

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def test_helm_says_that_the_listener_answers(installation: Installation) -> None:
    assert "Phase:          Succeeded" in installation.run("helm", "test", RELEASE, f"--namespace={NAMESPACE}")


def test_an_upgrade_that_replaces_operators_and_listeners_loses_no_request(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning", model={"maxProcesses": 2})
    workers = pool.running(2)
    before = {p["metadata"]["name"] for kind in ("operator", "listener") for p in tenant.installation.pods(kind)}
    clients = (pool.clients(rate=50), pool.clients(rate=25, keep_alive=False), pool.clients(rate=50, method="POST"))
    with traffic(*clients) as load:
        load.answered(100)
        tenant.installation.install("podAnnotations.upgraded=yes", "webServer.spec.listener.threads=1")
        tenant.installation.rolled_out("WEBGARDEN_THREADS", "1")
        tenant.installation.install()
        tenant.installation.rolled_out("WEBGARDEN_THREADS", "2")
        load.answered(100)
        result = load.end()
    after = {p["metadata"]["name"] for kind in ("operator", "listener") for p in tenant.installation.pods(kind)}
    assert result.failed == 0
    assert not before & after
    assert pool.running(2) == workers, "an upgrade of ours is no reason to replace theirs"


def test_a_web_server_that_is_deleted_comes_back_and_the_listeners_with_it(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning")
    workers = pool.running(1)
    kubernetes = tenant.installation.kubernetes
    before = {p["metadata"]["name"] for p in tenant.installation.pods("listener")}
    tenant.installation.kubectl("delete", "webserver", "default", "--wait=false")

    def replaced() -> bool:
        pods = {p["metadata"]["name"] for p in tenant.installation.pods("listener")}
        return len(pods) == 2 and not pods & before and kubernetes.get("WebServer", "default") is not None

    until(replaced, "other listeners", seconds=120, seen=lambda: tenant.installation.pods("listener"))
    tenant.installation.connected()
    pool.until(lambda: pool.ask().status == 200, "the pool to be served again")
    assert pool.running(1) == workers


def test_who_comes_to_the_link_with_another_token_is_refused(tenant: Tenant) -> None:
    installation = tenant.installation
    token = installation.kubectl("create", "token", "default", "-n", tenant.namespace, "--audience=webgarden-link")
    leader = _leader(installation)
    refused = _knock(installation, leader, token.strip())
    without = _knock(installation, leader, "")
    print(f"{refused} / {without}")
    for said in (refused, without):
        assert "401" in said or "403" in said or "Refusal" in said
        assert "Table" not in said
    # The two listeners alone are in, once those that the test before replaced have gone.
    until(lambda: _connected(installation) == 2, "two listeners are connected", seconds=180)


def _connected(installation: Installation) -> int:
    server = installation.kubernetes.get("WebServer", "default")
    return int(server["status"]["listeners"]) if server else 0


KNOCK = """
import asyncio, sys, aiohttp, ssl
async def knock(url, token):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with aiohttp.ClientSession() as session:
        try:
            async with session.ws_connect(url, headers=headers, ssl=False, timeout=10) as link:
                await link.send_str('{"kind": "Hello", "protocol": 1, "listener": "stranger", "boot": "x"}')
                print((await asyncio.wait_for(link.receive(), 10)).data)
        except aiohttp.WSServerHandshakeError as error:
            print(error.status)
asyncio.run(knock(*sys.argv[1:]))
"""


def _leader(installation: Installation) -> str:
    lease = installation.kubernetes.get("Lease", "webgarden-operator", NAMESPACE)
    assert lease
    pods = installation.pods("operator")
    holder = lease["spec"]["holderIdentity"]
    return next(str(p["status"]["podIP"]) for p in pods if p["metadata"]["name"] == holder)


def _knock(installation: Installation, address: str, token: str) -> str:
    command = [sys.executable, "-c", KNOCK, f"wss://{address}:8443/link", token]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def test_the_quickstart_runs(installation: Installation) -> None:
    with _Example(installation, EXAMPLES / "quickstart.yaml") as example:
        assert example.asked("/").count("It grows")
        assert '"root_path"' in example.asked("/app/")


def test_datasette_answers_questions_about_its_data(installation: Installation) -> None:
    with _program(installation, "datasette") as example:
        assert "Datasette" in example.asked("/")
        sql = quote("select count(*) as count from characters where category = 'Nd' and numeric_value = 7")
        (seven,) = json.loads(example.asked(f"/unicode.json?sql={sql}&_shape=array"))
        print(f"{seven['count']} characters are a seven")
        assert seven["count"] > 50


def test_a_visitor_of_a_django_wiki_stays_logged_in_when_its_worker_is_recycled(installation: Installation) -> None:
    with _program(installation, "django") as example:
        assert "The garden" in example.asked("/")
        browser = Browser(f"http://{installation.listener.address}", host=example.host)
        assert browser.open("/_accounts/login/") == 200
        assert browser.submit(username="gardener", password="gardener") == 200
        example.recycle()
        assert (browser.open("/_create/"), browser.path) == (200, "/_create/")


@contextmanager
def _program(installation: Installation, name: str) -> Iterator[_Example]:
    """An example that brings an image of its own."""
    image = images.extra(EXAMPLES / name, f"{images.REGISTRY}/example-{name}:dev")
    installation.way.build(image)
    installation.way.load([image.tag])
    with _Example(installation, EXAMPLES / name / f"{name}.yaml") as example:
        yield example


class _Example:
    def __init__(self, installation: Installation, manifest: Path) -> None:
        self._installation = installation
        self._text = manifest.read_text().replace(f"{images.LOCAL}/", f"{images.REGISTRY}/")
        self._bodies: list[Body] = [b for b in yaml.safe_load_all(self._text) if b]

    def __enter__(self) -> _Example:
        self._installation.kubectl("apply", "--filename=-", stdin=self._text)
        return self

    def __exit__(self, *_: object) -> None:
        self._installation.kubectl("delete", "--filename=-", "--ignore-not-found", stdin=self._text)

    def _body(self, kind: str) -> Body:
        return next(b for b in self._bodies if b["kind"] == kind)

    @property
    def host(self) -> str:
        return str(self._body("Site")["spec"]["bindings"][0]["host"])

    def asked(self, path: str) -> str:
        """The page, once the site is known."""
        place = self._installation.listener
        known = lambda: ask(place, self.host, path).reason != "NoSite"  # noqa: E731
        until(known, f"{self.host} to be known", seconds=60)
        answer = ask(place, self.host, path)
        while answer.status in (301, 302):
            answer = ask(place, self.host, answer.headers["location"])
        assert answer.status == 200, str(answer)
        return answer.body.decode()

    def recycle(self) -> None:
        metadata = self._body("ApplicationPool")["metadata"]
        wish = {"metadata": {"annotations": {"webgarden.dev/recycle": datetime.now(UTC).isoformat()}}}
        kubernetes = self._installation.kubernetes
        kubernetes.patch("ApplicationPool", metadata["name"], metadata["namespace"], wish)

        def recycled() -> bool:
            pool = kubernetes.get("ApplicationPool", metadata["name"], metadata["namespace"])
            return bool(pool and pool["status"]["recycles"] == 1 and len(pool["status"]["workers"]) == 1)

        until(recycled, "the recycle", seconds=90)


@pytest.fixture
def reinstalled(installation: Installation) -> Iterator[Installation]:
    yield installation
    installation.install()


def test_uninstalling_leaves_workers_alone_and_nothing_of_ours_and_installing_takes_over(
    tenant: Tenant, reinstalled: Installation
) -> None:
    pool = tenant.garden(startMode="AlwaysRunning")
    workers = pool.running(1)
    reinstalled.uninstall(grace_seconds=1)
    until(lambda: not _ours(reinstalled), "everything to be gone", seconds=60, seen=lambda: _ours(reinstalled))
    left = reinstalled.run("helm", "list", "--all", f"--namespace={NAMESPACE}", "--short").strip()
    assert left == ""
    assert [p["metadata"]["name"] for p in tenant.pods("garden")] == workers
    reinstalled.install()
    assert pool.until(lambda: pool.ask().status == 200, "the pool to be served again")
    assert pool.running(1) == workers
    assert CHART.exists()


def _ours(installation: Installation) -> list[str]:
    """What is of the release, CRDs and what Kubernetes itself makes apart."""
    kubernetes = installation.kubernetes
    spaced = ("Deployment", "Pod", "Service", "ServiceAccount", "ConfigMap", "Secret", "Lease")
    found = [(kind, b["metadata"]["name"]) for kind in spaced for b in kubernetes.list(kind, NAMESPACE)]
    found += [(kind, b["metadata"]["name"]) for kind in ("WebServer", "ClusterRole") for b in kubernetes.list(kind)]
    return [f"{kind} {name}" for kind, name in found if kind == "WebServer" or name.startswith("webgarden")]
