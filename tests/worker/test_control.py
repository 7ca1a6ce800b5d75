"""The control port of a real worker."""

import http.client
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.worker.workers import (
    ASGI,
    DEADLINE,
    WSGI,
    Worker,
    answer_of,
    in_background,
    running,
    until,
)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Worker, Path]]:
    token = tmp_path_factory.mktemp("secret") / "token"
    token.write_text("first-token\n")
    with running(WSGI, environment={"WEBGARDEN_CONTROL_TOKEN_FILE": str(token)}) as worker:
        yield worker, token


def test_the_token_opens_the_control_port(guarded: tuple[Worker, Path]) -> None:
    worker, token = guarded
    token.write_text("first-token\n")
    answer = worker.control("GET", "/ping", token="first-token")
    assert (answer.status, answer.json()) == (200, {"unhealthy": None})


@pytest.mark.parametrize("path", ["/ping", "/stats", "/drain", "/nothing"])
@pytest.mark.parametrize("token", [None, "wrong", "first-toke", "First-token", "ünsinn"])
def test_without_the_token_nothing_is_told(guarded: tuple[Worker, Path], path: str, token: str | None) -> None:
    answer = guarded[0].control("GET", path, token=token)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_another_scheme_is_not_enough(guarded: tuple[Worker, Path]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", guarded[0].control_port, timeout=DEADLINE)
    connection.request("GET", "/ping", headers={"Authorization": "Basic first-token"})
    assert connection.getresponse().status == 401
    connection.close()


def test_a_rotated_token_holds_at_once(guarded: tuple[Worker, Path]) -> None:
    worker, token = guarded
    token.write_text("second-token")
    assert worker.control("GET", "/ping", token="second-token").status == 200
    assert worker.control("GET", "/ping", token="first-token").status == 401


def test_a_token_that_is_gone_opens_nothing(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("secret")
    with running(WSGI, environment={"WEBGARDEN_CONTROL_TOKEN_FILE": str(token)}) as worker:
        token.write_text("")
        assert worker.control("GET", "/ping", token="secret").status == 500
        assert worker.get("/seen").status == 200


def test_without_a_token_the_control_port_is_on_loopback_only(guarded: tuple[Worker, Path], shop: Worker) -> None:
    # Linux answers on all of 127.0.0.0/8, so another loopback address stands for another interface.
    assert _accepts("127.0.0.2", guarded[0].control_port)
    assert _accepts("127.0.0.2", shop.port)
    assert _accepts("127.0.0.1", shop.control_port)
    assert not _accepts("127.0.0.2", shop.control_port)


def _accepts(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def test_stats_are_those_of_the_process() -> None:
    with running(ASGI) as worker:
        held = in_background(lambda: worker.get("/hold"))
        until(lambda: worker.stats()["inFlight"] == 1)
        for _ in range(3):
            worker.get("/seen")
        stats = worker.stats()
        assert (stats["served"], stats["draining"], stats["unhealthy"]) == (3, False, None)
        assert (stats["pool"], stats["worker"]) == ("garden", "garden-1")
        assert 10 * 2**20 < stats["privateMemory"] < stats["rss"] < stats["virtualMemory"]
        assert stats["rss"] == pytest.approx(_resident(worker.process.pid), rel=0.2)
        assert 0 < stats["cpuSeconds"] < DEADLINE
        assert 0 < stats["uptimeSeconds"] < DEADLINE
        worker.get("/release")
        answer_of(held)
        assert (worker.stats()["inFlight"], worker.stats()["served"]) == (0, 5)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_declared_ill_health_is_shown_and_the_worker_goes_on() -> None:
    with running(ASGI) as worker:
        assert worker.control("GET", "/ping").json() == {"unhealthy": None}
        worker.get("/sick")
        assert worker.control("GET", "/ping").json() == {"unhealthy": "the till is on fire"}
        assert worker.stats()["unhealthy"] == "the till is on fire"
        assert worker.get("/seen").status == 200


def test_a_draining_worker_serves_and_closes_connections() -> None:
    with running(ASGI) as worker:
        assert "connection" not in worker.get("/seen").headers
        assert worker.control("POST", "/drain").json() == {"draining": True, "inFlight": 0}
        answer = worker.get("/seen")
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert worker.stats()["draining"]


def test_a_drain_closes_the_connection_of_a_request_that_ran_before_it() -> None:
    with running(ASGI) as worker:
        held = in_background(lambda: worker.get("/hold"))
        until(lambda: worker.stats()["inFlight"] == 1)
        worker.control("POST", "/drain")
        worker.get("/release")
        assert answer_of(held).headers["connection"] == "close"


def test_a_drain_answers_when_the_last_request_is_done() -> None:
    with running(ASGI) as worker:
        held = in_background(lambda: worker.get("/hold"))
        until(lambda: worker.stats()["inFlight"] == 1)
        assert worker.control("POST", "/drain?wait=0").json() == {"draining": True, "inFlight": 1}
        drained = in_background(lambda: worker.control("POST", "/drain?wait=600"))
        worker.get("/release")
        assert answer_of(drained).json() == {"draining": True, "inFlight": 0}
        assert answer_of(held).body == b"held"


def test_a_drain_can_be_taken_back() -> None:
    with running(ASGI) as worker:
        worker.control("POST", "/drain")
        assert worker.control("DELETE", "/drain").json() == {"draining": False, "inFlight": 0}
        assert "connection" not in worker.get("/seen").headers


@pytest.mark.parametrize("wait", ["soon", "-1", "3601"])
def test_a_drain_that_waits_for_nonsense_is_refused_and_does_not_drain(shop: Worker, wait: str) -> None:
    assert shop.control("POST", f"/drain?wait={wait}").status == 400
    assert not shop.stats()["draining"]
