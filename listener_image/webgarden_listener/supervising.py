"""Keeping one process running: what a container's first process does.

It starts its process again at once when that has died, so the kubelet's back-off is never met; one that dies young again
and again is given a pause, a second at most. TERM and INT end both. Whatever else ends as a child of this process is
reaped. Each end is said, with what it was.

It promises to go on: nothing that goes wrong with a process, a file or the output ends it. What to run, and what to do
between two runs, is the caller's: see `haproxy.process` and `watching`.

It is there as long as its pod and does next to nothing, so it imports little. Hence it is a program of its own, into
which the command turns (`become`) when the settings are read and found good: what reads them is larger than all this.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

YOUNG = 1.0
"""Seconds. What has lived for so long is started anew without a pause."""
SHORTEST, LONGEST = 0.05, 1.0
PATIENCE = 5.0
"""Seconds that a process has to end after a signal."""


class Ended(Exception):
    """Somebody wants this container to end, and what ran in it has ended."""


class End:
    """How a process ended: its exit code, or the negative number of the signal; and the seconds that it lived."""

    def __init__(self, code: int, lived: float) -> None:
        self.code = code
        self.lived = lived

    def __str__(self) -> str:
        how = f"ended with {self.code}" if self.code >= 0 else f"was ended by signal {-self.code}"
        name = f" ({signal.strsignal(-self.code)})" if self.code < 0 else ""
        return f"{how}{name} after {self.lived:.1f} s"


def become(module: str, words: Iterable[str]) -> int:
    """Turn into the program in a module of this package. Does not return."""
    return os.execv(sys.executable, [sys.executable, "-m", module, *words])


def pause(end: End, before: float) -> float:
    """Seconds to wait before the next start; `before` is the pause before that one."""
    return 0.0 if end.lived >= YOUNG else min(LONGEST, max(SHORTEST, 2 * before))


class Supervisor:
    """One process at a time; what `watch` was told to is read meanwhile."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._selector = selectors.DefaultSelector()
        self._ending = False
        self._child = 0
        self._status: int | None = None
        self._hear_signals()

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError):
            now = time.strftime("%Y-%m-%d %H:%M:%S")
            print(f"{now} {self._name} WARNING supervising {text}", file=sys.stderr, flush=True)

    def watch(self, source: int, read: Callable[[], None]) -> None:
        """Call `read`, which must not block, whenever there is something to read."""
        self._selector.register(source, selectors.EVENT_READ, read)

    def forget(self, source: int) -> None:
        self._selector.unregister(source)

    def run(
        self,
        command: Sequence[str],
        *,
        deadline: Callable[[], float] = lambda: math.inf,
        environment: Mapping[str, str] = os.environ,
        output: int = 1,
    ) -> End:
        """Until it has ended; when the deadline is over it is killed. Raises `Ended`."""
        began = time.monotonic()
        actions = [(os.POSIX_SPAWN_DUP2, output, 1)]
        self._status = None
        try:
            self._child = os.posix_spawnp(command[0], list(command), environment, file_actions=actions)
        except OSError as error:
            self.say(f"{command[0]} cannot be started: {error}")
            return End(os.EX_UNAVAILABLE, 0.0)
        status = self._wait(deadline)
        return End(os.waitstatus_to_exitcode(status), time.monotonic() - began)

    def rest(self, seconds: float) -> None:
        """Raises `Ended`."""
        until = time.monotonic() + seconds
        while not self._ending and time.monotonic() < until:
            self._turn(until)
        if self._ending:
            raise Ended

    def _wait(self, deadline: Callable[[], float]) -> int:
        while self._status is None:
            self._turn(deadline())
            if self._ending:
                self._stop(signal.SIGTERM, signal.SIGKILL)
                raise Ended
            # All that was there to read has been read by now, so nobody is killed because this process was late.
            if self._status is None and time.monotonic() >= deadline():
                self.say(f"Process {self._child} has given no sign of life for too long, so it is killed.")
                self._stop(signal.SIGKILL)
        return self._status

    def _stop(self, *numbers: signal.Signals) -> None:
        for number in numbers:
            if self._status is None:
                os.kill(self._child, number)
            until = time.monotonic() + PATIENCE
            while self._status is None and time.monotonic() < until:
                self._turn(until)

    def _turn(self, until: float) -> None:
        """Read what there is to read, or the first thing that comes."""
        left = None if until == math.inf else max(0.0, until - time.monotonic())
        for key, _ in self._selector.select(left):
            if self._selector.get_map().get(key.fd) is key:  # else who was read before it had it forgotten
                key.data()
        self._reap()

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                if found[0] == self._child:
                    self._status = found[1]

    def _hear_signals(self) -> None:
        """Signals become bytes in a pipe, so that none comes between a look and the wait after it."""
        source, sink = os.pipe()
        os.set_blocking(sink, False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)  # without any, Python leaves them to the kernel
        signal.set_wakeup_fd(sink, warn_on_full_buffer=False)
        self.watch(source, lambda: self._hear(os.read(source, 4096)))

    def _hear(self, numbers: bytes) -> None:
        self._ending = self._ending or signal.SIGTERM in numbers or signal.SIGINT in numbers
