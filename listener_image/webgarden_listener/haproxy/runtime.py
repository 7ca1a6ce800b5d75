"""Talking to HAProxy over its admin socket: a connection a line, and what HAProxy says until it closes it.

Our side is never half closed: HAProxy would break `wait` off.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from pathlib import Path

from webgarden_listener.haproxy import stats
from webgarden_listener.haproxy.commands import Command, add_entries, batches, complaints
from webgarden_listener.haproxy.errors import HAProxyAway, HAProxyError

TIMEOUT = 5.0


class Runtime:
    def __init__(self, socket: Path, *, patience: float = TIMEOUT) -> None:
        self._socket = socket
        self._patience = patience

    async def ask(self, line: str) -> str:
        """One line of commands, and the answers. Raises `HAProxyAway`."""
        try:
            async with asyncio.timeout(self._patience):
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
                try:
                    writer.write(line.encode() + b"\n")
                    return (await reader.read()).decode(errors="replace")
                finally:
                    writer.close()
        except (OSError, TimeoutError) as error:
            raise HAProxyAway(f"{self._socket}: {error!r}") from error

    async def run(self, commands: Iterable[Command]) -> None:
        """In their order, as few lines as they fit into. Raises `HAProxyError` with what HAProxy complains about; what
        came before it is done, and what came after it in the same line has been tried."""
        for line in batches(commands):
            said = complaints(await self.ask(line))
            if said:
                raise HAProxyError(f"{' / '.join(said)[:500]} (after: {line[:300]})")

    async def life(self) -> stats.Life:
        return stats.life(await self.ask("show info"))

    async def backends(self, name: str = "-1") -> dict[str, stats.Backend]:
        """All backends, or one, by name. Raises `HAProxyError` when HAProxy gives no table."""
        return stats.backends(await self.ask(f"show stat {name} 6 -1"))

    async def entries(self, path: Path) -> dict[str, str]:
        """A map."""
        return stats.entries(await self.ask(f"show map {path}"))

    async def replace(self, path: Path, entries: Iterable[tuple[str, str]]) -> None:
        """A map as a whole: a request sees the old one or the new one, and the order of the entries is kept."""
        said = await self.ask(f"prepare map {path}")
        version = re.search(r"created: (\d+)", said)
        if not version:
            raise HAProxyError(f"prepare map {path}: {said}")
        await self.run(add_entries(Path(f"@{version[1]} {path}"), entries))
        await self.run([Command(f"commit map @{version[1]} {path}")])
