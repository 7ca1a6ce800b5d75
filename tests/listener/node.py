"""A whole listener on loopback: the real HAProxy and agent, each below its supervisor, that share a directory."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.listener.haproxy_binary import haproxy
from tests.listener.waiting import until_now

SOURCES = Path(__file__).parents[2] / "listener_image"
PARTS = ("haproxy", "agent")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class Node:
    """Start, kill and ask; `log` has what both said."""

    def __init__(self, link_url: str, **options: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="wg-"))
        self.port, self.other_port, self.health_port, self.agent_health_port = free_ports(4)
        self.log = self.directory / "log"
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(SOURCES),
            "PYTHONWARNINGS": "error",
            "WEBGARDEN_DIRECTORY": str(self.directory / "run"),
            "WEBGARDEN_HAPROXY": str(haproxy()),
            "WEBGARDEN_PORTS": f"80:{self.port},81:{self.other_port}",
            "WEBGARDEN_HEALTH_PORT": str(self.health_port),
            "WEBGARDEN_AGENT_HEALTH_PORT": str(self.agent_health_port),
            "WEBGARDEN_CONNECTIONS": "2000",
            "WEBGARDEN_LINK_URL": link_url,
            "WEBGARDEN_LISTENER": "listener-test",
            **{f"WEBGARDEN_{name.upper()}": value for name, value in options.items()},
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def run(self) -> Path:
        return self.directory / "run"

    def set(self, name: str, value: str) -> None:
        self._environment[f"WEBGARDEN_{name.upper()}"] = value

    def start(self, *parts: str) -> None:
        for part in parts or PARTS:
            self.processes[part] = self.spawn(part)

    def spawn(self, command: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "webgarden_listener", command],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, part: str, number: signal.Signals = signal.SIGKILL) -> None:
        """One container alone, with all that runs in it."""
        process = self.processes.pop(part)
        with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
            os.killpg(process.pid, number)
        process.wait()

    @contextlib.contextmanager
    def paused(self, part: str) -> Iterator[None]:
        """A part that does nothing for a while."""
        group = self.processes[part].pid
        os.killpg(group, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(group, signal.SIGCONT)

    def cpu(self, part: str) -> float:
        """Seconds of a core that a part has used, its children's among them."""
        group = self.processes[part].pid
        spent = 0
        for file in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it ended while we looked
                fields = file.read_text().rpartition(")")[2].split()
                spent += int(fields[11]) + int(fields[12]) if int(fields[2]) == group else 0
        return spent / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        for part in list(self.processes):
            self.kill(part)
        print(self.said())
        shutil.rmtree(self.directory)

    def said(self) -> str:
        """The log without the lines of HAProxy's access log."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return "\n".join(line for line in lines if not line.startswith("{"))

    def status(self, path: str) -> int:
        """Of the health port."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}{path}", timeout=2) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0

    def wait_ready(self) -> None:
        until_now(lambda: self.status("/readyz") == 200, seconds=20)

    def below(self, part: str) -> int:
        """The pid of what a supervisor runs: HAProxy or the agent itself, or `boot` for a moment; 0 between two."""
        supervisor = self.processes[part].pid
        running = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
        return int(running[0]) if running else 0

    def ask(self, command: str) -> str:
        """HAProxy, which closes when it has answered. Not half-closed before: that breaks off its `wait`."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(self.run / "admin.sock"))
            client.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()
