"""What a worker answers when no application does, and how it shares itself out among sites."""

from pathlib import Path

import pytest
from tests.worker.workers import ASGI, WSGI, Worker, running, until


def test_the_site_s_name_chooses_the_application(shop: Worker) -> None:
    assert "root_path" in shop.ask("GET", "/seen", headers={"X-Webgarden-Site": "test/shop"}).json()
    assert "SCRIPT_NAME" in shop.ask("GET", "/seen", headers={"X-Webgarden-Site": "test/ledger"}).json()


def test_an_unknown_site_is_a_404_that_says_so(shop: Worker) -> None:
    answer = shop.ask("GET", "/seen", headers={"X-Webgarden-Site": "test/none"})
    assert answer.status == 404
    assert answer.body == b"This worker has no application of site test/none for the path /seen\n"


def test_a_path_that_no_application_covers_is_a_404_that_says_so() -> None:
    with running({**ASGI, "path": "/shop"}) as worker:
        assert worker.get("/shop/seen").status == 200
        assert worker.get("/shopping").body == b"This worker has no application of any site for the path /shopping\n"


@pytest.mark.parametrize(
    ("path", "script_name"),
    [
        ("//books/seen", "/books"),
        ("/x/..//books/seen", "/books"),
        ("/%62ooks/./x/../seen", "/books"),
        ("/books/%73een", "/books"),
        ("/%2e%2e/Books/seen", "/Books"),
    ],
)
def test_dots_slashes_and_needless_encodings_hide_no_application(shop: Worker, path: str, script_name: str) -> None:
    seen = shop.ask("GET", f"{path}?a=/../%2e", headers={"X-Webgarden-Site": "test/ledger"}).json()
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == (script_name, "/seen")
    assert (seen["QUERY_STRING"], seen["REQUEST_URI"]) == ("a=/../%2e", f"{path}?a=/../%2e")


def test_an_encoded_separator_belongs_to_its_segment(shop: Worker) -> None:
    at_the_root = shop.ask("GET", "/books%2Fseen", headers={"X-Webgarden-Site": "test/ledger"})
    assert (at_the_root.status, at_the_root.body) == (404, b"no such page")


def test_asgi_applications_see_the_same_path(shop: Worker) -> None:
    seen = shop.ask("GET", "/x/..//Two/seen", headers={"X-Webgarden-Site": "test/shop"}).json()
    assert (seen["root_path"], seen["path"]) == ("/Two", "/Two/seen")


def test_without_a_site_the_longest_path_answers(shop: Worker) -> None:
    assert shop.get("/books/seen").json()["SCRIPT_NAME"] == "/books"
    assert shop.get("/seen").json()["root_path"] == ""


def test_a_worker_without_applications_says_what_to_do_and_is_not_mistaken_for_a_site() -> None:
    with running() as worker:
        answer = worker.get("/")
        assert answer.status == 404
        assert answer.headers["cache-control"] == "no-store"
        assert b"garden</strong> is running and has nothing to host" in answer.body
        assert "Nothing to host" in worker.log


def test_requests_are_logged_only_when_asked_for() -> None:
    with running(WSGI) as silent, running(WSGI, environment={"WEBGARDEN_ACCESS_LOG": "1"}) as talkative:
        for worker in (silent, talkative):
            worker.get("/seen")
            worker.terminate()
            worker.exit_code()
        assert "GET /seen" not in silent.log
        assert '"GET /seen HTTP/1.1" 200' in talkative.log


def test_log_lines_name_the_pool_and_the_worker() -> None:
    with running(WSGI) as worker:
        until(lambda: "INFO garden/garden-1 Serving on port" in worker.log)


def test_two_roots_are_imported_from(tmp_path: Path) -> None:
    (tmp_path / "kiosk.py").write_text("from ledger import app\n")
    with running(WSGI, {**WSGI, "path": "/kiosk", "target": "kiosk:app", "root": str(tmp_path)}) as worker:
        assert worker.get("/kiosk/seen").json()["SCRIPT_NAME"] == "/kiosk"
