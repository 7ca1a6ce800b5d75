"""The requests a worker has in hand, counted, and whether it should keep connections.

While draining every answer carries `Connection: close`, so a client with a pool of connections lets go of them one
by one. Nothing is refused: who sends requests here is the listener's decision, and it may change its mind. A
WebSocket counts as one request for as long as it lasts. All of it belongs to the event loop; no locks.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Traffic:
    def __init__(self) -> None:
        self.draining = False
        self.in_flight = 0
        self.served = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def request(self) -> Iterator[None]:
        self.in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self.in_flight -= 1
            self.served += 1
            if self.in_flight == 0:
                self._idle.set()

    async def idle(self, *, seconds: float) -> None:
        """Wait until nothing is in flight, at most so many seconds."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), seconds)
