"""CGI programs on a real worker: Python, Perl, and what a script processor runs."""

import contextlib
import hashlib
import http.client
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.worker.workers import ASGI, DEADLINE, PROGRAMS, Answer, Worker, running, until

ROOT = PROGRAMS / "cgi"
HANDLERS = {".php": str(ROOT / "processor")}
CGI: dict[str, Any] = {"site": "test/cgi", "path": "/", "kind": "CGI", "root": str(ROOT), "cgi": {"handlers": HANDLERS}}
SHORT = {**CGI, "path": "/short", "cgi": {"timeoutSeconds": 1}}


@pytest.fixture(scope="module")
def cgi() -> Iterator[Worker]:
    variables = {"HTTP_PROXY": "http://proxy", "DATABASE": "postgres://db", "WEBGARDEN_CONTROL_TOKEN_FILE": ""}
    with running(CGI, {**CGI, "path": "/Bin"}, SHORT, {**ASGI, "path": "/shop"}, environment=variables) as worker:
        yield worker


def variables(answer: Answer) -> dict[str, str]:
    found: dict[str, str] = answer.json()["variables"]
    return found


# Which program.


def test_an_executable_file_runs_by_itself_with_what_follows_it_as_path_info(cgi: Worker) -> None:
    seen = variables(cgi.get("/BIN/seen.cgi/a//b%2Fc/?x=1&y"))
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == ("/BIN/seen.cgi", "/a//b/c/")
    assert seen["PATH_TRANSLATED"] == f"{ROOT}/a//b/c/"
    assert (seen["QUERY_STRING"], seen["REQUEST_URI"]) == ("x=1&y", "/BIN/seen.cgi/a//b%2Fc/?x=1&y")


def test_a_script_that_is_not_executable_is_run_by_its_interpreter(cgi: Worker) -> None:
    answer = cgi.ask("POST", "/hello.pl/x", body=b"12345")
    assert (answer.body, answer.headers["x-script"]) == (b"perl: POST /x 5\n", "/hello.pl")
    assert cgi.get("/answers.py?fails").body == b"whole\n"


def test_a_handler_runs_the_scripts_with_its_extension(cgi: Worker) -> None:
    assert cgi.get("/page.PHP").body.decode() == f"200 {ROOT}/page.PHP {ROOT}/page.PHP\n"


def test_a_directory_is_answered_for_by_its_index(cgi: Worker) -> None:
    assert variables(cgi.get("/tools/"))["SCRIPT_NAME"] == "/tools/index.cgi"
    answer = cgi.get("/bin/tools?a=%2F")
    assert (answer.status, answer.headers["location"]) == (307, "./tools/?a=%2F")


@pytest.mark.parametrize(
    "path",
    [
        "/nothing.cgi",
        "/tools%2Findex.cgi",
        "/.secret.pl",
        "/%2e%2e/wsgi/ledger.py",
        "/..%2fwsgi%2fledger.py",
        "/seen.cgi%00",
        "/seen.cgi/%00",
        "/",
    ],
)
def test_what_names_no_program_is_a_404(cgi: Worker, path: str) -> None:
    assert cgi.get(path).status == 404


def test_a_file_that_nobody_could_run_is_not_shown(cgi: Worker) -> None:
    answer = cgi.get("/notes.txt")
    assert (answer.status, answer.body) == (403, b"Forbidden")


def test_a_link_leads_to_no_program_outside(tmp_path: Path) -> None:
    (tmp_path / "out.cgi").symlink_to(ROOT / "seen.cgi")
    with running({**CGI, "root": str(tmp_path)}) as worker:
        assert worker.get("/out.cgi").status == 404


# What it is told.


def test_a_program_is_told_what_rfc_3875_says(cgi: Worker) -> None:
    seen = variables(cgi.get("/seen.cgi", Host="shop.example", X_Forwarded_For="192.0.2.7", X_Forwarded_Proto="https"))
    told = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/seen.cgi",
        "PATH_INFO": "",
        "QUERY_STRING": "",
        "REMOTE_ADDR": "192.0.2.7",
        "HTTPS": "on",
        "HTTP_HOST": "shop.example",
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "443",
        "SCRIPT_FILENAME": f"{ROOT}/seen.cgi",
        "DOCUMENT_ROOT": str(ROOT),
        "REDIRECT_STATUS": "200",
    }
    assert {name: seen.get(name) for name in told} == told
    assert seen["SERVER_SOFTWARE"].startswith("webgarden/")
    assert "CONTENT_LENGTH" not in seen and "PATH_TRANSLATED" not in seen


def test_a_program_has_the_worker_s_variables_but_no_proxy(cgi: Worker) -> None:
    seen = variables(cgi.get("/seen.cgi", Proxy="http://evil"))
    assert seen["DATABASE"] == "postgres://db" and seen["PATH"]
    assert not [name for name in seen if name == "HTTP_PROXY" or name.startswith("WEBGARDEN_CONTROL")]


def test_words_of_the_query_are_no_arguments(cgi: Worker) -> None:
    assert cgi.get("/seen.cgi?-s+-d+x").json()["arguments"] == []


def test_a_program_runs_in_the_directory_of_its_script(cgi: Worker) -> None:
    assert cgi.get("/tools/").json()["directory"] == str(ROOT / "tools")


def test_bytes_that_are_no_utf_8_are_told_as_they_came(cgi: Worker) -> None:
    assert variables(cgi.get("/seen.cgi/caf%C3%A9%FF"))["PATH_INFO"] == "/café\udcff"


def test_a_body_of_a_known_length_arrives_whole(cgi: Worker) -> None:
    body = os.urandom(3 * 2**20)
    seen = cgi.ask("POST", "/seen.cgi", body=body, headers={"Content-Type": "x/y"}).json()
    assert seen["sha256"] == hashlib.sha256(body).hexdigest()
    assert (seen["variables"]["CONTENT_LENGTH"], seen["variables"]["CONTENT_TYPE"]) == (str(len(body)), "x/y")
    assert seen["more"] == 0


@pytest.mark.parametrize("count", [0, 3, 48])
def test_a_body_in_chunks_has_a_length_when_the_program_begins(cgi: Worker, count: int) -> None:
    chunk = os.urandom(65536)
    seen = cgi.ask("POST", "/seen.cgi", body=(chunk for _ in range(count))).json()
    assert seen["sha256"] == hashlib.sha256(chunk * count).hexdigest()
    assert seen["variables"]["CONTENT_LENGTH"] == str(count * 65536)
    assert "HTTP_TRANSFER_ENCODING" not in seen["variables"]


def test_a_program_need_not_read_its_body(cgi: Worker) -> None:
    assert cgi.ask("POST", "/answers.py?ignores-its-body", body=b"x" * 10 * 2**20).body == b"heard enough\n"


# What it answers.


def test_a_status_and_headers_are_the_program_s(cgi: Worker) -> None:
    answer = cgi.get("/answers.py?status")
    assert (answer.status, answer.body, answer.headers["x-powered-by"]) == (404, b"not here\n", "CGI")
    assert "status" not in answer.headers


def test_a_redirect_to_another_address_is_a_302(cgi: Worker) -> None:
    answer = cgi.get("/answers.py?elsewhere")
    assert (answer.status, answer.headers["location"]) == (302, "http://example.com/new")


def test_a_redirect_with_a_status_of_its_own_is_the_client_s_to_follow(cgi: Worker) -> None:
    answer = cgi.get("/answers.py?moved")
    assert (answer.status, answer.headers["location"], answer.body) == (301, "/new", b"moved\n")


def test_a_local_redirect_is_followed_within_the_worker(cgi: Worker) -> None:
    seen = variables(cgi.ask("POST", "/answers.py?local=/seen.cgi/there?a=b", body=b"gone"))
    assert (seen["REQUEST_METHOD"], seen["PATH_INFO"], seen["QUERY_STRING"]) == ("GET", "/there", "a=b")
    assert "CONTENT_LENGTH" not in seen
    assert cgi.ask("POST", "/answers.py?local=/shop/seen", body=b"gone").json()["path"] == "/shop/seen"


def test_a_local_redirect_to_what_the_worker_has_not_is_the_client_s_to_follow() -> None:
    with running({**CGI, "path": "/cgi"}) as worker:
        answer = worker.get("/cgi/answers.py?local=/other/place")
        assert (answer.status, answer.headers["location"]) == (302, "/other/place")


def test_a_redirect_in_a_circle_ends(cgi: Worker) -> None:
    assert cgi.get("/answers.py?circle").status == 502


def test_a_long_answer_arrives_whole(cgi: Worker) -> None:
    assert len(cgi.get("/answers.py?long").body) == 32 * 2**20


# What goes wrong.


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("nothing", "it ended before its head did"),
        ("no-head", "b'Traceback (most recent call last):' is no header"),
        ("endless-head", "its head has no end"),
    ],
)
def test_an_answer_without_a_head_is_a_502_and_the_log_says_why(cgi: Worker, query: str, why: str) -> None:
    assert cgi.get(f"/answers.py?{query}").status == 502
    until(lambda: f"answers.py: {why}" in cgi.log)


def test_a_program_that_cannot_be_started_is_a_502(cgi: Worker) -> None:
    assert cgi.get("/broken.cgi").status == 502
    until(lambda: "broken.cgi: [Errno 2]" in cgi.log)


def test_an_exit_code_is_logged_with_what_the_program_said(cgi: Worker) -> None:
    assert cgi.get("/answers.py?fails").body == b"whole\n"
    until(lambda: "answers.py: the printer is on fire" in cgi.log)
    until(lambda: "answers.py: ended with exit code 1" in cgi.log)


def test_a_crash_does_not_look_like_a_whole_answer(cgi: Worker) -> None:
    with pytest.raises(http.client.HTTPException):
        cgi.get("/answers.py?crashes")
    until(lambda: "signal 11 ended it in the middle of its answer" in cgi.log)


def test_a_program_may_complain_at_any_length(cgi: Worker) -> None:
    assert cgi.get("/answers.py?complains").body == b"well\n"
    until(lambda: "answers.py: wrote 134464 bytes more on its standard error" in cgi.log)


def test_a_program_that_hangs_is_ended_with_its_children_and_is_a_502(cgi: Worker, tmp_path: Path) -> None:
    note = tmp_path / "note"
    assert cgi.get(f"/short/answers.py?hangs={note}").status == 502
    until(lambda: ended(note))
    until(lambda: "it had not ended after 1 s" in cgi.log)


def test_an_answer_that_is_not_ended_in_time_breaks_off(cgi: Worker, tmp_path: Path) -> None:
    note = tmp_path / "note"
    with pytest.raises(http.client.IncompleteRead) as broken:
        cgi.get(f"/short/answers.py?trickles={note}")
    assert broken.value.partial == b"first\n"
    until(lambda: ended(note))


@pytest.mark.parametrize("what", ["hangs", "trickles"])
def test_a_client_that_goes_takes_the_program_with_it(cgi: Worker, tmp_path: Path, what: str) -> None:
    note = tmp_path / "note"
    with socket.create_connection(("127.0.0.1", cgi.port), DEADLINE) as connection:
        connection.sendall(f"GET /answers.py?{what}={note} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        until(note.exists)
    until(lambda: ended(note))
    until(lambda: cgi.stats()["inFlight"] == 0)


def test_an_upload_that_is_cut_takes_the_program_with_it(cgi: Worker, tmp_path: Path) -> None:
    note = tmp_path / "note"
    with socket.create_connection(("127.0.0.1", cgi.port), DEADLINE) as connection:
        head = f"POST /answers.py?hangs={note} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"
        connection.sendall(head.encode())
        until(note.exists)
    until(lambda: ended(note))


def test_what_a_program_leaves_behind_does_not_keep_its_answer_from_ending(cgi: Worker) -> None:
    assert cgi.get("/answers.py?leaves").body == b"left one behind\n"


def test_a_daemon_that_keeps_the_standard_error_is_not_waited_for(cgi: Worker, tmp_path: Path) -> None:
    note = tmp_path / "note"
    assert cgi.get(f"/answers.py?daemon={note}").body == b"let it run\n"
    until(lambda: cgi.stats()["inFlight"] == 0)
    daemon = int(note.read_text())
    assert alive(daemon)
    os.kill(daemon, signal.SIGKILL)


def test_a_worker_that_stops_finishes_what_runs_and_ends_what_does_not(tmp_path: Path) -> None:
    note = tmp_path / "note"
    with running(CGI, environment={"WEBGARDEN_SHUTDOWN_SECONDS": "1"}) as worker:
        with socket.create_connection(("127.0.0.1", worker.port), DEADLINE) as connection:
            connection.sendall(f"GET /answers.py?hangs={note} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            until(note.exists)
            worker.terminate()
            assert worker.exit_code() == 1
        until(lambda: ended(note))


def ended(note: Path) -> bool:
    """Whether the program of the note and its child are no more."""
    return not any(alive(int(pid)) for pid in note.read_text().split())


def alive(pid: int) -> bool:
    """A zombie is not: who is to bury it is nobody here."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_websocket_to_a_program_is_refused(cgi: Worker) -> None:
    upgrade: Any = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    assert cgi.ask("GET", "/seen.cgi", headers={**upgrade, "Sec-WebSocket-Key": "x" * 22 + "=="}).status == 403
