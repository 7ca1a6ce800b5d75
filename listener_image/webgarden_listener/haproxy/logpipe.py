"""Carries HAProxy's access log to the container's output in large pieces.

HAProxy writes a line for each request, and a reader that wakes up for each line costs more than the request: with
containerd 1.6, 60 us of HAProxy's CPU and 70 us of containerd's; with this in between 38 and 5. After each read nobody
reads for `PAUSE`, and the pipe keeps what comes. When it is full HAProxy drops lines and counts them, as it does with
any slow reader; it never waits.

A process of its own that imports next to nothing. It is HAProxy's child, for which HAProxy's master waits like for any:
so it ends when it is the only one left, after the last line. Where that cannot be seen, there is no pipe.
"""

import fcntl
import os
import select
import signal
import sys
import time

PAUSE = 0.02
SIZE = 1024 * 1024
"""Bytes of the pipe: as much as a process without privileges may ask for."""
CHECK = 0.2
"""Seconds between two looks at who is left, while nothing is logged."""


def attach() -> None:
    """Put the pipe before this process's standard output, for the HAProxy that it is about to become."""
    if not os.path.exists(children(os.getpid())):
        return
    source, sink = os.pipe()
    fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, SIZE)
    program = [sys.executable, "-I", "-S", __file__, str(os.getpid())]
    os.posix_spawn(sys.executable, program, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, source, 0)])
    os.dup2(sink, 1)
    os.close(source)
    os.close(sink)


def children(process: int) -> str:
    """A file with the pids of its children; a kernel may lack it."""
    return f"/proc/{process}/task/{process}/children"


def carry(source: int, sink: int, parent: int) -> None:
    """Until nobody can write, or nobody but the parent is left after others were."""
    others = False
    while True:
        waiting, _, _ = select.select([source], [], [], CHECK)
        if not waiting:
            left = alone(parent)
            if left and others:
                return
            others = others or not left
            continue
        if not (piece := os.read(source, SIZE)):
            return
        while piece:
            piece = piece[os.write(sink, piece) :]
        time.sleep(PAUSE)


def alone(parent: int) -> bool:
    """Whether this process is its parent's only child. One that has lost its parent waits for the end of the pipe."""
    if os.getppid() != parent:
        return False
    try:
        with open(children(parent)) as listed:
            return listed.read().split() == [str(os.getpid())]
    except OSError:  # it has just ended
        return False


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    carry(0, 1, int(sys.argv[1]))
