"""What HAProxy's processes last said of the pools.

A process that is about to end may give no answer, which does not mean that it has nothing: its last reading counts until
it is gone from the master's list. Without any reading of a process that is there, nothing may be concluded from the others.
One that has no client any more has been read for the last time, and is not asked again: it ends in any moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from webgarden_listener.haproxy.errors import HAProxyError
from webgarden_listener.haproxy.master import Process
from webgarden_listener.haproxy.names import backend
from webgarden_listener.haproxy.plane import Plane
from webgarden_listener.haproxy.stats import Backend

log = logging.getLogger(__name__)

Pools = dict[str, Backend]


class Readings:
    def __init__(
        self, count: Callable[[int, str, Backend], None], present: Callable[[str, Collection[int]], None]
    ) -> None:
        """`count` gets each reading of a pool that a process has, `present` the processes that there are."""
        self._count = count
        self._present = present
        self._last: dict[int, Pools] = {}
        self._before: Pools = {}
        self._finished: set[int] = set()

    async def sweep(self, plane: Plane) -> None:
        """Every pool in every process. Raises `HAProxyError` when the current one gives no answer."""
        read = {plane.current.pid: await plane.current.backends()}
        for process in self._unfinished(plane):
            try:
                over = await process.clients() == 0
                read[process.pid] = await process.backends()
            except HAProxyError as error:
                log.debug("An old process: %s", error)
                continue
            if over:
                self._finished.add(process.pid)
        plane.keeper.release(self._finished)
        present = {plane.current.pid, *(process.pid for process in plane.old)}
        self._finished &= present
        self._present(plane.life, present)
        self._before = self._last.get(plane.current.pid, {})
        self._last = {pid: pools for pid, pools in {**self._last, **read}.items() if pid in present}
        for pid, pools in read.items():
            for key, found in pools.items():
                self._count(pid, key, found)

    async def read(self, plane: Plane, pool: str) -> None:
        """One pool in every process."""
        self._before[pool] = self.now(plane, pool)
        self._note(plane.current.pid, pool, await plane.current.backend(backend(pool)))
        for process in self._unfinished(plane):
            try:
                self._note(process.pid, pool, await process.backend(backend(pool)))
            except HAProxyError as error:
                log.debug("An old process: %s", error)

    def _unfinished(self, plane: Plane) -> list[Process]:
        return [process for process in plane.old if process.pid not in self._finished]

    def _note(self, pid: int, pool: str, found: Backend) -> None:
        if pid not in self._last:
            return  # one pool of a process must not pass for all that it has
        self._last[pid][pool] = found
        if found.gate is not None:
            self._count(pid, pool, found)

    def pools(self, pid: int) -> Collection[str]:
        return [key for key, found in self._last.get(pid, {}).items() if found.gate is not None]

    def now(self, plane: Plane, pool: str) -> Backend:
        """In the process that accepts."""
        return self._last.get(plane.current.pid, {}).get(pool) or Backend()

    def before(self, pool: str) -> Backend:
        """The reading before the last one."""
        return self._before.get(pool) or Backend()

    def every(self, plane: Plane, pool: str) -> tuple[Backend, ...]:
        """In all processes, as far as they answered."""
        return (self.now(plane, pool), *(self.old(plane, pool) or ()))

    def old(self, plane: Plane, pool: str) -> tuple[Backend, ...] | None:
        """In the processes that finish; None when one of them has never answered."""
        found = [self._last.get(process.pid) for process in plane.old]
        if any(pools is None for pools in found):
            return None
        return tuple(pools[pool] for pools in found if pools is not None and pool in pools)
