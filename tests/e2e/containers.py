"""Processes inside a pod's containers, as this machine sees them: ordinary ones, found by their cgroup.

Only those of the container that is named are ever returned, with their start times: what has taken a pid over since is not
what was found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.cluster.processes import Process, start_time
from tests.e2e.kubernetes import Body


def processes(pod: Body, *, container: str = "") -> list[Process]:
    """Of one container, or of all of them; none when they do not run, or not on this machine."""
    statuses = pod["status"].get("containerStatuses", [])
    wanted = [
        s["containerID"].rpartition("/")[2] for s in statuses if container in ("", s["name"]) and s.get("containerID")
    ]
    return [found for found in _all() if any(number in _read(found.pid, "cgroup") for number in wanted)]


def words(process: Process) -> list[str]:
    """Its command line."""
    return _read(process.pid, "cmdline").split("\0")


def _all() -> Iterator[Process]:
    for entry in Path("/proc").glob("[0-9]*"):
        pid = int(entry.name)
        if (started := start_time(pid)) is not None:
            yield Process("contained", pid, started, "")


def _read(pid: int, name: str) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace")
    return ""
