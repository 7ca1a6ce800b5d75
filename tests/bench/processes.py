"""What containers use, read from the machine: their processes are ordinary ones there, found by their cgroup.

Memory is the resident set, so pages that processes share are counted in each. CPU is the cgroup's, so that of processes that
have ended is in it.
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

PAGE: int = os.sysconf("SC_PAGE_SIZE")
CGROUPS = Path("/sys/fs/cgroup")

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
                known = found.get(name) or Usage(_seconds(groups))
                found[name] = known + Usage(memory=resident(process))
    if missing := set(wanted.values()) - found.keys():
        raise LookupError(f"no process of {sorted(missing)} on this machine")
    return Sample(time.monotonic(), MappingProxyType(found))


def resident(process: Path) -> int:
    """Bytes of memory, given the process's folder in /proc."""
    return int((process / "statm").read_text().split()[1]) * PAGE


def _seconds(groups: str) -> float:
    """CPU of a cgroup, of version 1 or 2, given what /proc says of a process in it."""
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        if "cpuacct" in controllers.split(","):
            return int((CGROUPS / controllers / path[1:] / "cpuacct.usage").read_text()) / 1e9
    lines = (CGROUPS / path[1:] / "cpu.stat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("usage_usec")) / 1e6
