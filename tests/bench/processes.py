"""What containers use, read from /proc of the machine: their processes are ordinary ones there, found by their cgroup.

Memory is the resident set, so pages that processes share are counted in each. CPU of a process that has ended is not seen.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.e2e.kubernetes import Body

TICK: float = os.sysconf("SC_CLK_TCK")
PAGE: int = os.sysconf("SC_PAGE_SIZE")
RSS_PAGES = 21
USER_TICKS, SYSTEM_TICKS = 11, 12
"""Fields of /proc/PID/stat behind the name, counted from 0."""

Name = tuple[str, str]
"""A pod's name, and its container's."""


@dataclass(frozen=True)
class Usage:
    seconds: float = 0.0
    """Of CPU, ever."""
    memory: int = 0
    """Bytes."""

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.seconds + other.seconds, self.memory + other.memory)


@dataclass(frozen=True)
class Sample:
    """All containers of some pods at one moment."""

    at: float
    containers: Mapping[Name, Usage]

    def of(self, container: str = "") -> Usage:
        """Those of that name in all pods, or all there are."""
        return sum((u for (_, name), u in self.containers.items() if container in ("", name)), Usage())

    def since(self, before: Sample, container: str = "") -> float:
        """CPU seconds between two samples."""
        return self.of(container).seconds - before.of(container).seconds

    def millicores(self, before: Sample, container: str = "") -> float:
        return 1000 * self.since(before, container) / (self.at - before.at)


def sample(pods: Iterable[Body]) -> Sample:
    """Raises `LookupError` when a container has no process here: the cluster is on another machine."""
    wanted = {
        status["containerID"].rpartition("/")[2]: (pod["metadata"]["name"], status["name"])
        for pod in pods
        for status in pod["status"]["containerStatuses"]
    }
    found: dict[Name, Usage] = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            groups = (process / "cgroup").read_text()
            name = next((name for container, name in wanted.items() if container in groups), None)
            if name is not None:
                found[name] = found.get(name, Usage()) + _usage(process)
    if missing := set(wanted.values()) - found.keys():
        raise LookupError(f"no process of {sorted(missing)} on this machine")
    return Sample(time.monotonic(), MappingProxyType(found))


def _usage(process: Path) -> Usage:
    fields = (process / "stat").read_text().rpartition(")")[2].split()
    seconds = (int(fields[USER_TICKS]) + int(fields[SYSTEM_TICKS])) / TICK
    return Usage(seconds, int(fields[RSS_PAGES]) * PAGE)
