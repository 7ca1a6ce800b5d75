"""What HAProxy says about itself, parsed: `show stat` (CSV) and `show proc` of the master. Pure.

Columns are looked up by name, since every release adds some.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from webgarden_listener.haproxy.names import GATE, pool_of


@dataclass(frozen=True)
class Server:
    """One worker's server in one process."""

    address: str
    limit: int
    status: str
    in_flight: int
    queued: int
    requests: int
    failed: int

    @property
    def serving(self) -> bool:
        return self.status.startswith("UP") or self.status == "no check"

    @property
    def stopped(self) -> bool:
        return self.status.startswith("MAINT")

    @property
    def draining(self) -> bool:
        return self.status.startswith("DRAIN")

    @property
    def down(self) -> bool:
        return self.status.startswith("DOWN")

    @property
    def idle(self) -> bool:
        return self.in_flight == 0 and self.queued == 0


@dataclass(frozen=True)
class Backend:
    """One pool in one process."""

    queued: int = 0
    refused: int = 0
    failed: int = 0
    gate: Server | None = None
    servers: Mapping[str, Server] = field(default_factory=dict)

    @property
    def serving(self) -> bool:
        return any(server.serving for server in self.servers.values())

    @property
    def busy(self) -> bool:
        return any(server.in_flight for server in self.servers.values())


@dataclass(frozen=True)
class Processes:
    """HAProxy's worker processes: the one that accepts, and those that finish what they have."""

    current: int | None
    old: tuple[int, ...] = ()


def backends(text: str) -> dict[str, Backend]:
    """`show stat` as backends by pool key."""
    grouped: dict[str, dict[str, Mapping[str, str]]] = {}
    for row in rows(text):
        pool = pool_of(row["pxname"])
        if pool is not None:
            grouped.setdefault(pool, {})[row["svname"]] = row
    return {pool: backend(found) for pool, found in grouped.items()}


def connections(text: str) -> int:
    """Those of the frontends in `show stat`."""
    return sum(number(row, "scur") for row in rows(text))


def rows(text: str) -> Iterable[Mapping[str, str]]:
    lines = text.splitlines()
    header = next((line for line in lines if line.startswith("# pxname")), None)
    if header is None:
        return  # "No such proxy."
    names = header.removeprefix("# ").split(",")
    fields = [(name, names.index(name)) for name in WANTED if name in names]
    for line in lines:
        cells = line.split(",")
        if line and not line.startswith("#") and len(cells) >= len(names) - 1:
            yield {name: cells[index] for name, index in fields}


WANTED = ("pxname", "svname", "scur", "qcur", "slim", "stot", "status", "econ", "dreq", "addr")


def backend(found: Mapping[str, Mapping[str, str]]) -> Backend:
    total = found.get("BACKEND", {})
    servers = {name: server(row) for name, row in found.items() if name != "BACKEND"}
    gate = servers.pop(GATE, None)
    return Backend(
        queued=number(total, "qcur") + (gate.queued if gate else 0) + sum(one.queued for one in servers.values()),
        refused=number(total, "dreq"),
        failed=number(total, "econ"),
        gate=gate,
        servers=servers,
    )


def server(row: Mapping[str, str]) -> Server:
    return Server(
        address=row.get("addr", ""),
        limit=number(row, "slim"),
        status=row.get("status", ""),
        in_flight=number(row, "scur"),
        queued=number(row, "qcur"),
        requests=number(row, "stot"),
        failed=number(row, "econ"),
    )


def number(row: Mapping[str, str], name: str) -> int:
    return int(row.get(name) or 0)


def processes(text: str) -> Processes:
    """`show proc` of the master."""
    current: int | None = None
    old: list[int] = []
    section = ""
    for line in text.splitlines():
        cells = line.split()
        if line.startswith("#"):
            section = line
        elif len(cells) > 1 and cells[1] == "worker":
            if section.startswith("# old"):
                old.append(int(cells[0]))
            else:
                current = int(cells[0])
    return Processes(current, tuple(old))
