"""What HAProxy says about itself, parsed. Pure.

`show stat` is CSV, with quotes where a text has a comma, as the reason of a failed check may; columns are looked up by
name, since every release adds some. What cannot be read is an error, never "nothing": somebody would take workers and
their requests for foreign.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from webgarden_listener.haproxy.commands import UNKNOWN
from webgarden_listener.haproxy.errors import HAProxyError
from webgarden_listener.haproxy.names import BELL


@dataclass(frozen=True)
class Life:
    """Which HAProxy this is: another one after each start."""

    boot: str
    dropped_logs: int


@dataclass(frozen=True)
class Server:
    """One worker's server."""

    address: str
    limit: int
    status: str
    in_flight: int = 0
    queued: int = 0
    requests: int = 0
    failed: int = 0
    """Requests that could not be sent to it."""
    lost: int = 0
    """Requests that it took and did not answer."""
    answered_5xx: int = 0
    passed: bool = False
    """Whether its last check has connected."""
    cookie: str = ""

    @property
    def checked(self) -> bool:
        return self.status != "no check"

    @property
    def serving(self) -> bool:
        return self.status.startswith("UP") or self.status == "no check"

    @property
    def stopped(self) -> bool:
        return self.status.startswith("MAINT")

    @property
    def down(self) -> bool:
        return self.status.startswith("DOWN")

    @property
    def idle(self) -> bool:
        return self.in_flight == 0 and self.queued == 0


@dataclass(frozen=True)
class Backend:
    """One pool, or what is left of one."""

    queued: int = 0
    """Those who wait, the one that rings not among them."""
    refused: int = 0
    failed: int = 0
    bell: Server | None = None
    servers: Mapping[str, Server] = field(default_factory=dict)

    @property
    def serving(self) -> bool:
        return any(server.serving for server in self.servers.values())

    @property
    def in_flight(self) -> int:
        return sum(server.in_flight for server in self.servers.values())

    @property
    def rings(self) -> bool:
        return self.bell is not None and self.bell.in_flight > 0

    @property
    def silent(self) -> bool:
        """Whether nobody may ring: the pool is stopped."""
        return self.bell is not None and self.bell.stopped

    @property
    def idle(self) -> bool:
        return not self.queued and not self.rings and all(server.idle for server in self.servers.values())


def merged(one: Backend, other: Backend) -> Backend:
    """Two backends of one pool as one. A worker that still takes requests in one of them takes requests."""
    names = one.servers.keys() | other.servers.keys()
    servers = {name: together(one.servers.get(name), other.servers.get(name)) for name in sorted(names)}
    return Backend(
        queued=one.queued + other.queued,
        refused=one.refused + other.refused,
        failed=one.failed + other.failed,
        bell=together(one.bell, other.bell) if one.bell or other.bell else None,
        servers=servers,
    )


def together(one: Server | None, other: Server | None) -> Server:
    if one is None or other is None:
        return one or other or Server("", 0, "")
    shown = other if one.stopped else one
    return replace(shown, in_flight=one.in_flight + other.in_flight, queued=one.queued + other.queued)


def life(text: str) -> Life:
    found = dict(re.findall(r"^([\w-]+): ?(.*)$", text, re.MULTILINE))
    try:
        boot = f"{found['Pid']}-{found['Start_time_sec']}"
        return Life(boot, int(found["DroppedLogs"]))
    except (KeyError, ValueError) as error:
        raise HAProxyError(f"HAProxy does not say who it is: {text[:200]!r}") from error


def backends(text: str) -> dict[str, Backend]:
    """`show stat` of backends and servers, by the backend's name. Raises `HAProxyError`."""
    grouped: dict[str, dict[str, Mapping[str, str]]] = {}
    for row in rows(text):
        grouped.setdefault(row["pxname"], {})[row["svname"]] = row
    return {name: backend(found) for name, found in grouped.items()}


COLUMNS = (
    "scur",
    "qcur",
    "slim",
    "stot",
    "status",
    "econ",
    "dreq",
    "eresp",
    "hrsp_5xx",
    "addr",
    "check_status",
    "cookie",
)


def rows(text: str) -> Iterator[Mapping[str, str]]:
    if UNKNOWN.match(text.strip()):
        return
    reader = csv.reader(text.strip().splitlines())
    header = next(reader, [])
    if not header or header[0] != "# pxname" or not set(COLUMNS) <= set(header):
        raise HAProxyError(f"not a table: {text[:200]!r}")
    columns = [("pxname", 0), ("svname", 1), *((name, header.index(name)) for name in COLUMNS)]
    last = max(index for _, index in columns)
    for cells in reader:
        if len(cells) <= last:
            raise HAProxyError(f"a row that cannot be read: {cells!r}")
        yield {name: cells[index] for name, index in columns}


def backend(found: Mapping[str, Mapping[str, str]]) -> Backend:
    total = found.get("BACKEND", {})
    servers = {name: server(row) for name, row in found.items() if name != "BACKEND"}
    bell = servers.pop(BELL, None)
    return Backend(
        queued=number(total, "qcur") + (bell.queued if bell else 0) + sum(one.queued for one in servers.values()),
        refused=number(total, "dreq"),
        failed=number(total, "econ"),
        bell=bell,
        servers=servers,
    )


def server(row: Mapping[str, str]) -> Server:
    return Server(
        address=row["addr"],
        limit=number(row, "slim"),
        status=row["status"],
        in_flight=number(row, "scur"),
        queued=number(row, "qcur"),
        requests=number(row, "stot"),
        failed=number(row, "econ"),
        lost=number(row, "eresp"),
        answered_5xx=number(row, "hrsp_5xx"),
        passed=row["check_status"].lstrip("* ") == "L4OK",
        cookie=row["cookie"],
    )


def number(row: Mapping[str, str], name: str) -> int:
    try:
        return int(row.get(name) or 0)
    except ValueError as error:
        raise HAProxyError(f"{name} is no number in {dict(row)!r}") from error


def entries(text: str) -> dict[str, str]:
    """`show map`: a reference, a key and a value a line."""
    found = (line.split(" ", 2) for line in text.splitlines() if line.startswith("0x"))
    return {cells[1]: cells[2] if len(cells) > 2 else "" for cells in found}


def noticed(line: str) -> str | None:
    """The backend that one of HAProxy's notices is about, unless we did it ourselves."""
    found = re.search(r"Server (\S+)/\S+ is ", line)
    return found[1] if found and "maintenance" not in line else None
