"""Every command that HAProxy is given, and which of its answers mean that it was done. Pure.

A command is one line, or a line and a payload. HAProxy answers most with nothing or with a word; what else it says is
a complaint. `LATER` are complaints that the passing of time cures: whoever wants the thing done asks again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from webgarden_link import Worker
from webgarden_listener.haproxy.errors import HAProxyError
from webgarden_listener.haproxy.names import BELL, OWN, defaults

DONE = frozenset(
    {
        "New backend registered.",
        "New server registered.",
        "Backend published.",
        "Backend unpublished.",
        "Backend deleted.",
        "Server deleted.",
        "Done.",
    }
)
LATER = re.compile(
    r"Server still has connections attached to it|Backend still has attached streams|"
    r"Only a backend without server can be deleted|Wait delay expired|Interrupted"
)
STATE = re.compile(
    r"(Backup )?Server \S+ is (UP|DOWN|stopping|going|in|entering|leaving)|backend \S+ has no server available"
)
"""Notices about servers, which HAProxy puts into the answers, too."""
UNKNOWN = re.compile(r"No such (proxy|backend|server)\.")
PAYLOAD = 12_000
"""Bytes of a line or a payload: it must fit into one of HAProxy's buffers (16 KB at least)."""
QUEUE_OF_WORKER = 1_000_000
"""Its `maxqueue`, which nothing uses but `connslots`: with it a pool that has a worker has more than `COLD` slots."""
COLD = 1000
CHECK = "fastinter 300ms downinter 300ms fall 2 rise 1 observe layer4 error-limit 1 on-error mark-down"
"""Fast when something is wrong: a connection that fails takes the worker out, a check that passes brings it back."""
CHECKS_PER_SECOND = 150
"""Of workers that are well, in one listener: 0.9 % of a core."""
FASTEST, SLOWEST = 2.0, 30.0
PURGE = "pool-purge-delay 1s"
"""Connections that are not needed go soon: a request that meets the moment at which its worker closes one is lost. The
last one stays longer."""


@dataclass(frozen=True)
class Command:
    text: str
    payload: str = ""

    def __post_init__(self) -> None:
        """Raises `HAProxyError` for what HAProxy would take for something else."""
        if ";" in self.text or not self.text.isprintable():
            raise HAProxyError(f"{self.text[:100]!r} is not one command")


def add_backend(name: str, *, bell: Path) -> Iterator[Command]:
    """A pool's backend with its bell, ready for requests."""
    yield Command(f"add backend {name} from {defaults(name)}")
    yield from add_bell(name, bell=bell)
    yield publish(name)


def add_bell(backend: str, *, bell: Path) -> Iterator[Command]:
    yield Command(f"add server {backend}/{BELL} {bell_options(bell)}")
    yield set_ready(f"{backend}/{BELL}")


def publish(backend: str) -> Command:
    """Of use also when it is published already."""
    return Command(f"publish backend {backend}")


def bell_options(bell: Path) -> str:
    """The bell's server: one request at a time rings, and its connection is never established.

    Anonymous ciphers need no certificate; nobody but the listener's own processes can reach the socket.
    """
    return (
        f"unix@{bell} backup maxconn 1 maxqueue 1 pool-max-conn 0 send-proxy-v2"
        " set-proxy-v2-tlv-fmt(0xE0) %[be_name] set-proxy-v2-tlv-fmt(0xE1) %[request_date(ms)]"
        " ssl verify none no-sni-auto ssl-max-ver TLSv1.2 ciphers aNULL@SECLEVEL=0"
    )


def remove_backend(name: str) -> Iterator[Command]:
    """As far as it goes now: a backend with requests stays, and is asked again."""
    yield Command(f"unpublish backend {name}")
    yield Command(f"set server {name}/{BELL} state maint")
    yield Command(f"wait 20ms srv-removable {name}/{BELL}")
    yield Command(f"del server {name}/{BELL}")
    yield Command(f"wait 20ms be-removable {name}")
    yield Command(f"del backend {name}")


def add_server(backend: str, worker: Worker, *, limit: int, interval: float) -> Iterator[Command]:
    name = f"{backend}/{worker.name}"
    yield Command(f"add server {name} {server_options(worker, limit=limit, interval=interval)}")
    yield enable_health(name)
    yield set_ready(name)


def enable_health(server: str) -> Command:
    return Command(f"enable health {server}")


def cookie(worker: str, *, limit: int) -> str:
    """A server's cookie, by which it is also seen whether its connections are kept."""
    return f"{worker}.1" if limit == 1 else worker


def server_options(worker: Worker, *, limit: int, interval: float) -> str:
    """A worker's address and options, the same in the file and in `add server`: that one inherits no defaults.

    A worker that takes one request at a time may be a program that serves one connection at a time: none is kept, or
    another listener's would never be accepted.
    """
    address = f"[{worker.address}]" if ":" in worker.address else worker.address
    kept = " pool-max-conn 0" if limit == 1 else ""
    return (
        f"{address}:{worker.port} maxconn {limit} maxqueue {QUEUE_OF_WORKER} cookie {cookie(worker.name, limit=limit)}"
        f" check inter {round(interval * 1000)}ms {CHECK} {PURGE} pool-conn-name var({OWN}){kept}"
    )


def check_interval(workers: int) -> float:
    """Seconds between two checks of a worker that is well, when a listener has so many."""
    return min(max(FASTEST, workers / CHECKS_PER_SECOND), SLOWEST)


def set_ready(server: str) -> Command:
    return Command(f"set server {server} state ready")


def set_maintenance(server: str) -> Command:
    """No new request, whatever its cookie says; what runs goes on."""
    return Command(f"set server {server} state maint")


def set_limit(server: str, limit: int) -> Command:
    """Setting the limit that it has makes HAProxy look at those who wait."""
    return Command(f"set maxconn server {server} {limit}")


def kick(backend: str) -> Command:
    """HAProxy may overlook those who wait when the last worker leaves."""
    return set_limit(f"{backend}/{BELL}", 1)


def cut(server: str) -> Command:
    return Command(f"shutdown sessions server {server}")


def remove_server(server: str) -> Iterator[Command]:
    """The deletion is the proof that no request is in it: it is refused while one is there."""
    yield Command(f"wait 20ms srv-removable {server}")
    yield Command(f"del server {server}")


def add_entries(path: Path, entries: Iterable[tuple[str, str]]) -> Iterator[Command]:
    for part in chunks(entry_line(key, value) for key, value in entries):
        yield Command(f"add map {path}", payload=part)


def set_entry(path: Path, key: str, value: str) -> Command:
    return Command(f"set map {path} {key} {value}")


def del_entry(path: Path, key: str) -> Command:
    return Command(f"del map {path} {key}")


def entry_line(key: str, value: str) -> str:
    """One entry of a map in a file or a payload. Raises `HAProxyError`."""
    for word in (key, value):
        if not word or word.split() != [word] or not word.isprintable():
            raise HAProxyError(f"{word[:100]!r} cannot be in a map")
    return f"{key} {value}\n"


def chunks(lines: Iterable[str], size: int = PAYLOAD) -> Iterator[str]:
    """Lines joined to texts that are no longer than `size`."""
    text = ""
    for line in lines:
        if text and len(text) + len(line) > size:
            yield text
            text = ""
        text += line
    if text:
        yield text


def batches(commands: Iterable[Command], size: int = PAYLOAD) -> Iterator[str]:
    """Commands as the lines that are sent, in their order; what has a payload stands alone."""
    line = ""
    for command in commands:
        if command.payload or len(line) + len(command.text) + 1 > size:
            if line:
                yield line
            line = ""
        if command.payload:
            yield f"{command.text} <<\n{command.payload}"
        else:
            line = f"{line};{command.text}" if line else command.text
    if line:
        yield line


def complaints(answer: str) -> list[str]:
    """What of an answer does not mean that it was done, or that it will be."""
    lines = (line.strip() for line in answer.splitlines())
    return [line for line in lines if line and line not in DONE and not LATER.search(line) and not STATE.search(line)]
