"""Keeping an HAProxy process that was replaced until its last counters have been read.

One that has no client any more ends at once, and with it goes what it counted since the last reading. It does not end
while somebody is connected to it, and the listening socket passes to its successor, so the connection is made before a
reload.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Collection
from pathlib import Path

PATIENCE = 2.0
log = logging.getLogger(__name__)


class Keeper:
    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._kept: dict[int, asyncio.StreamWriter] = {}

    async def keep(self, pid: int) -> None:
        """The process that accepts now. Counters may get lost when it cannot be kept, and nothing else."""
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_unix_connection(str(self._socket))
                self._kept[pid] = writer
                writer.write(b"GET / HTTP/1.1\r\nHost: keeper\r\n\r\n")
                await reader.readuntil(b"\r\n\r\n")  # it has been accepted, and by this process
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.warning("Process %s of HAProxy cannot be kept for its counters: %r", pid, error)
            self.release({pid})

    def release(self, pids: Collection[int]) -> None:
        for pid in self._kept.keys() & set(pids):
            with contextlib.suppress(OSError):
                self._kept.pop(pid).close()

    def release_others(self, pids: Collection[int]) -> None:
        """All but these, which are the processes that there are."""
        self.release(self._kept.keys() - set(pids))
