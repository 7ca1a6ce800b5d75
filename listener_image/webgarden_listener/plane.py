"""The data plane: what HAProxy is known to have, and the one way to change it.

What was read, what was told and what was counted belong to one life of HAProxy. Each round begins by asking which one
this is (`meet`): with another one, everything known is read anew. From then on only what is concerned is read again.

Not safe to be used by two tasks at a time: the agent's one loop serialises every change with every reading.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Iterable, Mapping

from webgarden_listener.counters import Totals
from webgarden_listener.haproxy import maps
from webgarden_listener.haproxy.commands import Command, del_entry, set_maintenance, set_ready
from webgarden_listener.haproxy.errors import HAProxyAway, HAProxyError
from webgarden_listener.haproxy.names import READY, pool_of
from webgarden_listener.haproxy.runtime import Runtime
from webgarden_listener.haproxy.stats import Backend, Server
from webgarden_listener.settings import Directory

TOLD = tuple(one for one in maps.MAPS if one not in (maps.ACTIVE, maps.TERMINATIONS))
"""The maps that the agent changes."""
RECHECK = 30.0
"""Seconds between two readings of everything because the log was too slow."""
log = logging.getLogger(__name__)


class Plane:
    def __init__(self, directory: Directory) -> None:
        self._folder = directory.maps
        self._runtime = Runtime(directory.admin)
        self._loaded = maps.Loaded(self._folder, {})
        self._now: dict[str, Backend] = {}
        self._before: dict[str, Backend] = {}
        self._dropped = self._heard = 0
        """Lines of the log: that HAProxy has dropped, and of those, the ones that we have taken into account."""
        self._rechecked = -math.inf
        self._sure = False
        self._ready: bool | None = None
        self._fresh: set[str] = set()
        """Backends that nobody has looked at since everything was read."""
        self.totals = Totals()

    async def meet(self) -> bool:
        """True when everything was read anew. Raises `HAProxyError`."""
        life = await self._runtime.life()
        self._dropped = life.dropped_logs
        if life.boot == self.totals.boot and self._sure:
            return False
        await self._begin(life.boot)
        await self.read_all()
        self._heard = self._dropped
        self._sure = True
        return True

    async def recheck(self, now: float) -> list[str]:
        """Backends whose workers are in another state than we know: notices about them may be among the lines that
        HAProxy has dropped."""
        if self._heard == self._dropped or now - self._rechecked < RECHECK:
            return []
        self._heard, self._rechecked = self._dropped, now
        before = {name: statuses(found) for name, found in self._now.items()}
        await self.read_all()
        return [name for name, found in self._now.items() if statuses(found) != before.get(name)]

    async def _begin(self, boot: str) -> None:
        self._ready = None
        await self._read_maps()
        if boot != self.totals.boot:
            self._now.clear()
            self._before.clear()
        self.totals.begin(boot)

    async def _read_maps(self) -> None:
        read = {one.name: await self._runtime.entries(maps.path(self._folder, one.name)) for one in TOLD}
        self._loaded = maps.Loaded(self._folder, read)

    def doubt(self) -> None:
        """HAProxy was away: whether it did what it was told is not known."""
        self._sure = False

    @property
    def backends(self) -> Collection[str]:
        """Of pools, as they were read last."""
        return self._now.keys()

    def now(self, backend: str) -> Backend | None:
        return self._now.get(backend)

    def before(self, backend: str) -> Backend:
        """The reading before the last one."""
        return self._before.get(backend) or Backend()

    async def look(self, backend: str) -> Backend:
        """The newest reading: what was read with all others just now, or another one."""
        if backend in self._fresh:
            self._fresh.discard(backend)
            return self._now[backend]
        return await self.read(backend) or Backend()

    def trust(self, backend: str) -> None:
        """The last reading will do for the next look."""
        if backend in self._now:
            self._fresh.add(backend)

    def age(self) -> None:
        """What was read with all others is too old to act upon."""
        self._fresh.clear()

    def made(self, backend: str) -> None:
        """A backend without a worker was made just now: there is nothing to read."""
        self._now[backend] = Backend(bell=Server("unix", 1, "UP"))
        self._fresh.add(backend)

    async def read(self, backend: str) -> Backend | None:
        self._note(backend, (await self._runtime.backends(backend)).get(backend))
        return self.now(backend)

    async def read_all(self) -> None:
        """Nobody has to look at a pool again before it is tended."""
        found = {name: one for name, one in (await self._runtime.backends()).items() if pool_of(name)}
        for name in self._now.keys() | found.keys():
            self._note(name, found.get(name))
        self._fresh = set(found)

    def _note(self, backend: str, found: Backend | None) -> None:
        self._fresh.discard(backend)
        former = self._now.pop(backend, None)
        self._before.pop(backend, None)
        if former is not None:
            self._before[backend] = former
            gone = former.servers.keys() - (found.servers.keys() if found else ())
            self.totals.forget_servers(backend, gone)
        if found is None:
            return
        self._now[backend] = found
        for worker, count in self.totals.observe(backend, found).items():
            log.warning(
                "WorkerLost: %d requests were taken and not answered by worker %s of pool %s; connections that it had "
                "kept are closed without an answer, and not logged one by one.",
                count,
                worker,
                pool_of(backend),
            )

    async def order(self, commands: Iterable[Command]) -> None:
        """Raises `HAProxyError`: some of it may be done."""
        await self._runtime.run(commands)

    def entries(self) -> Collection[maps.Key]:
        """Of all maps that the agent changes."""
        return [(one.name, key) for one in TOLD for key in self._loaded.keys(one.name)]

    async def put(self, wanted: Mapping[maps.Key, str | None]) -> None:
        """Entries of the maps, in this order; None is for those that must not be. Raises `HAProxyError`."""
        changed = self._loaded.differing(wanted)
        ordered = {key: value for key, value in changed.items() if key[0] == maps.WILD.name}
        try:
            await self.order(self._loaded.commands({k: v for k, v in changed.items() if k not in ordered}))
            self._loaded.note(changed)
            if ordered:
                entries = maps.lines(self._loaded.all(maps.WILD.name))[maps.WILD.name]
                await self._runtime.replace(maps.path(self._folder, maps.WILD.name), entries)
        except HAProxyAway:
            raise
        except HAProxyError:
            await self._read_maps()  # some of it may be done
            raise

    async def welcome(self, ready: bool) -> None:
        """Whether new clients are wanted. Raises `HAProxyError`."""
        if ready != self._ready:
            await self.order([set_ready(READY) if ready else set_maintenance(READY)])
        self._ready = ready

    async def active(self) -> list[str]:
        """The pools that were asked for since the last call. A mark is taken away before its pool is read: what came
        while it was there is in that reading."""
        path = maps.path(self._folder, maps.ACTIVE.name)
        found = list(await self._runtime.entries(path))
        await self.order(del_entry(path, key) for key in found)
        return found


def statuses(found: Backend) -> dict[str, bool]:
    return {name: server.serving for name, server in found.servers.items()}
