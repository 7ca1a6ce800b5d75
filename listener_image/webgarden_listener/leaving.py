"""Leaving without losing a request: the preStop hook of all three containers.

1. Readiness goes off, so that endpoints and load balancers forget this pod; new connections are still accepted
   (`linger`).
2. HAProxy is told that no process follows, and to finish (USR1): it closes its ports, answers what it has with
   `Connection: close`, and ends.
3. The hook returns when HAProxy is gone or `grace` is over. Agent and gate get their TERM only then: what HAProxy
   still queues needs them.

The kubelet runs the hooks of a pod's containers at the same moment, each in its own pid namespace: only the one
that shares HAProxy's can signal it, and all of them count from the time of the first. A pod's grace period must
exceed linger + grace.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import time
from pathlib import Path

from webgarden_listener import state
from webgarden_listener.haproxy.errors import HAProxyError
from webgarden_listener.haproxy.maps import node, text
from webgarden_listener.haproxy.master import Master, Process
from webgarden_listener.settings import Directory, Settings

PAUSE = 0.1
log = logging.getLogger(__name__)


def remember(directory: Directory) -> None:
    """Note that this process is about to be HAProxy's master."""
    directory.haproxy.write_text(f"{os.getpid()} {namespace()}")


def forget(directory: Directory) -> None:
    """HAProxy starts: whoever left, it was not this life."""
    directory.leaving.unlink(missing_ok=True)
    directory.stopping.unlink(missing_ok=True)


def namespace() -> str:
    return os.readlink("/proc/self/ns/pid")


def leave(settings: Settings) -> None:
    directory = settings.directory
    began = mark(directory.leaving)
    asyncio.run(told(directory, ready=False, last=False))
    wait(until=began + settings.timing.linger)
    mark(directory.stopping)
    asyncio.run(told(directory, ready=False, last=True))
    finish(directory)
    wait(until=began + settings.timing.linger + settings.timing.grace, directory=directory)


def mark(path: Path) -> float:
    """Make the file if nobody did yet; the time at which it was made."""
    with contextlib.suppress(FileExistsError):
        path.touch(exist_ok=False)
    return path.stat().st_mtime


async def told(directory: Directory, *, ready: bool, last: bool) -> None:
    """Say so in HAProxy itself, since the agent may not be there to do it."""
    path = directory.maps / "node.map"
    entries = node(ready=ready, last=last)
    with contextlib.suppress(FileNotFoundError):
        state.replace(path, text(entries))
    master = Master(directory.master)
    try:
        processes = await master.processes()
    except HAProxyError as error:
        return log.warning("HAProxy does not know that it leaves: %s", error)
    for pid in (processes.current, *processes.old):
        if pid is not None:
            try:
                await Process(master, pid).load_map(path, entries)
            except HAProxyError as error:
                log.warning("A process of HAProxy does not know that it leaves: %s", error)
    return None


def finish(directory: Directory) -> None:
    """Tell HAProxy, if it is one of our processes."""
    try:
        pid, where = directory.haproxy.read_text().split()
        if where == namespace():
            os.kill(int(pid), signal.SIGUSR1)
    except (OSError, ValueError) as error:
        log.info("HAProxy was not told to finish: %s", error)


def wait(*, until: float, directory: Directory | None = None) -> None:
    """Until a time, or until HAProxy is gone when a directory is given."""
    while time.time() < until and (directory is None or alive(directory)):
        time.sleep(min(PAUSE, max(0.0, until - time.time())))


def alive(directory: Directory) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(directory.master)) == 0
