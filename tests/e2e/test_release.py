"""The release itself: who may connect, upgrades under load (A24), what uninstalling leaves (A23), and the examples.

These tests change the release, and leave it as they found it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.cluster import images
from tests.e2e.asking import ask
from tests.e2e.installation import CHART, NAMESPACE, RELEASE, Installation
from tests.e2e.kubernetes import Body
from tests.e2e.tenant import Tenant
from tests.e2e.traffic import traffic
from tests.e2e.waiting import until

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


def test_the_quickstart_runs_and_goes_to_sleep(installation: Installation) -> None:
    with _example(installation, EXAMPLES / "quickstart.yaml") as example:
        assert example.asked("/").count("It grows")
        assert '"root_path"' in example.asked("/app/")


@pytest.mark.parametrize(("name", "path", "words"), [("datasette", "/", "Datasette"), ("django", "/", "Wiki")])
def test_a_program_by_other_people_runs(installation: Installation, name: str, path: str, words: str) -> None:
    installation.way.build(images.extra(EXAMPLES / name, f"localhost/example-{name}:dev"))
    installation.way.load([f"localhost/example-{name}:dev"])
    with _example(installation, EXAMPLES / name / f"{name}.yaml") as example:
        page = example.asked(path)
        print(page[:200])
        assert words.lower() in page.lower()


class _Example:
    def __init__(self, installation: Installation, manifest: Path) -> None:
        self._installation = installation
        self._manifest = manifest
        self._bodies: list[Body] = [b for b in yaml.safe_load_all(manifest.read_text()) if b]

    def __enter__(self) -> _Example:
        self._installation.kubectl("apply", f"--filename={self._manifest}")
        return self

    def __exit__(self, *_: object) -> None:
        self._installation.kubectl("delete", f"--filename={self._manifest}", "--wait=false", "--ignore-not-found")

    @property
    def host(self) -> str:
        site = next(b for b in self._bodies if b["kind"] == "Site")
        return str(site["spec"]["bindings"][0]["host"])

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


def _example(installation: Installation, manifest: Path) -> _Example:
    return _Example(installation, manifest)


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
