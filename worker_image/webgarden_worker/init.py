"""What PID 1 of a container owes the other processes there: their signals, and an end to their zombies.

A process whose parent has ended becomes PID 1's child, and stays a zombie until PID 1 asks what became of it. A worker
cannot ask for all its children, since those that programs started are theirs to wait for. So the first process does
nothing else, and the worker is its child. It is forked before anything large is imported: what PID 1 has in memory
stays there for as long as the container runs.
"""

import os
import signal

_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)


def step_aside() -> None:
    """Return in a child of PID 1, or at once where somebody else is PID 1. That one ends as its child does."""
    if os.getpid() != 1:
        return
    # A signal that comes between the fork and the handlers would be dropped: the kernel does so for PID 1.
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    worker = os.fork()
    if worker:
        for number in _FORWARDED:
            signal.signal(number, lambda number, _: os.kill(worker, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    if worker:
        os._exit(_outcome(worker))


def _outcome(worker: int) -> int:
    """Bury everybody until the worker has ended; its exit code, as a shell tells it."""
    ended = status = 0
    while ended != worker:
        ended, status = os.wait()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code
