"""WSGI programs on a real worker."""

import contextlib
import hashlib
import http.client
import socket
from collections.abc import Iterator

import pytest
from tests.worker.workers import DEADLINE, PROGRAMS, WSGI, Worker, running, until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

LEDGER = {"X-Webgarden-Site": "test/ledger"}
ODD = {**WSGI, "target": "odd:app"}


def test_a_program_at_the_root_has_no_script_name(shop: Worker) -> None:
    seen = shop.ask("GET", "/seen?page=2", headers=LEDGER).json()
    assert (seen["SCRIPT_NAME"], seen["PATH_INFO"], seen["QUERY_STRING"]) == ("", "/seen", "page=2")
    assert seen["HTTP_X_WEBGARDEN_SITE"] == "test/ledger"


def test_the_application_s_path_is_the_script_name_as_the_client_wrote_it(shop: Worker) -> None:
    for path in ("/books", "/Books"):
        seen = shop.ask("GET", f"{path}/seen", headers=LEDGER).json()
        assert (seen["SCRIPT_NAME"], seen["PATH_INFO"]) == (path, "/seen")
    assert shop.ask("GET", "/books", headers=LEDGER).json()["PATH_INFO"] == ""


def test_wsgi_and_asgi_share_a_site(shop: Worker) -> None:
    site = {"X-Webgarden-Site": "test/shop"}
    assert shop.ask("GET", "/books/seen", headers=site).json()["SCRIPT_NAME"] == "/books"
    assert shop.ask("GET", "/seen", headers=site).json()["root_path"] == ""


def test_what_the_listener_says_about_the_client_is_believed(shop: Worker) -> None:
    headers = {**LEDGER, "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    seen = shop.ask("GET", "/seen", headers=headers).json()
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("192.0.2.7", "https")


def test_an_upload_in_chunks_arrives_whole(shop: Worker) -> None:
    chunk = bytes(range(256)) * 1024

    def chunks() -> Iterator[bytes]:
        for _ in range(64):
            yield chunk

    echo = shop.ask("POST", "/echo", headers=LEDGER, body=chunks()).json()
    assert echo == {"sha256": hashlib.sha256(chunk * 64).hexdigest(), "length": 64 * len(chunk)}


def test_an_empty_body_is_empty(shop: Worker) -> None:
    assert shop.ask("POST", "/echo", headers=LEDGER, body=b"").json()["length"] == 0
    assert shop.ask("GET", "/echo", headers=LEDGER).json()["length"] == 0


def test_lines_are_read_as_they_come_and_the_end_is_the_end(shop: Worker) -> None:
    with (
        socket.create_connection(("127.0.0.1", shop.port), DEADLINE) as connection,
        connection.makefile("rb") as answer,
    ):
        connection.sendall(
            b"POST /lines HTTP/1.1\r\nHost: x\r\nX-Webgarden-Site: test/ledger\r\nContent-Length: 11\r\n"
            b"Expect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        assert answer.readline() == b"HTTP/1.1 100 Continue\r\n"  # The program waits in readline now.
        connection.sendall(b"one\ntw")
        connection.sendall(b"o\ntre")
        assert b'["one\\n", "two\\n", "tre"]' in answer.read()


def test_a_large_download_arrives_whole(shop: Worker) -> None:
    assert len(shop.ask("GET", "/download", headers=LEDGER).body) == 32 * 2**20


def test_an_endless_answer_ends_when_its_client_goes(shop: Worker) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=DEADLINE)
    connection.request("GET", "/endless", headers=LEDGER)
    assert connection.getresponse().read(2**20)
    assert not shop.ask("GET", "/has-ended", headers=LEDGER).json()
    connection.close()
    until(lambda: bool(shop.ask("GET", "/has-ended", headers=LEDGER).json()))
    until(lambda: shop.stats()["inFlight"] == 0)
    assert "never retrieved" not in shop.log


def test_an_upload_that_is_cut_is_an_error_and_no_short_body(shop: Worker) -> None:
    with socket.create_connection(("127.0.0.1", shop.port), DEADLINE) as connection:
        connection.sendall(
            b"POST /echo HTTP/1.1\r\nHost: x\r\nX-Webgarden-Site: test/ledger\r\nContent-Length: 1000\r\n\r\nhalf"
        )
        until(lambda: shop.stats()["inFlight"] == 1)
    until(lambda: shop.stats()["inFlight"] == 0)
    until(lambda: "ledger: upload cut" in shop.log)


def test_an_answer_longer_than_it_said_frees_its_thread(shop: Worker) -> None:
    with contextlib.suppress(http.client.HTTPException, OSError):
        shop.ask("GET", "/too-long", headers=LEDGER)
    until(lambda: shop.stats()["inFlight"] == 0)


def test_an_answer_that_goes_on_behind_its_end_frees_its_thread(odd: Worker) -> None:
    assert len(odd.get("/babbles").body) == 65536
    until(lambda: odd.stats()["inFlight"] == 0)
    until(lambda: "the answer is longer than it said" in odd.log)


def test_a_websocket_to_a_wsgi_program_is_refused(shop: Worker) -> None:
    try:
        connect(f"ws://127.0.0.1:{shop.port}/seen", additional_headers=LEDGER)
    except InvalidStatus as refusal:
        assert refusal.response.status_code == 403
    else:
        raise AssertionError("a WSGI program cannot speak WebSocket")


def test_a_program_that_configures_logging_does_not_silence_the_worker() -> None:
    with running({**WSGI, "target": "switching:app", "root": str(PROGRAMS / "wsgi")}) as worker:
        assert worker.get("/seen").status == 200
        worker.terminate()
        assert worker.exit_code() == 0
        assert "Stopped" in worker.log


@pytest.fixture(scope="module")
def odd() -> Iterator[Worker]:
    with running(ODD) as worker:
        yield worker


def test_a_file_is_sent_from_where_it_stands_to_its_end(odd: Worker) -> None:
    assert odd.get("/file").body == (PROGRAMS / "wsgi" / "ledger.py").read_bytes()[10:]


def test_no_more_of_a_file_is_sent_than_the_answer_s_length(odd: Worker) -> None:
    assert odd.get("/file?5").body == (PROGRAMS / "wsgi" / "ledger.py").read_bytes()[10:15]


def test_a_piece_arrives_before_the_next_one_is_made(odd: Worker) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", odd.port, timeout=DEADLINE)
    connection.request("GET", "/trickle")
    answer = connection.getresponse()
    assert answer.readline() == b"first\n"
    odd.get("/go_on")
    assert answer.read() == b"second\n"
    connection.close()


def test_what_a_program_does_after_its_last_byte_is_nobody_s_to_wait_for(odd: Worker) -> None:
    assert odd.get("/dawdles").body == b"whole"
    odd.get("/let_close")


def test_nobody_waits_for_a_program_s_close(odd: Worker) -> None:
    assert odd.get("/closing").body == b"whole"
    odd.get("/let_close")


def test_what_a_program_says_about_the_connection_is_dropped(odd: Worker) -> None:
    answer = odd.get("/stream")
    assert {"connection", "keep-alive"}.isdisjoint(answer.headers)
    assert answer.body == b"leaf\n" * 3


def test_an_error_after_the_head_breaks_the_connection(odd: Worker) -> None:
    with pytest.raises(http.client.HTTPException):
        odd.get("/breaks_late")
    until(lambda: "the ink is dry" in odd.log)


def test_a_program_that_loses_a_connection_of_its_own_is_a_500(odd: Worker) -> None:
    assert odd.get("/loses_its_database").status == 500
    until(lambda: "the database went away" in odd.log)


def test_an_error_page_replaces_a_head_that_was_not_sent(odd: Worker) -> None:
    answer = odd.get("/changes_its_mind")
    assert (answer.status, answer.headers["x-second"], answer.body) == (409, "2", b"no")
    assert "x-first" not in answer.headers


def test_what_is_written_comes_before_what_is_returned(odd: Worker) -> None:
    assert odd.get("/writes").body == b"one two three"


def test_a_request_says_what_gunicorn_s_does(shop: Worker) -> None:
    seen = shop.ask("GET", "/books/se%65n?a=%2F", headers=LEDGER).json()
    assert (seen["RAW_URI"], seen["REQUEST_URI"]) == ("/books/se%65n?a=%2F", "/books/se%65n?a=%2F")
    assert seen["SERVER_SOFTWARE"].startswith("webgarden/")
    assert seen["wsgi.multiprocess"] is True
    assert seen["HTTP_COOKIE"] is None


@pytest.mark.parametrize(
    ("host", "name", "port"),
    [
        ("shop.example", "shop.example", "80"),
        ("shop.example:8443", "shop.example", "8443"),
        ("[::1]:81", "::1", "81"),
        ("shop:x", "127.0.0.1", None),
    ],
)
def test_the_server_is_called_what_the_client_calls_it(odd: Worker, host: str, name: str, port: str | None) -> None:
    seen = odd.get("/server", Host=host).json()
    assert seen == {"SERVER_NAME": name, "SERVER_PORT": port or str(odd.port)}


def test_several_cookie_headers_are_one_cookie_string(shop: Worker) -> None:
    with socket.create_connection(("127.0.0.1", shop.port), DEADLINE) as connection:
        connection.sendall(
            b"GET /seen HTTP/1.1\r\nHost: x\r\nX-Webgarden-Site: test/ledger\r\nCookie: a=1\r\nCookie: b=2\r\n"
            b"Proxy: http://evil\r\nConnection: close\r\n\r\n"
        )
        seen = read_all(connection)
    assert b'"HTTP_COOKIE": "a=1; b=2"' in seen
    assert b'"HTTP_PROXY": null' in seen


def read_all(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as file:
        return file.read()
