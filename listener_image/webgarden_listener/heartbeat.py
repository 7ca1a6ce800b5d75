"""The agent's signs of life: bytes in a pipe, from the agent to its supervisor.

A process that was started without such a pipe beats into the void, and one whose supervisor does not listen is not held
up. Both ends are here; what to do about silence is decided in `watching`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable

VARIABLE = "WEBGARDEN_HEARTBEAT_FD"
"""Where a process finds the number of its end of the pipe."""


def beat() -> None:
    """Say that this process gets on."""
    if number := os.environ.get(VARIABLE):
        with contextlib.suppress(OSError):  # the pipe is full: then there are signs enough
            os.write(int(number), b".")


class Heart:
    """The end that listens."""

    def __init__(self, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = patience
        self._clock = clock
        self._heard = self._expected = clock()
        self.source, sink = os.pipe()
        for end in (self.source, sink):
            os.set_blocking(end, False)
        os.set_inheritable(sink, True)
        self.environment = {VARIABLE: str(sink)}

    def hear(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self.source, 65536)
            self._heard = self._clock()

    def expect(self) -> None:
        """A process starts, and has as long for its first beat as for any."""
        self._expected = self._clock()

    def deadline(self) -> float:
        """When the process that runs must have beaten."""
        return max(self._heard, self._expected) + self._patience

    def fresh(self) -> bool:
        """Whether the agent gets on. One that starts over and over and never beats does not."""
        return self._clock() < self._heard + self._patience
