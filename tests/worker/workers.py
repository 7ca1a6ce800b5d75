"""Real workers for the tests: `python -m webgarden_worker` on loopback, started, asked, and always ended."""

import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"
DEADLINE = 20.0
ASGI = {"site": "test/shop", "path": "/", "kind": "ASGI", "target": "shop:app", "root": str(PROGRAMS / "asgi")}
WSGI = {"site": "test/ledger", "path": "/", "kind": "WSGI", "target": "ledger:app", "root": str(PROGRAMS / "wsgi")}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401
        return json.loads(self.body)


@dataclass
class Worker:
    process: "subprocess.Popen[str]"
    port: int
    control_port: int
    lines: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def log(self) -> str:
        return "".join(self.lines)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def ask(self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None) -> Answer:  # noqa: ANN401
        return ask(self.port, method, path, headers=headers, body=body)

    def control(self, method: str, path: str, *, token: str | None = None) -> Answer:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return ask(self.control_port, method, path, headers=headers)

    def stats(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.control("GET", "/stats").json()
        return answer

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Wait for the end; the log is complete then."""
        code = self.process.wait(DEADLINE)
        self._ended.wait(DEADLINE)
        return code

    def follow(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)
        self._ended.set()


def ask(port: int, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Any = None) -> Answer:  # noqa: ANN401
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        connection.request(
            method, path, body=body, headers={k.replace("_", "-"): v for k, v in (headers or {}).items()}
        )
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
    finally:
        connection.close()


@contextmanager
def launch(
    *applications: Mapping[str, Any], environment: Mapping[str, str] | None = None, within: Sequence[str] = ()
) -> Iterator[Worker]:
    """Start a worker without waiting for it, if need be by another command."""
    port, control_port = _free_ports(2)
    variables = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WEBGARDEN_")},
        "PYTHONPATH": str(ROOT / "worker_image"),
        "PYTHONUNBUFFERED": "1",
        "WEBGARDEN_PORT": str(port),
        "WEBGARDEN_CONTROL_PORT": str(control_port),
        "WEBGARDEN_APPLICATIONS": json.dumps(applications),
        "WEBGARDEN_POOL": "garden",
        "WEBGARDEN_WORKER": "garden-1",
        **(environment or {}),
    }
    process = subprocess.Popen(
        [*within, sys.executable, "-m", "webgarden_worker"],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=PROGRAMS,
    )
    worker = Worker(process, port, control_port)
    follower = threading.Thread(target=worker.follow)
    follower.start()
    try:
        yield worker
    finally:
        process.kill()
        process.wait(DEADLINE)
        follower.join(DEADLINE)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def running(
    *applications: Mapping[str, Any], environment: Mapping[str, str] | None = None, within: Sequence[str] = ()
) -> Iterator[Worker]:
    """A worker that accepts connections."""
    with launch(*applications, environment=environment, within=within) as worker:
        until(lambda: _accepts(worker), lambda: worker.log)
        yield worker


def until(condition: Callable[[], bool], explain: Callable[[], str] = lambda: "") -> None:
    """Wait for a condition, by a deadline."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"did not happen within {DEADLINE} s: {explain()}"
        time.sleep(0.01)


def in_background(call: Callable[[], Answer]) -> "queue.Queue[Answer | Exception]":
    """Make the call in a thread; the answer or what it raised comes out of the queue."""
    answers: queue.Queue[Answer | Exception] = queue.Queue()

    def run() -> None:
        try:
            answers.put(call())
        except (OSError, http.client.HTTPException) as error:
            answers.put(error)

    threading.Thread(target=run, daemon=True).start()
    return answers


def answer_of(answers: "queue.Queue[Answer | Exception]") -> Answer:
    answer = answers.get(timeout=DEADLINE)
    assert isinstance(answer, Answer), repr(answer)
    return answer


def _accepts(worker: Worker) -> bool:
    assert worker.process.poll() is None, worker.log
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", worker.port)) == 0


def _free_ports(count: int) -> Sequence[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
