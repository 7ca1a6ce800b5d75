"""The processes we start: recorded on disk, so that a later command finds and ends them.

A process is its pid and its start time: a pid that was given to somebody else since is never
signalled. All are killed outright, because their data is thrown away with them; so the way down
is the way up again after a crash, and is exercised every time.
Trap: `Popen` objects warn when they are dropped while their process runs, hence `posix_spawn`.
"""

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.commands import Command, last_lines
from tests.cluster.errors import ClusterError


@dataclass(frozen=True)
class Process:
    name: str
    pid: int
    started: int  # clock ticks since boot
    log: str

    def alive(self) -> bool:
        return self.started == start_time(self.pid)

    def kill(self) -> None:
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
        try:
            # Asked after the handle is held: from here on the pid cannot become somebody else's.
            if self.alive():
                signal.pidfd_send_signal(handle, signal.SIGKILL)
        finally:
            os.close(handle)

    def reap(self) -> bool:
        """Whether it is gone; collects it when it was our own child."""
        try:
            collected, _ = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return not self.alive()
        return collected == self.pid


class Processes:
    def __init__(self, directory: Path, *, prefix: tuple[str, ...] = ()) -> None:
        """`prefix` is a command that becomes the process, such as `nsenter --net=...`."""
        self._records = directory / "processes"
        self._logs = directory / "logs"
        self._prefix = prefix

    def start(self, name: str, command: Command) -> Process:
        self._records.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{name}.log"
        pid = _spawn([*self._prefix, *map(str, command)], log)
        process = Process(name, pid, start_time(pid) or 0, str(log))
        (self._records / f"{name}.json").write_text(json.dumps(asdict(process)))
        return process

    def recorded(self) -> list[Process]:
        found = []
        for record in sorted(self._records.glob("*.json")):
            # An empty record is that of a driver that was killed while it wrote.
            with contextlib.suppress(json.JSONDecodeError):
                found.append(Process(**json.loads(record.read_text())))
        return found

    def stop(self) -> None:
        """Return once all are gone."""
        processes = self.recorded()
        for process in processes:
            process.kill()
        for process in processes:
            until(process.reap, f"{process.name} (pid {process.pid}) to end", seconds=30)
        for record in self._records.glob("*.json"):
            record.unlink()


def start_time(pid: int) -> int | None:
    """None for a process that is gone, or that only waits to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # from the third on: the name may hold anything
    return None if fields[0] in "ZX" else int(fields[19])


def until(condition: Callable[[], bool], what: str, *, seconds: float, process: Process | None = None) -> None:
    """Wait for a condition, but not for a process that has ended already."""
    deadline = time.monotonic() + seconds
    while not condition():
        ended = process is not None and process.reap()
        if not ended and time.monotonic() < deadline:
            time.sleep(0.1)
            continue
        trouble = "has ended" if ended else f"{seconds:.0f} s were not enough"
        if process is None:
            raise ClusterError(f"waited for {what}: {trouble}")
        log = last_lines(Path(process.log))
        raise ClusterError(f"{process.name}: waited for {what}: {trouble}\n{log}")


def _spawn(command: list[str], log: Path) -> int:
    output = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    return os.posix_spawnp(
        command[0],
        command,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), output, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
