"""An answer on its way from the thread that makes it to the event loop that sends it.

The thread puts pieces in and goes on; the loop takes all there are at once, and sends small ones as one. So a stream
costs a wake-up of the loop for many of its pieces, and an answer that trickles goes out piece by piece. `MOST` bytes wait
here, and as many are being sent; then the thread waits, which is how a slow client slows its program.

What the loop cannot send (a client that went, an answer longer than it said) raises in the thread at its next piece.
"""

import asyncio
import threading
from collections.abc import Callable

from starlette.types import Message, Send

MOST = 512 * 1024
_LARGE = 16 * 1024  # Bytes of a piece that it costs more to copy than to send alone.
_WAIT_SECONDS = 1.0


class Outbox:
    """One answer: `start`, `write` and `end` are the thread's, the rest is the loop's."""

    def __init__(self, *, waiting: Callable[[], None]) -> None:
        """`waiting` is called once a second while the thread waits for the client."""
        self._loop = asyncio.get_running_loop()
        self._waiting = waiting
        self._news = asyncio.Event()
        self._changed = threading.Condition()
        self._head: Message | None = None
        self._pieces: list[bytes] = []
        self._size = 0
        self._ended = False
        self._told = False
        self._error: BaseException | None = None

    def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The head, which goes out with the first piece or the end."""
        self._head = {"type": "http.response.start", "status": status, "headers": headers}

    def write(self, piece: bytes, *, last: bool = False) -> None:
        with self._changed:
            while self._size >= MOST and self._error is None:
                if not self._changed.wait(_WAIT_SECONDS):
                    self._waiting()
            if self._error is not None:
                raise self._error
            if self._ended and piece:
                raise RuntimeError("the answer is longer than it said")
            self._pieces.append(piece)
            self._size += len(piece)
            self._ended = self._ended or last
            self._tell()

    def end(self) -> None:
        """May have been told with the last piece."""
        with self._changed:
            self._ended = True
            self._tell()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            self._loop.call_soon_threadsafe(self._news.set)

    async def deliver(self, send: Send) -> None:
        """Send what comes, to the end."""
        ended = False
        while not ended:
            await self._news.wait()
            head, pieces, ended = self._take()
            if head is not None:
                await send(head)
            last = pieces.pop() if pieces else b""
            for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            if last or ended:
                await send({"type": "http.response.body", "body": last, "more_body": not ended})

    def _take(self) -> tuple[Message | None, list[bytes], bool]:
        with self._changed:
            self._news.clear()
            small = self._size < _LARGE * len(self._pieces)
            taken = self._head, [b"".join(self._pieces)] if small else self._pieces, self._ended
            self._head, self._pieces, self._size, self._told = None, [], 0, False
            self._changed.notify()
            return taken

    def refuse(self, error: BaseException) -> None:
        """Take nothing any more."""
        with self._changed:
            self._error = self._error or error
            self._changed.notify()
