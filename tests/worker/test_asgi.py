"""ASGI programs on a real worker."""

import hashlib
import http.client
import socket
from collections.abc import Iterator

from tests.worker.workers import ASGI, DEADLINE, PROGRAMS, Worker, running, until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

SHOP = {"X-Webgarden-Site": "test/shop"}


def test_a_program_sees_its_path_its_site_and_its_lifespan_s_state(shop: Worker) -> None:
    assert shop.ask("GET", "/two/seen", headers=SHOP).json() == {
        "root_path": "/two",
        "path": "/two/seen",
        "site": "test/shop",
        "scheme": "http",
        "client": "127.0.0.1",
        "warehouse": "open",
    }


def test_at_the_root_a_program_has_an_empty_root_path(shop: Worker) -> None:
    assert shop.ask("GET", "/seen", headers=SHOP).json()["root_path"] == ""


def test_a_program_mounted_twice_is_started_once(shop: Worker) -> None:
    assert shop.log.count("shop: started") == 1


def test_what_the_listener_says_about_the_client_is_believed(shop: Worker) -> None:
    seen = shop.ask("GET", "/seen", headers={**SHOP, "X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"})
    assert (seen.json()["client"], seen.json()["scheme"]) == ("192.0.2.7", "https")


def test_an_upload_in_chunks_arrives_whole(shop: Worker) -> None:
    chunk = bytes(range(256)) * 1024

    def chunks() -> Iterator[bytes]:
        for _ in range(64):
            yield chunk

    echo = shop.ask("POST", "/echo", headers=SHOP, body=chunks()).json()
    assert echo == {"sha256": hashlib.sha256(chunk * 64).hexdigest(), "length": 64 * len(chunk)}


def test_a_large_upload_arrives_whole(shop: Worker) -> None:
    body = b"0123456789abcdef" * 2**20
    echo = shop.ask("POST", "/echo", headers=SHOP, body=body).json()
    assert echo == {"sha256": hashlib.sha256(body).hexdigest(), "length": len(body)}


def test_a_large_download_arrives_whole(shop: Worker) -> None:
    assert len(shop.ask("GET", "/download?mebibytes=32", headers=SHOP).body) == 32 * 2**20


def test_a_client_that_expects_100_continue_gets_it_before_it_sends_the_body(shop: Worker) -> None:
    with socket.create_connection(("127.0.0.1", shop.port), DEADLINE) as connection, connection.makefile("rb") as lines:
        connection.sendall(
            b"POST /echo HTTP/1.1\r\nHost: shop\r\nX-Webgarden-Site: test/shop\r\n"
            b"Content-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        assert lines.readline() == b"HTTP/1.1 100 Continue\r\n"
        connection.sendall(b"hello")
        assert hashlib.sha256(b"hello").hexdigest().encode() in lines.read()


def test_two_requests_go_over_one_connection(shop: Worker) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", shop.port, timeout=DEADLINE)
    for _ in range(2):
        connection.request("GET", "/seen", headers=SHOP)
        assert connection.getresponse().read()
        assert connection.sock is not None
    connection.close()


def test_a_websocket_talks(shop: Worker) -> None:
    with connect(f"ws://127.0.0.1:{shop.port}/two/talk", additional_headers=SHOP) as websocket:
        for word in ("one", "two"):
            websocket.send(word)
            assert websocket.recv(DEADLINE) == f"/two: {word}"


def test_a_websocket_to_nowhere_is_refused_with_404(shop: Worker) -> None:
    try:
        connect(f"ws://127.0.0.1:{shop.port}/talk", additional_headers={"X-Webgarden-Site": "test/none"})
    except InvalidStatus as refusal:
        assert refusal.response.status_code == 404
    else:
        raise AssertionError("a WebSocket was opened to a site that is not there")


def test_events_arrive_one_by_one() -> None:
    with running(ASGI) as worker:
        connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=DEADLINE)
        connection.request("GET", "/events")
        response = connection.getresponse()
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.readline() == b"data: first\n"
        worker.get("/release")
        assert response.read() == b"\ndata: second\n\n"
        connection.close()


def test_an_exception_is_a_500_with_a_traceback_in_the_log(shop: Worker) -> None:
    assert shop.ask("GET", "/fail", headers=SHOP).status == 500
    until(lambda: "out of stock" in shop.log)


def test_a_program_that_knows_no_lifespan_is_served() -> None:
    bare = {**ASGI, "target": "bare:app", "root": str(PROGRAMS / "asgi")}
    with running(bare) as worker:
        assert worker.get("/").status == 204
