"""Who answers a ping: a worker that is full, and not one that hangs."""

import http.client
import socket
from collections.abc import Iterator
from queue import Queue

import pytest
from tests.worker.workers import (
    ASGI,
    DEADLINE,
    PROGRAMS,
    WSGI,
    Answer,
    Worker,
    answer_of,
    in_background,
    running,
    until,
)

STUBBORN = {**WSGI, "target": "stubborn:app", "root": str(PROGRAMS / "broken")}
TURNSTILE = {"site": "test/turnstile", "path": "/", "kind": "ASGI", "target": "turnstile:asgi"}
WAITING = {**TURNSTILE, "path": "/wsgi", "kind": "WSGI", "target": "turnstile:wsgi"}
BOTH = [{**application, "root": str(PROGRAMS / "both")} for application in (TURNSTILE, WAITING)]
THREADS = 48
"""More than anyio has by itself."""


@pytest.fixture
def turnstile() -> Iterator[Worker]:
    with running(*BOTH, environment={"WEBGARDEN_THREADS": str(THREADS)}) as worker:
        yield worker
        let_through(worker, 10 * THREADS)


def waiting(worker: Worker, path: str, count: int) -> None:
    for _ in range(count):
        in_background(lambda: worker.get(path))
    until(lambda: worker.stats()["inFlight"] == count)


def let_through(worker: Worker, count: int) -> None:
    assert worker.get(f"/let-through?count={count}").status == 200


def ping(worker: Worker) -> "Queue[Answer | Exception]":
    return in_background(lambda: worker.control("GET", "/ping"))


def pings(worker: Worker) -> bool:
    """Whether an answer comes within half a second; a healthy worker takes milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", worker.control_port, timeout=0.5)
    try:
        connection.request("GET", "/ping")
        return connection.getresponse().status == 200
    except TimeoutError:
        return False
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/wsgi/", "/wait"])
def test_as_many_threads_as_requests_are_admitted(turnstile: Worker, path: str) -> None:
    waiting(turnstile, path, THREADS - 1)
    assert pings(turnstile)


@pytest.mark.parametrize("path", ["/wsgi/", "/wait"])
def test_a_full_worker_answers_when_one_of_its_requests_gets_on(turnstile: Worker, path: str) -> None:
    waiting(turnstile, path, 2 * THREADS)
    assert not pings(turnstile)
    asked = ping(turnstile)
    let_through(turnstile, 1)
    assert answer_of(asked).status == 200
    assert turnstile.stats()["inFlight"] > THREADS


def test_a_worker_whose_wsgi_threads_all_hang_does_not_answer() -> None:
    with running(ASGI, STUBBORN, environment={"WEBGARDEN_THREADS": "2"}) as worker:
        hung = [in_background(lambda: _of(worker, STUBBORN)) for _ in range(2)]
        until(lambda: worker.stats()["inFlight"] == 2)
        assert not pings(worker)
        assert worker.get("/seen", X_Webgarden_Site="test/shop").status == 200
        assert all(answers.empty() for answers in hung)


def test_a_worker_with_one_free_thread_answers() -> None:
    with running(STUBBORN, environment={"WEBGARDEN_THREADS": "2"}) as worker:
        in_background(lambda: _of(worker, STUBBORN))
        until(lambda: worker.stats()["inFlight"] == 1)
        assert worker.control("GET", "/ping").status == 200


def test_a_worker_whose_asgi_threads_all_hang_does_not_answer() -> None:
    with running(ASGI) as worker:
        waiting(worker, "/hold-thread", 40)
        assert not pings(worker)


def test_a_worker_whose_loop_hangs_does_not_answer() -> None:
    with running(ASGI) as worker:
        in_background(lambda: worker.get("/hold-loop"))
        until(lambda: "shop: holding the loop" in worker.log)
        assert not pings(worker)


def test_a_client_that_does_not_read_does_not_make_a_worker_look_hung() -> None:
    with (
        running(*BOTH, environment={"WEBGARDEN_THREADS": "1"}) as worker,
        socket.create_connection(("127.0.0.1", worker.port), DEADLINE) as client,
    ):
        client.sendall(b"GET /wsgi/endless HTTP/1.1\r\nHost: x\r\n\r\n")
        until(lambda: worker.stats()["inFlight"] == 1)
        for _ in range(3):
            assert worker.control("GET", "/ping").status == 200


def test_a_client_that_does_not_send_does_not_make_a_worker_look_hung() -> None:
    with (
        running(WSGI, environment={"WEBGARDEN_THREADS": "1"}) as worker,
        socket.create_connection(("127.0.0.1", worker.port), DEADLINE) as client,
    ):
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n")
        until(lambda: worker.stats()["inFlight"] == 1)
        for _ in range(3):
            assert worker.control("GET", "/ping").status == 200


def _of(worker: Worker, application: dict[str, str]) -> Answer:
    return worker.ask("GET", "/", headers={"X-Webgarden-Site": application["site"]})
