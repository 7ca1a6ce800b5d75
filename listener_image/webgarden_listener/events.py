"""HAProxy's notices about workers that go down or come up, as datagrams of its log. Hints: what is said is not believed,
the pool is looked at."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

from webgarden_listener.haproxy.stats import noticed


class Notices(asyncio.DatagramProtocol):
    def __init__(self, changed: Callable[[str], None]) -> None:
        """`changed(backend)`"""
        self._changed = changed

    def datagram_received(self, data: bytes, addr: object) -> None:
        backend = noticed(data.decode(errors="replace"))
        if backend is not None:
            self._changed(backend)


async def listen(path: Path, changed: Callable[[str], None]) -> None:
    """For as long as it is not cancelled."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        lambda: Notices(changed), local_addr=str(path), family=socket.AF_UNIX
    )
    try:
        await asyncio.Event().wait()
    finally:
        transport.close()
