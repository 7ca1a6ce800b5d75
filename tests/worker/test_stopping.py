"""How a worker ends."""

import http.client
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.worker.workers import (
    ASGI,
    DEADLINE,
    PROGRAMS,
    WSGI,
    Worker,
    answer_of,
    in_background,
    launch,
    running,
    until,
)
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

SLOW_IMPORT = {**WSGI, "target": "slow_import:app", "root": str(PROGRAMS / "broken")}
SIGNALS = {**ASGI, "target": "signals:app", "root": str(PROGRAMS / "broken")}
STUBBORN = {**WSGI, "target": "stubborn:app", "root": str(PROGRAMS / "broken")}


def refuses(worker: Worker) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", worker.port)) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_with_nothing_to_do_ends_at_once_with_0(number: signal.Signals) -> None:
    with running(ASGI) as worker:
        worker.process.send_signal(number)
        assert worker.exit_code() == 0
        assert "shop: stopped" in worker.log
        assert worker.lines[-1].endswith("Stopped\n")


@pytest.mark.parametrize("application", [ASGI, WSGI], ids=["ASGI", "WSGI"])
def test_a_running_request_is_finished_and_no_new_one_accepted(application: dict[str, str]) -> None:
    with running(application) as worker:
        keep = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=DEADLINE)
        keep.connect()
        held = in_background(lambda: worker.get("/hold"))
        until(lambda: worker.stats()["inFlight"] == 1)
        # A connection with a request in hand stays, so this is how to release the other one.
        keep.putrequest("POST", "/release")
        keep.putheader("Content-Length", "1")
        keep.endheaders()
        until(lambda: worker.stats()["inFlight"] == 2)
        worker.terminate()
        until(lambda: refuses(worker))
        assert worker.control("GET", "/stats").status == 200
        keep.send(b"x")
        assert keep.getresponse().status == 200
        keep.close()
        assert answer_of(held).body.strip(b'"') == b"held"
        assert worker.exit_code() == 0


def test_a_request_past_the_limit_is_cut_and_the_exit_code_says_so() -> None:
    with running(ASGI, environment={"WEBGARDEN_SHUTDOWN_SECONDS": "1"}) as worker:
        held = in_background(lambda: worker.get("/hold"))
        until(lambda: worker.stats()["inFlight"] == 1)
        worker.terminate()
        assert worker.exit_code() == 1
        assert "Stopped at the time limit: 1 requests were cut" in worker.log
        assert held.get(timeout=DEADLINE)


def test_a_second_signal_ends_it_at_once() -> None:
    with running(ASGI) as worker:
        in_background(lambda: worker.get("/hold"))
        until(lambda: worker.stats()["inFlight"] == 1)
        worker.terminate()
        until(lambda: refuses(worker))
        worker.terminate()
        assert worker.exit_code() == 128 + signal.SIGTERM
        assert "Told to stop a second time" in worker.log


def test_a_second_signal_ends_a_worker_whose_loop_hangs() -> None:
    with running(ASGI) as worker:
        in_background(lambda: worker.get("/hold-loop"))
        until(lambda: "shop: holding the loop" in worker.log)
        worker.terminate()
        until(lambda: "Stopping" in worker.log)
        worker.terminate()
        assert worker.exit_code() == 128 + signal.SIGTERM


def test_a_thread_that_hangs_does_not_keep_the_process_and_its_stack_is_shown() -> None:
    with running(STUBBORN, environment={"WEBGARDEN_SHUTDOWN_SECONDS": "1"}) as worker:
        in_background(lambda: worker.get("/"))
        until(lambda: worker.stats()["inFlight"] == 1)
        worker.terminate()
        assert worker.exit_code() == 1
        assert f'File "{PROGRAMS}/broken/stubborn.py", line 11 in app' in worker.log


def test_a_worker_that_still_imports_stops_at_the_first_signal_whatever_the_program_swallows() -> None:
    with launch(SLOW_IMPORT) as worker:
        until(lambda: "importing" in worker.log)
        worker.terminate()
        assert worker.exit_code() == 0
        assert "swallowed" not in worker.log
        assert "Stopped before any request was accepted" in worker.log


@pytest.mark.parametrize("when", ["import", "lifespan", "request", "ignored"])
def test_a_program_s_own_handler_neither_loses_a_request_nor_keeps_the_process(when: str) -> None:
    with running(SIGNALS, environment={"WHEN": when}) as worker:
        assert worker.get("/").status == 200
        # The handlers are looked after ten times a second; how often is the only thing that could be waited for.
        until(lambda: handles_sigterm(worker))
        connection = http.client.HTTPConnection("127.0.0.1", worker.port, timeout=DEADLINE)
        connection.putrequest("POST", "/")
        connection.putheader("Content-Length", "1")
        connection.endheaders()
        until(lambda: worker.stats()["inFlight"] == 1)
        worker.terminate()
        until(lambda: refuses(worker))
        connection.send(b"x")
        assert connection.getresponse().read() == b"1 bytes"
        connection.close()
        assert worker.exit_code() == 0
        assert ("signals: cleaned up" in worker.log) == (when in ("import", "request"))


def handles_sigterm(worker: Worker) -> bool:
    return worker.get("/handler").body.startswith(b"<bound method Stopping.")


@contextmanager
def in_a_namespace(*applications: dict[str, str]) -> Iterator[tuple[Worker, int]]:
    """A worker, and what is PID 1 to it."""
    new_namespace = ["unshare", "--pid", "--fork", "--kill-child", "--map-root-user"]
    if subprocess.run([*new_namespace, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine does not let us make a PID namespace")
    with running(*applications, within=new_namespace) as worker:
        (first,) = children(worker.process.pid)
        assert Path(f"/proc/{first}/status").read_text().partition("NSpid:")[2].split()[:2] == [str(first), "1"]
        yield worker, first


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_pid_1_stops_too() -> None:
    """The kernel drops a signal to PID 1 that it has no handler for, so this fails where the default was relied on."""
    with in_a_namespace(WSGI) as (worker, first):
        os.kill(first, signal.SIGTERM)
        assert worker.exit_code() == 0
        assert "Stopped" in worker.log


def test_pid_1_ends_as_its_worker_does() -> None:
    with in_a_namespace(WSGI) as (worker, first):
        (hosting,) = children(first)
        os.kill(hosting, signal.SIGKILL)
        assert worker.exit_code() == 128 + signal.SIGKILL


def test_pid_1_buries_what_a_program_leaves_behind(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with in_a_namespace(SIGNALS) as (worker, first):
        (hosting,) = children(first)
        assert worker.get(f"/orphan?{gate}").status == 200
        until(lambda: len(children(first)) == 2)
        gate.write_text("")
        until(lambda: children(first) == [hosting])
        assert worker.get("/").status == 200


def test_a_websocket_is_told_that_the_service_restarts() -> None:
    with running(ASGI) as worker, connect(f"ws://127.0.0.1:{worker.port}/talk") as websocket:
        websocket.send("hello")
        websocket.recv(DEADLINE)
        worker.terminate()
        with pytest.raises(ConnectionClosed) as close:
            websocket.recv(DEADLINE)
        assert close.value.rcvd is not None and close.value.rcvd.code == 1012
        assert worker.exit_code() == 0
