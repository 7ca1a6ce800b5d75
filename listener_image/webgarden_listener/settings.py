"""Everything that can be set, as one tree of frozen dataclasses, read once from arguments and environment.

Each field says why somebody would change it. What makes no sense is refused with the name of the setting and with what
would do, before anything runs. Nothing else in the package reads the environment, but for `heartbeat`, which finds
there what a process was given by the one that started it.
"""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
N = TypeVar("N", int, float)


class SettingsError(Exception):
    """A setting that makes no sense, in words for the one who set it."""


@dataclass(frozen=True)
class Directory:
    """The files that the processes share; nothing outside of it is written."""

    root: Path

    @property
    def config(self) -> Path:
        """What HAProxy starts with, made anew before each start."""
        return self.root / "haproxy.cfg"

    @property
    def maps(self) -> Path:
        return self.root / "maps"

    @property
    def state(self) -> Path:
        """The last table."""
        return self.root / "state.json"

    @property
    def admin(self) -> Path:
        """Where HAProxy takes orders."""
        return self.root / "admin.sock"

    @property
    def bell(self) -> Path:
        """Where a pool without a worker rings: a frontend of HAProxy itself, so it is there without an agent, too."""
        return self.root / "bell.sock"

    @property
    def agent(self) -> Path:
        """Where the agent takes the rings."""
        return self.root / "agent.sock"

    @property
    def events(self) -> Path:
        """Where HAProxy tells the agent that a worker went down or came up: a socket of datagrams."""
        return self.root / "events.sock"

    @property
    def leaving(self) -> Path:
        """There from the first `leave` on: no new clients are wanted."""
        return self.root / "leaving"


@dataclass(frozen=True)
class Port:
    number: int
    """What a Site's binding says."""
    container: int
    """Where HAProxy listens: a process without privileges cannot have the ports below 1024."""


LOGGED = ("All", "Failed")
"""Requests in the log: all, or those that the listener refused, that were cut off, or that got 500 and above."""


@dataclass(frozen=True)
class HAProxySettings:
    program: str = "haproxy"
    """Another build of HAProxy, 3.4.7 or newer."""
    ports: tuple[Port, ...] = (Port(80, 8080),)
    health_port: int = 8404
    """Probes and metrics: apart from the sites, so that no Site can take it and no client reaches it."""
    threads: int = 2
    """As many as the container has cores."""
    connections: int = 10_000
    """Most client connections; `haproxy.descriptors` says what each needs."""
    log_all: bool = False
    """Every request into the log, and not only those that failed: see `LOGGED`."""
    keep_alive: int = 60
    """Seconds that an idle client connection is kept, and so the time that leaving may take."""
    head_size: int = 65536
    """Most bytes of a request's head, and of an answer's."""
    head_lines: int = 200
    """Most header fields of either."""


@dataclass(frozen=True)
class LinkSettings:
    url: str = "wss://webgarden-link.webgarden.svc:8443/link"
    listener: str = ""
    """The name of this pod: what the operator calls this listener."""
    ca: Path | None = None
    """The authority that signed the operator's certificate; without one, the system's."""
    token: Path | None = None
    """The service account token; read again for each connection, since the kubelet renews it."""


@dataclass(frozen=True)
class Timing:
    """Seconds. Defaults are measured ones; tests and small machines change them."""

    poll: float = 1.0
    """Counters are read this often: it costs 0.03 s of a core with 1,000 pools."""
    drain_poll: float = 0.02
    """A pool that drains is read this often, since a recycle waits for it."""
    silence: float = 30.0
    """An agent that has given no sign of life for so long is killed and started anew."""
    linger: float = 5.0
    """When leaving: how long new connections are still accepted, until every kube-proxy knows."""
    grace: float = 120.0
    """When leaving: how long running requests may take before the hook gives up."""


@dataclass(frozen=True)
class Settings:
    directory: Directory
    haproxy: HAProxySettings = field(default_factory=HAProxySettings)
    link: LinkSettings = field(default_factory=LinkSettings)
    timing: Timing = field(default_factory=Timing)
    agent_health_port: int = 8405
    """Where the agent's container says whether its agent lives."""


DIRECTORY = re.compile(r"/[A-Za-z0-9._/-]{0,79}")
"""It stands in HAProxy's configuration, and the path of a socket has 107 bytes, those that HAProxy adds among them."""
PROGRAM = re.compile(r"\S+")
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
PORTS = (1, 65535)
HEAD_SIZES = (16_384, 1_048_576)
"""As the `WebServer` has it. A buffer has the size of a head, and the agent's commands must fit into one, too."""
LONGEST = 86_400


def add_arguments(parser: ArgumentParser, environment: Mapping[str, str] = os.environ) -> None:
    """Every argument, its default from the environment variable that its help names."""

    def add(name: str, default: object, text: str) -> None:
        given = environment.get(variable(name), str(default))
        parser.add_argument(f"--{name}", default=given, help=f"{text} [{variable(name)}]")

    haproxy, timing = HAProxySettings(), Timing()
    add("directory", "/run/webgarden", "directory that the processes share")
    add("haproxy", haproxy.program, "program to run as HAProxy")
    add("ports", "80:8080", "port of a Site's binding : port to listen on, and more after commas")
    add("health-port", haproxy.health_port, "HAProxy's port of /healthz, /readyz and /metrics")
    add("agent-health-port", Settings.agent_health_port, "the agent's port of /healthz")
    add("threads", haproxy.threads, "threads of HAProxy")
    add("connections", haproxy.connections, "most client connections")
    add("access-log", "Failed", f"requests that are logged: {' or '.join(LOGGED)}")
    add("keep-alive", haproxy.keep_alive, "seconds that an idle client connection is kept")
    add("head-size", haproxy.head_size, "most bytes of a request's head")
    add("head-lines", haproxy.head_lines, "most header fields of a request")
    add("link-url", LinkSettings.url, "where the operator listens")
    add("link-ca", "", "file with the authority that signed the operator's certificate")
    add("token-file", "", "file with the service account token")
    add("listener", environment.get("HOSTNAME", "listener"), "name of this pod")
    add("silence", timing.silence, "seconds without a sign of life after which the agent is started anew")
    add("linger", timing.linger, "seconds that a leaving listener still accepts connections")
    add("grace", timing.grace, "seconds that a leaving listener waits for running requests")


def variable(name: str) -> str:
    return "WEBGARDEN_" + name.upper().replace("-", "_")


def settings(arguments: Namespace) -> Settings:
    """Raises `SettingsError`."""
    given = Given(arguments)
    made = Settings(
        directory=Directory(
            Path(given.word("directory", DIRECTORY, "an absolute path of at most 80 plain characters"))
        ),
        haproxy=haproxy_settings(given),
        link=LinkSettings(
            url=given.read("link-url", url, "a URL like wss://HOST:PORT/PATH"),
            listener=given.word("listener", NAME, "the name of the pod: lower case letters, digits, - and ."),
            ca=given.path("link-ca"),
            token=given.path("token-file"),
        ),
        timing=Timing(silence=given.seconds("silence"), linger=given.seconds("linger"), grace=given.seconds("grace")),
        agent_health_port=given.number("agent-health-port", *PORTS),
    )
    check_ports(made)
    return made


def haproxy_settings(given: Given) -> HAProxySettings:
    return HAProxySettings(
        program=given.word("haproxy", PROGRAM, "the name or the path of a program"),
        ports=given.read("ports", parse_ports, "pairs of different numbers from 1 to 65535, like 80:8080,443:8443"),
        health_port=given.number("health-port", *PORTS),
        threads=given.number("threads", 1, 64),
        connections=given.number("connections", 1, 1_000_000),
        log_all=given.word("access-log", re.compile("|".join(LOGGED)), " or ".join(LOGGED)) == "All",
        keep_alive=given.number("keep-alive", 1, 3600),
        head_size=given.number("head-size", *HEAD_SIZES),
        head_lines=given.number("head-lines", 16, 32_767),
    )


class Given:
    """The words that were given, each read with an error that names it and says what would do."""

    def __init__(self, arguments: Namespace) -> None:
        self._words: dict[str, str] = vars(arguments)

    def read(self, name: str, parse: Callable[[str], T], cure: str) -> T:
        """`parse` raises `ValueError` for what it cannot take."""
        text = self._words[name.replace("-", "_")]
        try:
            return parse(text)
        except ValueError as error:
            raise SettingsError(f"{variable(name)} is {text!r}, and has to be {cure}") from error

    def word(self, name: str, form: re.Pattern[str], cure: str) -> str:
        return self.read(name, lambda text: matched(form, text), cure)

    def number(self, name: str, least: int, most: int) -> int:
        return self.read(name, lambda text: within(int(text), least, most), f"a number from {least} to {most}")

    def seconds(self, name: str) -> float:
        return self.read(name, lambda text: within(float(text), 0, LONGEST), f"seconds, from 0 to {LONGEST}")

    def path(self, name: str) -> Path | None:
        text = self._words[name.replace("-", "_")]
        return Path(text) if text else None


def matched(form: re.Pattern[str], text: str) -> str:
    if not form.fullmatch(text):
        raise ValueError(text)
    return text


def within(number: N, least: int, most: int) -> N:
    if not least <= number <= most:  # which is also what a NaN fails
        raise ValueError(number)
    return number


def url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("ws", "wss") or not parts.hostname or parts.port == 0 or text.split() != [text]:
        raise ValueError(text)
    return text


def parse_ports(text: str) -> tuple[Port, ...]:
    """`80:8080,81:8081`; one number stands for both."""
    pairs = [item.strip().partition(":") for item in text.split(",")]
    ports = tuple(Port(port(number), port(container if colon else number)) for number, colon, container in pairs)
    if len({one.number for one in ports}) < len(ports) or len({one.container for one in ports}) < len(ports):
        raise ValueError(text)
    return ports


def port(text: str) -> int:
    return within(int(text), *PORTS)


def check_ports(made: Settings) -> None:
    """All containers of a pod share its ports."""
    taken = {one.container for one in made.haproxy.ports}
    for name, number in (("health-port", made.haproxy.health_port), ("agent-health-port", made.agent_health_port)):
        if number in taken:
            raise SettingsError(f"{variable(name)} is {number}, and has to be a port that nothing else here listens on")
        taken.add(number)
