"""Everything that can be set, as one tree of frozen dataclasses, read once from arguments and environment.

Each field says why somebody would change it. Nothing else in the package reads the environment.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


class SettingsError(Exception):
    """A setting that makes no sense, in words for the one who set it."""


@dataclass(frozen=True)
class Directory:
    """The files that the three processes share; nothing outside of it is written."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "haproxy.cfg"

    @property
    def candidate(self) -> Path:
        """A configuration that HAProxy has not accepted yet."""
        return self.root / "haproxy.candidate.cfg"

    @property
    def maps(self) -> Path:
        return self.root / "maps"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def counted(self) -> Path:
        return self.root / "counted.json"

    @property
    def master(self) -> Path:
        """HAProxy's master socket, on which every worker process is reached by its pid."""
        return self.root / "master.sock"

    @property
    def gate(self) -> Path:
        """Where HAProxy hands the first request of a cold pool over."""
        return self.root / "gate.sock"

    def successor(self, port: int) -> Path:
        """Where an HAProxy process that finishes passes the requests on that came to a port."""
        return self.root / f"successor-{port}.sock"

    @property
    def keeper(self) -> Path:
        """Who is connected here keeps an HAProxy process from ending."""
        return self.root / "keeper.sock"

    @property
    def gate_control(self) -> Path:
        """Where the agent talks to the gate."""
        return self.root / "gate-control.sock"

    @property
    def haproxy(self) -> Path:
        """Pid of HAProxy's master, and the name of the pid namespace in which it is one."""
        return self.root / "haproxy.pid"

    @property
    def leaving(self) -> Path:
        """Made by the first `leave`: no new clients are wanted."""
        return self.root / "leaving"

    @property
    def stopping(self) -> Path:
        """Made just before HAProxy is told to finish: from then on it takes no change any more."""
        return self.root / "stopping"


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
    """Another build of HAProxy, 3.2.26 or newer."""
    ports: tuple[Port, ...] = (Port(80, 8080),)
    health_port: int = 8404
    """Probes and metrics: apart from the sites, so that no Site can take it and no client reaches it."""
    threads: int = 2
    """As many as the container has cores."""
    connections: int = 10_000
    """Most client connections; needs twice as many file descriptors."""
    log_all: bool = False
    """Every request into the log, and not only those that failed: see `LOGGED`."""
    keep_alive: int = 60
    """Seconds that an idle client connection is kept, and so the time that leaving may take."""


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
    old_poll: float = 0.1
    """After a reload, until the old process has ended."""
    drain_poll: float = 0.05
    """A pool that drains is read this often, since a recycle waits for it."""
    reload_quiet: float = 0.1
    """Changes that need a reload are collected until nothing came for so long."""
    reload_patience: float = 10.0
    """A reload waits so long for a gate that holds a request."""
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


def add_arguments(parser: ArgumentParser, environment: Mapping[str, str] = os.environ) -> None:
    """Every argument, its default from the environment variable that its help names."""

    def add(name: str, default: str, text: str) -> None:
        variable = "WEBGARDEN_" + name.upper().replace("-", "_")
        parser.add_argument(f"--{name}", default=environment.get(variable, default), help=f"{text} [{variable}]")

    timing = Timing()
    add("directory", "/run/webgarden", "directory that the three processes share")
    add("haproxy", "haproxy", "program to run as HAProxy")
    add("ports", "80:8080", "port of a Site's binding : port to listen on, and more after commas")
    add("health-port", "8404", "port of /healthz, /readyz and /metrics")
    add("threads", "2", "threads of HAProxy")
    add("connections", "10000", "most client connections")
    add("access-log", "Failed", f"requests that are logged: {' or '.join(LOGGED)}")
    add("keep-alive", "60", "seconds that an idle client connection is kept")
    add("link-url", LinkSettings.url, "where the operator listens")
    add("link-ca", "", "file with the authority that signed the operator's certificate")
    add("token-file", "", "file with the service account token")
    add("listener", environment.get("HOSTNAME", "listener"), "name of this pod")
    add("linger", str(timing.linger), "seconds that a leaving listener still accepts connections")
    add("grace", str(timing.grace), "seconds that a leaving listener waits for running requests")
    add("reload-patience", str(timing.reload_patience), "seconds that a reload waits for a gate that holds a request")


def settings(arguments: Namespace) -> Settings:
    """Raises `SettingsError`."""
    if arguments.access_log not in LOGGED:
        raise SettingsError(f"the access log is {' or '.join(LOGGED)}, not {arguments.access_log!r}")
    try:
        return Settings(
            directory=Directory(Path(arguments.directory)),
            haproxy=HAProxySettings(
                program=arguments.haproxy,
                ports=parse_ports(arguments.ports),
                health_port=int(arguments.health_port),
                threads=int(arguments.threads),
                connections=int(arguments.connections),
                log_all=arguments.access_log == "All",
                keep_alive=int(arguments.keep_alive),
            ),
            link=LinkSettings(
                url=arguments.link_url,
                listener=arguments.listener,
                ca=optional(arguments.link_ca),
                token=optional(arguments.token_file),
            ),
            timing=Timing(
                linger=float(arguments.linger),
                grace=float(arguments.grace),
                reload_patience=float(arguments.reload_patience),
            ),
        )
    except ValueError as error:
        raise SettingsError(str(error)) from error


def optional(path: str) -> Path | None:
    return Path(path) if path else None


def parse_ports(text: str) -> tuple[Port, ...]:
    """`80:8080,81:8081`; one number stands for both."""
    pairs = (item.strip().partition(":") for item in text.split(",") if item.strip())
    ports = tuple(Port(int(number), int(container or number)) for number, _, container in pairs)
    if not ports:
        raise SettingsError("there is no port to listen on")
    return ports
