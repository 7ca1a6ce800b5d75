"""Talking to HAProxy over its master socket, where each worker process is addressed by its pid (`@!<pid>`).

So a command that meets a reload hits the process it was meant for, or none: never the wrong one.
One connection a command: the master closes it when our side is half closed, and that is how an answer ends.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from webgarden_listener.haproxy.errors import HAProxyAway, HAProxyError
from webgarden_listener.haproxy.maps import Entries, text
from webgarden_listener.haproxy.stats import Backend, Processes, backends, connections, processes

TIMEOUT = 3.0
RELOAD_TIMEOUT = 30.0
OLD_TIMEOUT = 0.3
"""For a process that finishes: the master may never answer for one that ends in this moment, and meanwhile nobody hears
the operator."""
UNKNOWN = "No such proxy."
PAYLOAD = 4000
"""Bytes of a payload: a command must fit into one of HAProxy's buffers (16 KB)."""


class Master:
    """HAProxy's master process."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket

    async def ask(self, command: str, *, patience: float = TIMEOUT) -> str:
        """One command and its answer. Raises `HAProxyAway`."""
        try:
            async with asyncio.timeout(patience):
                return await self._exchange(command)
        except (OSError, TimeoutError) as error:
            raise HAProxyAway(f"{self._socket}: {error!r}") from error

    async def _exchange(self, command: str) -> str:
        reader, writer = await asyncio.open_unix_connection(str(self._socket))
        try:
            writer.write(command.encode() + b"\n")
            writer.write_eof()
            return (await reader.read()).decode(errors="replace")
        finally:
            writer.close()

    async def processes(self) -> Processes:
        return processes(await self.ask("show proc"))

    async def reload(self) -> None:
        """Raises `HAProxyError` with HAProxy's complaints when it stays with the old configuration."""
        said = await self.ask("reload", patience=RELOAD_TIMEOUT)
        if "Success=1" not in said:
            raise HAProxyError(said.strip())


class Process:
    """One of HAProxy's worker processes."""

    def __init__(self, master: Master, pid: int, *, patience: float = TIMEOUT) -> None:
        self.pid = pid
        self._master = master
        self._patience = patience

    async def ask(self, command: str, entries: Entries | None = None) -> str:
        """One command, with entries of a map. Raises `HAProxyError` for what HAProxy would take for two."""
        if ";" in command or not command.isprintable():
            raise HAProxyError(f"{command[:100]!r} is not one command")
        payload = "" if entries is None else f" <<\n{text(entries)}"
        return (await self._master.ask(f"@!{self.pid} {command}{payload}", patience=self._patience)).strip()

    async def order(self, command: str, entries: Entries | None = None) -> None:
        """A command that says nothing when it worked. Raises `HAProxyError`."""
        said = await self.ask(command, entries)
        if said:
            raise HAProxyError(f"{command}: {said}")

    async def generation(self) -> str:
        """Of the configuration that it has loaded."""
        found = re.search(r"^description: *(\w+)", await self.ask("show info"), re.IGNORECASE | re.MULTILINE)
        if not found:
            raise HAProxyError(f"process {self.pid} does not say what it has loaded")
        return found[1]

    async def clients(self) -> int:
        """How many connections it has to clients, kept ones among them."""
        said = await self.ask("show stat www 1 -1")
        if not said.startswith("# pxname"):
            raise HAProxyError(f"process {self.pid}: {said or 'no answer'}")
        return connections(said)

    async def backends(self, name: str = "-1") -> dict[str, Backend]:
        """All pools, or one. Raises `HAProxyError` when this process gives no answer, which is not the same as none."""
        said = await self.ask(f"show stat {name} 6 -1")
        if not said.startswith("# pxname") and said != UNKNOWN:
            raise HAProxyError(f"process {self.pid}: {said or 'no answer'}")
        return backends(said)

    async def backend(self, name: str) -> Backend:
        """One pool; empty when this process does not know it."""
        return next(iter((await self.backends(name)).values()), Backend())

    async def load_map(self, path: Path, entries: Entries) -> None:
        """Replace a map as a whole: a request sees the old one or the new one, and the order of the entries is kept."""
        said = await self.ask(f"prepare map {path}")
        version = re.search(r"created: (\d+)", said)
        if not version:
            raise HAProxyError(f"prepare map {path}: {said}")
        for part in chunks(entries):
            await self.order(f"add map @{version[1]} {path}", part)
        await self.order(f"commit map @{version[1]} {path}")


def chunks(entries: Entries) -> Iterator[Entries]:
    """Entries in groups whose text stays below `PAYLOAD`."""
    group: list[tuple[str, str]] = []
    size = 0
    for entry in entries:
        size += len(entry[0]) + len(entry[1]) + 2
        if group and size > PAYLOAD:
            yield tuple(group)
            group, size = [], len(entry[0]) + len(entry[1]) + 2
        group.append(entry)
    if group:
        yield tuple(group)


def words(lines: Iterable[str]) -> str:
    """Several complaints of HAProxy as one line for a message."""
    return " / ".join(line.strip() for line in lines if line.strip())[:1000]
