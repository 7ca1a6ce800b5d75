"""Heads and ends of answers, byte for byte, whichever kind of application made them."""

import socket
from collections.abc import Iterator

import pytest
from tests.worker.workers import ASGI, DEADLINE, WSGI, Worker, running

ODD = {**WSGI, "site": "test/shop", "path": "/odd", "target": "odd:app"}


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with running(ASGI, ODD) as started:
        yield started


def spoken(worker: Worker, *requests: str) -> bytes:
    """What the worker says to these requests, sent one after the other on one connection, until it closes it."""
    with socket.create_connection(("127.0.0.1", worker.port), DEADLINE) as connection:
        connection.sendall("".join(f"{request}\r\nHost: x\r\n\r\n" for request in requests).encode())
        with connection.makefile("rb") as answer:
            return answer.read()


def head_and_body(answer: bytes) -> tuple[bytes, bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.lower(), body


LAST = "GET /odd/writes HTTP/1.1\r\nConnection: close"


@pytest.mark.parametrize("path", ["/odd/bodiless?{}%20Whatever", "/bodiless?status={}"])
@pytest.mark.parametrize("status", [204, 304])
def test_nothing_stands_behind_a_204_or_304(worker: Worker, path: str, status: int) -> None:
    head, rest = head_and_body(spoken(worker, f"GET {path.format(status)} HTTP/1.1", LAST))
    assert head.startswith(f"http/1.1 {status} ".encode())
    assert b"content-length" not in head and b"transfer-encoding" not in head
    assert b"x-kept: yes" in head
    assert rest.startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("path", ["/odd/stream", "/stream"])
def test_a_client_of_http_1_0_gets_no_chunks_and_sees_the_end_by_the_connection_s(worker: Worker, path: str) -> None:
    head, body = head_and_body(spoken(worker, f"GET {path} HTTP/1.0\r\nConnection: keep-alive"))
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body == b"leaf\n" * 3


@pytest.mark.parametrize("path", ["/odd/stream", "/stream"])
def test_a_client_of_http_1_1_gets_chunks(worker: Worker, path: str) -> None:
    head, body = head_and_body(spoken(worker, f"GET {path} HTTP/1.1\r\nConnection: close"))
    assert b"transfer-encoding: chunked" in head
    assert body.endswith(b"0\r\n\r\n")


def test_a_length_that_is_known_is_told_to_a_client_of_http_1_0(worker: Worker) -> None:
    head, body = head_and_body(spoken(worker, "GET /odd/file?5 HTTP/1.0"))
    assert b"content-length: 5" in head
    assert len(body) == 5


@pytest.mark.parametrize("path", ["/odd/stream", "/stream", "/odd/file?5"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_answer_to_head_has_no_body(worker: Worker, path: str, version: str) -> None:
    _, body = head_and_body(spoken(worker, f"HEAD {path} HTTP/{version}\r\nConnection: close"))
    assert body == b""
