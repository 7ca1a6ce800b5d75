"""The examples, as they are written, on a real worker: programs of other people asked through their own pages."""

import hashlib
import html
import re
import shutil
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.worker.browser import Browser
from tests.worker.workers import DEADLINE, ROOT, Worker, running
from websockets.sync.client import connect

from webgarden.api.pool import ApplicationPool
from webgarden.api.site import Site
from webgarden.manifests.applications import HostedApplication

EXAMPLES = ROOT / "examples"
MANIFESTS = [
    EXAMPLES / "quickstart.yaml",
    EXAMPLES / "datasette" / "datasette.yaml",
    EXAMPLES / "django" / "django.yaml",
    EXAMPLES / "cgi.yaml",
]


def documents(manifest: Path, kind: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(manifest.read_text()) if document["kind"] == kind]


def hosted(manifest: Path, *, roots: Mapping[str, Path]) -> Sequence[Mapping[str, Any]]:
    """The site's applications as the operator tells them, with folders of this machine."""
    (site,) = (Site.model_validate(document) for document in documents(manifest, "Site"))
    told = [
        HostedApplication(site=site.key, path=one.path, app=one.app).as_dict()
        for one in site.spec.applications
        if one.app
    ]
    return [{**application, "root": str(roots[application["root"]])} for application in told]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda manifest: manifest.name)
def test_the_manifests_are_what_the_operator_understands(manifest: Path) -> None:
    (pool,) = (ApplicationPool.model_validate(document) for document in documents(manifest, "ApplicationPool"))
    (site,) = (Site.model_validate(document) for document in documents(manifest, "Site"))
    assert {application.pool for application in site.spec.applications} == {pool.metadata.name}
    assert pool.metadata.namespace == site.metadata.namespace
    (namespace,) = documents(manifest, "Namespace")
    assert namespace["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    roots = {}
    for config_map in documents(MANIFESTS[0], "ConfigMap"):
        root = tmp_path_factory.mktemp(config_map["metadata"]["name"])
        for file, text in config_map["data"].items():
            (root / file).write_text(text)
        roots[f"/srv/{config_map['metadata']['name']}"] = root
    with running(*hosted(MANIFESTS[0], roots=roots)) as worker:
        yield worker


def test_the_quickstart_s_page_and_program_share_a_site(quickstart: Worker) -> None:
    assert b"It grows." in quickstart.get("/").body
    assert quickstart.get("/style.css").headers["content-type"] == "text/css; charset=utf-8"
    about = quickstart.get("/app/").json()
    assert (about["worker"], about["root_path"]) == ("garden-1", "/app")
    assert quickstart.get("/app").status == 307


def test_the_quickstart_s_program_does_what_its_page_says(quickstart: Worker) -> None:
    assert quickstart.get("/app/slow?seconds=0.01").json() == {"slept": 0.01}
    echo = quickstart.ask("POST", "/app/echo", body=b"garden").json()
    assert echo == {"sha256": hashlib.sha256(b"garden").hexdigest(), "length": 6}
    events = quickstart.get("/app/events?count=2&interval=0")
    assert events.body == b"id: 0\ndata: leaf 0\n\nid: 1\ndata: leaf 1\n\n"
    with connect(f"ws://127.0.0.1:{quickstart.port}/app/ws") as websocket:
        websocket.send("hello")
        assert websocket.recv(DEADLINE) == "hello"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    root = tmp_path_factory.mktemp("programs")
    (config_map,) = documents(MANIFESTS[3], "ConfigMap")
    for file, text in config_map["data"].items():
        (root / file).write_text(text)
        (root / file).chmod(0o555)
    (application,) = hosted(MANIFESTS[3], roots={"/srv/programs": root})
    handlers = {**application["cgi"]["handlers"], ".py": sys.executable}  # the image's is not on this machine
    with running({**application, "cgi": {**application["cgi"], "handlers": handlers}}) as worker:
        yield worker


def test_the_cgi_programs_answer(programs: Worker) -> None:
    assert programs.get("/").body.decode().endswith("of garden-1.\n")
    assert programs.get("/clock.py/UTC").body.endswith(b"+00:00\n")
    assert programs.get("/clock.py/Nowhere").status == 404
    assert programs.ask("POST", "/count.pl", body=b"cut the roses").body == b"3 words\n"


@pytest.fixture(scope="module")
def datasette(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    pytest.importorskip("datasette", reason="needs the dependency group examples")
    root = tmp_path_factory.mktemp("datasette")
    shutil.copy(EXAMPLES / "datasette" / "library.py", root)
    make_data = EXAMPLES / "datasette" / "make_data.py"
    subprocess.run([sys.executable, make_data, root / "unicode.db"], check=True)
    with running(*hosted(MANIFESTS[1], roots={"/srv/datasette": root})) as worker:
        yield worker


def test_datasette_shows_its_table_page_by_page(datasette: Worker) -> None:
    page = datasette.get("/unicode/characters?category=Sc").body.decode()
    assert "CENT SIGN" in page
    (following,) = re.findall(r'<a href="([^"]+)">Next page</a>', page)
    address = urllib.parse.urlsplit(html.unescape(following))
    assert "BITCOIN SIGN" in datasette.get(f"{address.path}?{address.query}").body.decode()


def test_datasette_searches_and_computes(datasette: Worker) -> None:
    (rose,) = datasette.get("/unicode/characters.json?_search=rose&_shape=array&category=So&_size=1").json()
    assert "ROSE" in rose["name"]
    sql = urllib.parse.quote("select count(*) as count from characters where category = 'Nd' and numeric_value = 7")
    (seven,) = datasette.get(f"/unicode.json?sql={sql}&_shape=array").json()
    assert seven["count"] > 50


@pytest.fixture(scope="module")
def wiki_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("wiki", reason="needs the dependency group examples")
    root = tmp_path_factory.mktemp("wiki")
    shutil.copytree(EXAMPLES / "django", root, dirs_exist_ok=True)
    subprocess.run([sys.executable, "prepare.py"], cwd=root, check=True)
    return root


@contextmanager
def running_wiki(root: Path, data: Path) -> Iterator[Worker]:
    roots = {"/srv/wiki": root, "/srv/wiki/static": root / "static"}
    environment = {"DJANGO_SECRET_KEY": "a key for this test", "DJANGO_DATA": str(data)}
    with running(*hosted(MANIFESTS[2], roots=roots), environment=environment) as worker:
        yield worker


@pytest.fixture(scope="module")
def wiki(wiki_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with running_wiki(wiki_root, tmp_path_factory.mktemp("data")) as worker:
        yield worker


def browser_of(worker: Worker) -> Browser:
    return Browser(f"http://127.0.0.1:{worker.port}")


def test_a_visitor_logs_in_to_the_wiki_and_writes_a_page(wiki: Worker) -> None:
    browser = browser_of(wiki)
    assert browser.open("/_accounts/login/") == 200
    assert browser.submit(username="gardener", password="gardener") == 200
    assert browser.path == "/"
    assert {"sessionid", "csrftoken"} <= {cookie.name for cookie in browser.cookies}
    assert browser.open("/_create/") == 200
    browser.submit(title="Roses", slug="roses", content="Cut them in *spring*.", summary="")
    assert (browser.path, "Cut them in <em>spring</em>." in browser.page) == ("/roses/", True)


def test_the_wiki_refuses_a_wrong_password_and_a_form_without_its_token(wiki: Worker) -> None:
    browser = browser_of(wiki)
    browser.open("/_accounts/login/")
    browser.submit(username="gardener", password="wrong")
    assert browser.path == "/_accounts/login/"
    browser.open("/_create/")
    assert browser.path == "/_accounts/login/"
    assert browser_of(wiki).open("/_accounts/login/", {"username": "gardener", "password": "gardener"}) == 403


def test_the_wiki_s_style_sheets_come_from_the_same_site(wiki: Worker) -> None:
    browser = browser_of(wiki)
    browser.open("/")
    sheets = re.findall(r'href="(/static/[^"]+\.css)"', browser.page)
    assert sheets
    for sheet in sheets:
        assert wiki.get(sheet).headers["content-type"] == "text/css; charset=utf-8"


def test_a_visitor_stays_logged_in_when_another_worker_takes_over(
    wiki: Worker, wiki_root: Path, tmp_path: Path
) -> None:
    browser = browser_of(wiki)
    browser.open("/_accounts/login/")
    browser.submit(username="gardener", password="gardener")
    with running_wiki(wiki_root, tmp_path) as replacement:
        browser.base = browser_of(replacement).base
        assert browser.open("/_create/") == 200
        assert browser.path == "/_create/"
