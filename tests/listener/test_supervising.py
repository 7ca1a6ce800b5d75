"""The first processes of both containers: what they keep running comes back, and they themselves end when they are told."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.listener.haproxy_binary import haproxy
from tests.listener.node import SOURCES, free_ports
from tests.listener.waiting import until_now

from webgarden_listener.heartbeat import Heart
from webgarden_listener.liveness import CLIENTS, answer
from webgarden_listener.supervising import LONGEST, YOUNG, End, pause

SUBREAPER = 36
"""Of prctl(2): orphans come to this process, as they come to the first one of a container."""

CONFIGURATION = """
global
  nbthread 1
defaults
  mode http
  timeout connect 1s
  timeout client 5s
  timeout server 5s
frontend www
  bind 127.0.0.1:{port}
  log stdout len 8192 format raw local0 info
  capture request header Long len 4000
  log-format "%HP %hr"
  http-request return status 200 content-type text/plain string {table}
"""

BOOT = """
import pathlib, sys
here = pathlib.Path(__file__).parent
table = "empty" if "--empty" in sys.argv else (here / "table").read_text()
if (here / "failing").exists():
    sys.exit(f"boot fails: {table}")
(here / "haproxy.cfg").write_text((here / "configuration").read_text().replace("{table}", table))
"""

AGENT = """
import pathlib, sys, time
from webgarden_listener.heartbeat import beat
here = pathlib.Path(sys.argv[1])
with (here / "started").open("a") as started:
    started.write(".")
while not (here / "hang").exists():
    beat()
    time.sleep(0.02)
time.sleep(600)
"""


class Container:
    """A first process as in a container, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.process: subprocess.Popen[bytes]

    def start(self, module: str, *words: object, stdout: int = subprocess.DEVNULL) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", f"webgarden_listener.{module}", *map(str, words)],
                env={**os.environ, "PYTHONPATH": str(SOURCES), "PYTHONWARNINGS": "error"},
                stdout=stdout,
                stderr=log,
                preexec_fn=reap_orphans,
                start_new_session=True,
            )

    def children(self) -> list[int]:
        pid = self.process.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def child(self, word: str) -> int:
        """The one with this word in its command, which for a moment is still its parent's."""

        def found() -> int:
            running = (pid for pid in self.children() if word in command(pid))
            return next(running, 0)

        return until_now(found)

    @contextlib.contextmanager
    def halted(self) -> Iterator[None]:
        """What comes meanwhile is found all at once."""
        self.process.send_signal(signal.SIGSTOP)
        until_now(lambda: Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        yield
        self.process.send_signal(signal.SIGCONT)

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def said(self) -> str:
        return self.log.read_text()

    def ended(self) -> int:
        return self.process.wait(15)

    def end(self) -> None:
        print(self.said())
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def script(folder: Path, text: str) -> Path:
    program = folder / "program"
    program.write_text(f"#!/bin/sh\ncd {folder}\n{text}\n")
    program.chmod(0o755)
    return program


def reap_orphans() -> None:
    ctypes.CDLL(None).prctl(SUBREAPER, 1)


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode()


def get(url: str) -> tuple[int, str]:
    """Status and body; 0 when there is no answer."""
    try:
        with urllib.request.urlopen(url, timeout=5) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    made = Container(tmp_path)
    yield made
    made.end()


class HAProxy:
    """The container of HAProxy, with files made by a `boot` of the test."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.folder = container.folder
        self.port = free_ports(1)[0]
        (self.folder / "configuration").write_text(CONFIGURATION.replace("{port}", str(self.port)))
        (self.folder / "boot.py").write_text(BOOT)
        self.set("whole")

    def set(self, table: str) -> None:
        (self.folder / "table").write_text(table)

    def start(self, *, stdout: int = subprocess.DEVNULL) -> None:
        config, boot = self.folder / "haproxy.cfg", self.folder / "boot.py"
        self.container.start("haproxy.process", haproxy(), config, sys.executable, boot, stdout=stdout)

    def kill(self) -> None:
        os.kill(self.container.child("-db"), signal.SIGKILL)

    def get(self, path: str = "/") -> str:
        return get(f"http://127.0.0.1:{self.port}{path}")[1]

    def serves(self, table: str) -> None:
        until_now(lambda: self.get() == table)


@pytest.fixture
def proxy(container: Container) -> HAProxy:
    return HAProxy(container)


# How long it waits.


def test_what_has_lived_is_started_again_at_once() -> None:
    assert pause(End(-9, YOUNG), before=LONGEST) == 0


def test_the_pauses_of_what_dies_young_grow_to_a_second_and_no_further() -> None:
    pauses = [0.0]
    for _ in range(10):
        pauses.append(pause(End(1, YOUNG / 2), before=pauses[-1]))
    assert pauses[1:3] == [0.05, 0.1]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST == 1


@pytest.mark.parametrize(
    ("code", "words"),
    [(1, "ended with 1"), (-9, "was ended by signal 9 (Killed)"), (-40, "was ended by signal 40 (Real-time signal 6)")],
)
def test_an_end_is_said_with_what_it_was(code: int, words: str) -> None:
    said = str(End(code, 2.04))
    assert said.startswith(words)
    assert said.endswith(" after 2.0 s")


# HAProxy.


def test_an_haproxy_that_is_killed_is_started_with_files_made_anew(proxy: HAProxy) -> None:
    proxy.start()
    proxy.serves("whole")
    proxy.set("newer")
    (proxy.folder / "haproxy.cfg").write_text("broken meanwhile")
    proxy.kill()
    proxy.serves("newer")
    assert "HAProxy is started anew: it was ended by signal 9" in proxy.container.said()


def test_a_table_that_haproxy_refuses_does_not_keep_the_listener_down(proxy: HAProxy) -> None:
    proxy.set("broken, and with too many words")
    proxy.start()
    proxy.serves("empty")
    assert "HAProxy cannot start with its files: it ended with 1" in proxy.container.said()
    proxy.set("mended")
    proxy.kill()
    proxy.serves("mended")


def test_files_that_cannot_be_made_are_tried_again(proxy: HAProxy) -> None:
    failing = proxy.folder / "failing"
    failing.touch()
    proxy.start()
    for table in ("whole", "empty"):  # by turns
        until_now(lambda table=table: proxy.container.said().count(f"boot fails: {table}") > 1)  # type: ignore[misc]
    failing.unlink()
    until_now(lambda: proxy.get() in ("whole", "empty"))


def test_while_files_cannot_be_made_the_old_ones_do(proxy: HAProxy) -> None:
    proxy.start()
    proxy.serves("whole")
    (proxy.folder / "failing").touch()
    proxy.kill()
    until_now(lambda: "so the old ones have to do" in proxy.container.said())
    proxy.serves("whole")


def test_a_program_that_is_not_there_is_said_and_tried_again(proxy: HAProxy, tmp_path: Path) -> None:
    program = tmp_path / "program"
    boot = [sys.executable, proxy.folder / "boot.py"]
    proxy.container.start("haproxy.process", program, proxy.folder / "haproxy.cfg", *boot)
    until_now(lambda: f"{program} cannot be started" in proxy.container.said())
    program.symlink_to(haproxy())
    proxy.serves("whole")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_haproxy_and_its_supervisor_end_when_they_are_told(proxy: HAProxy, number: signal.Signals) -> None:
    proxy.start()
    proxy.serves("whole")
    proxy.container.process.send_signal(number)
    assert proxy.container.ended() == 0
    assert proxy.get() != "whole"


def test_one_that_is_told_to_end_ends_between_two_starts_as_well(proxy: HAProxy) -> None:
    (proxy.folder / "failing").touch()
    proxy.start()
    until_now(lambda: proxy.container.said().count("boot fails") > 6)  # so it waits a second by now
    proxy.container.process.terminate()
    assert proxy.container.ended() == 0


def test_orphans_are_reaped(container: Container) -> None:
    program = script(container.folder, "(sleep 0.1 & echo $! > orphan); exec sleep 600")
    container.start("haproxy.process", program, "config", "true")
    orphan = int(until_now(lambda: (file := container.folder / "orphan").exists() and file.read_text()))
    until_now(lambda: not Path(f"/proc/{orphan}").exists())
    assert container.said() == ""


def test_one_that_ignores_term_is_killed(container: Container) -> None:
    program = script(container.folder, "trap '' TERM; echo > deaf; while :; do sleep 600; done")
    container.start("haproxy.process", program, "config", "true")
    until_now((container.folder / "deaf").exists)
    process = container.child("program")
    container.process.terminate()
    assert container.ended() == 0
    assert not Path(f"/proc/{process}").exists()


# Its log.


def test_the_last_lines_are_in_the_log_when_it_ends(proxy: HAProxy) -> None:
    proxy.start(stdout=subprocess.PIPE)
    proxy.serves("whole")
    paths = [f"/{number}" for number in range(200)]
    for path in paths:
        proxy.get(path)
    proxy.get("/last")  # which HAProxy may not have logged when it is told to end
    proxy.container.process.terminate()
    said, _ = proxy.container.process.communicate(timeout=15)
    logged = [line.split()[0] for line in said.decode().splitlines()]
    assert [path for path in logged if path in paths] == paths


def test_the_log_goes_through_the_pipe(proxy: HAProxy) -> None:
    proxy.start(stdout=subprocess.PIPE)
    outputs = [Path(f"/proc/{pid}/fd/1") for pid in (proxy.container.process.pid, proxy.container.child("-db"))]
    assert outputs[0].readlink() != outputs[1].readlink()
    proxy.container.process.terminate()
    proxy.container.process.communicate(timeout=15)


def test_the_log_goes_on_when_haproxy_is_started_anew(proxy: HAProxy) -> None:
    proxy.start(stdout=subprocess.PIPE)
    for path in ("/before", "/after"):
        proxy.serves("whole")
        proxy.get(path)
        proxy.get("/last")
        proxy.kill()
    proxy.serves("whole")
    proxy.container.process.terminate()
    said, _ = proxy.container.process.communicate(timeout=15)
    assert {b"/before", b"/after"} <= {line.split()[0] for line in said.splitlines()}


def test_an_output_that_takes_nothing_holds_up_neither_haproxy_nor_the_end(proxy: HAProxy) -> None:
    source, sink = os.pipe()
    proxy.start(stdout=sink)
    proxy.serves("whole")
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        stream = client.makefile("rwb")
        for _ in range(600):  # 2.4 MB of log, more than all pipes hold
            stream.write(b"GET / HTTP/1.1\r\nHost: x\r\nLong: " + b"x" * 4000 + b"\r\n\r\n")
            stream.flush()
            assert b" 200 " in stream.readline()
            while stream.readline() != b"\r\n":
                pass
            stream.read(len("whole"))
    proxy.container.process.terminate()
    assert proxy.container.ended() == 0
    os.close(source)
    os.close(sink)


# The agent.


class Agent:
    def __init__(self, container: Container) -> None:
        self.container = container
        self.port = free_ports(1)[0]

    def start(self, program: str = AGENT, *, silence: float = 30.0) -> None:
        words = [sys.executable, "-c", program, self.container.folder]
        self.container.start("watching", self.port, silence, *words)

    def starts(self) -> int:
        file = self.container.folder / "started"
        return len(file.read_text()) if file.exists() else 0

    def healthz(self) -> int:
        return get(f"http://127.0.0.1:{self.port}/healthz")[0]


@pytest.fixture
def agent(container: Container) -> Agent:
    return Agent(container)


def test_an_agent_that_dies_is_started_again(agent: Agent) -> None:
    agent.start()
    until_now(lambda: agent.starts() == 1)
    os.kill(agent.container.child("beat"), signal.SIGKILL)
    until_now(lambda: agent.starts() == 2)
    assert agent.healthz() == 200
    assert "The agent was ended by signal 9" in agent.container.said()


def test_an_agent_that_hangs_is_killed_and_started_again(agent: Agent) -> None:
    agent.start(silence=1)
    until_now(lambda: agent.starts() == 1)
    first = agent.container.child("beat")
    os.kill(first, signal.SIGSTOP)
    until_now(lambda: agent.starts() == 2)
    assert first not in agent.container.children()
    assert "no sign of life" in agent.container.said()


def test_an_agent_that_beats_is_left_alone(agent: Agent) -> None:
    agent.start(silence=1)
    until_now(lambda: agent.starts() == 1)
    process = agent.container.child("beat")
    with pytest.raises(AssertionError, match="not within"):
        until_now(lambda: agent.container.children() != [process] or agent.healthz() != 200, seconds=2.5)


def test_a_hanging_agent_is_not_healthy(agent: Agent) -> None:
    agent.start(silence=1)
    until_now(lambda: agent.healthz() == 200)
    (agent.container.folder / "hang").touch()
    until_now(lambda: agent.healthz() == 503)
    (agent.container.folder / "hang").unlink()
    until_now(lambda: agent.healthz() == 200)


def test_an_agent_that_never_gets_to_a_beat_is_not_healthy_however_often_it_starts(agent: Agent) -> None:
    agent.start("raise SystemExit(3)", silence=2)
    until_now(lambda: agent.healthz() == 503)
    until_now(lambda: agent.container.said().count("The agent ended with 3") > 3)
    assert agent.healthz() == 503


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_agent_and_its_supervisor_end_when_they_are_told(agent: Agent, number: signal.Signals) -> None:
    agent.start()
    until_now(lambda: agent.starts() == 1)
    process = agent.container.child("beat")
    agent.container.process.send_signal(number)
    assert agent.container.ended() == 0
    assert not Path(f"/proc/{process}").exists()


def test_slow_clients_hold_nobody_up(agent: Agent) -> None:
    agent.start()
    until_now(lambda: agent.healthz() == 200)
    with contextlib.ExitStack() as slow:
        clients = [
            slow.enter_context(socket.create_connection(("127.0.0.1", agent.port), timeout=5))
            for _ in range(2 * CLIENTS)
        ]
        assert [agent.healthz() for _ in range(10)] == [200] * 10
        assert clients[0].recv(1) == b""


def test_a_client_that_is_dropped_in_the_moment_in_which_it_speaks_ends_nothing(agent: Agent) -> None:
    agent.start()
    until_now(lambda: agent.starts() == 1)
    idle = agent.container.descriptors()
    with contextlib.ExitStack() as crowd:

        def come() -> socket.socket:
            return crowd.enter_context(socket.create_connection(("127.0.0.1", agent.port), timeout=5))

        clients = [come() for _ in range(CLIENTS)]
        until_now(lambda: agent.container.descriptors() == idle + CLIENTS)
        with agent.container.halted():
            come()
            clients[0].sendall(b"GET")
        with contextlib.suppress(ConnectionResetError):  # what it said is not read
            assert clients[0].recv(1) == b""
        assert agent.healthz() == 200
    assert agent.container.process.poll() is None
    assert (agent.starts(), agent.container.said()) == (1, "")


def test_a_request_may_come_in_pieces_and_on_either_family(agent: Agent) -> None:
    agent.start()
    until_now(lambda: agent.healthz() == 200)
    for address in ("127.0.0.1", "::1"):
        with socket.create_connection((address, agent.port), timeout=5) as client:
            for piece in (b"GET /heal", b"thz HTTP/1.1\r\n", b"Host: x\r\n\r\n"):
                client.sendall(piece)
            assert client.makefile("rb").read().startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_port_that_is_taken_is_said_in_a_line(agent: Agent) -> None:
    with socket.create_server(("", agent.port)):
        agent.start()
        assert agent.container.ended() == 1
    assert agent.container.said().startswith(f"webgarden-listener: WEBGARDEN_AGENT_HEALTH_PORT is {agent.port}, which")


def test_what_is_no_request_is_closed(agent: Agent) -> None:
    agent.start()
    until_now(lambda: agent.healthz() == 200)
    with socket.create_connection(("127.0.0.1", agent.port), timeout=5) as client:
        client.sendall(b"x" * 8192)
        assert client.recv(1) == b""
    with socket.create_connection(("127.0.0.1", agent.port), timeout=5) as client:
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert agent.healthz() == 200


def test_only_healthz_is_answered() -> None:
    assert answer(b"GET / HTTP/1.1\r\n\r\n", alive=True).startswith(b"HTTP/1.1 404 ")
    assert answer(b"GET /healthz HTTP/1.1\r\n\r\n", alive=False).startswith(b"HTTP/1.1 503 ")


def test_a_process_that_starts_has_as_long_as_any_for_its_first_beat() -> None:
    time = 100.0
    heart = Heart(30, clock=lambda: time)
    time = 120.0
    heart.expect()
    assert (heart.deadline(), heart.fresh()) == (150, True)
    time = 131.0
    assert not heart.fresh()
    heart.hear()  # nothing
    assert (heart.deadline(), heart.fresh()) == (150, False)
    os.write(int(next(iter(heart.environment.values()))), b".")
    heart.hear()
    assert (heart.deadline(), heart.fresh()) == (161, True)
