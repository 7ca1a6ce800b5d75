"""Carries HAProxy's access log to the container's output in large pieces.

HAProxy writes a line for each request, and a reader that wakes up for each line costs more than the request: with
containerd 1.6, 60 us of HAProxy's CPU and 70 us of containerd's; with this in between 38 and 5. After each read nobody
reads for `PAUSE`, and the pipe keeps what comes. When it is full HAProxy drops lines and counts them, as it does with
any slow reader; it never waits.

A thread of the supervisor: it outlives each HAProxy, and an output that takes nothing holds up this thread and nobody
else. What an output refuses is lost.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time

PAUSE = 0.02
SIZE = 1024 * 1024
"""Bytes of the pipe: as much as a process without privileges may ask for."""
PATIENCE = 2.0
"""Seconds that the last lines have to get out."""


class LogPipe:
    def __init__(self, output: int = 1) -> None:
        source, self.sink = os.pipe()
        with contextlib.suppress(OSError):  # this user's pipes are too many: it stays at 64 KB
            fcntl.fcntl(self.sink, fcntl.F_SETPIPE_SZ, SIZE)
        self._carrier = threading.Thread(target=carry, args=(source, output), daemon=True)
        self._carrier.start()

    def close(self) -> None:
        """When nobody writes any more: wait until the last line has got out."""
        os.close(self.sink)
        self._carrier.join(PATIENCE)


def carry(source: int, output: int) -> None:
    """Until nobody can write into the pipe any more."""
    while piece := os.read(source, SIZE):
        with contextlib.suppress(OSError):
            while piece:
                piece = piece[os.write(output, piece) :]
        time.sleep(PAUSE)
