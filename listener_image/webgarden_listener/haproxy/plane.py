"""The data plane: HAProxy's files and processes as one thing that is brought to a table.

Files first, so that an HAProxy that dies meanwhile comes back with the new state. A reload is verified by the pid
of the process that answers; a configuration that HAProxy refuses leaves file and process as they are, and
everything that needs no reload goes on.

Not safe to be used by two tasks at a time: the agent's one loop serialises every change with every reload.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from webgarden_listener.haproxy import files
from webgarden_listener.haproxy.config import Frame, config
from webgarden_listener.haproxy.errors import HAProxyAway, HAProxyError
from webgarden_listener.haproxy.keeping import Keeper
from webgarden_listener.haproxy.maps import Maps, maps
from webgarden_listener.haproxy.master import OLD_TIMEOUT, Master, Process
from webgarden_listener.haproxy.names import backend
from webgarden_listener.haproxy.sections import lacking, sections
from webgarden_listener.haproxy.stats import Processes
from webgarden_listener.settings import Settings
from webgarden_listener.table import Routing, Target, limits, targets

TAKEOVER = 10.0
log = logging.getLogger(__name__)

Answering = Collection[Target]


class Plane:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._master = Master(settings.directory.master)
        self._loaded = sections(read(settings))
        self._maps: Maps = {}
        self._written: tuple[Routing, frozenset[Target], str, tuple[bool, bool]] | None = None
        self._wanted: tuple[Routing, tuple[bool, bool], Maps] | None = None
        self._lacking: tuple[Routing, Mapping[str, str], set[str]] | None = None
        self.generation = files.generation(settings)
        self.processes = Processes(None)
        self.life = ""
        """Another one after each start of HAProxy's master."""
        self.keeper = Keeper(settings.directory.keeper)

    @property
    def current(self) -> Process:
        """Raises `HAProxyAway`."""
        if self.processes.current is None:
            raise HAProxyAway("no HAProxy process accepts requests")
        return Process(self._master, self.processes.current)

    @property
    def old(self) -> list[Process]:
        return [Process(self._master, pid, patience=OLD_TIMEOUT) for pid in self.processes.old]

    async def look(self) -> bool:
        """Which processes there are; True when another one accepts requests than the last time. Raises `HAProxyAway`."""
        before, self.processes = self.processes, Processes(None)
        found = await self._master.processes()
        self.life = files.life(self._settings)
        kept = found.old if found.current and not self.last else ()
        self.keeper.release_others(kept)
        if found.current is not None and found.current != before.current:
            await self._meet(Process(self._master, found.current))
        self.processes = found
        return found.current != before.current

    async def _meet(self, process: Process) -> None:
        """Another process accepts. When it has not loaded what is on disk, nothing of what it has is taken for known."""
        self._maps = {}
        self.generation = await process.generation()
        current = self.generation == files.generation(self._settings)
        self._loaded = sections(read(self._settings)) if current else {}

    def lacks(self, known: Routing) -> set[str]:
        """What of the table the running process can only learn by a reload."""
        if self._lacking is None or self._lacking[0] is not known or self._lacking[1] is not self._loaded:
            found = lacking(self._loaded, sections(self._text(known, {}, self.generation)))
            self._lacking = (known, self._loaded, found)
        return self._lacking[2]

    def forget(self, running: Collection[str]) -> None:
        """Pools that the running process has, as it says itself: those that it has not are to be loaded."""
        names = {backend(key) for key in running}
        if not names.issuperset(filter(None, self._loaded)):
            self._loaded = {name: text for name, text in self._loaded.items() if not name or name in names}

    @property
    def ready(self) -> bool:
        return not self._settings.directory.leaving.exists()

    @property
    def last(self) -> bool:
        """Whether HAProxy has been told to finish, or is just about to be."""
        return self._settings.directory.stopping.exists()

    def write(self, known: Routing, answering: Answering) -> None:
        """The files, as far as HAProxy has accepted the structure."""
        wanted = (known, frozenset(answering), self.generation, (self.ready, self.last))
        if self._written is not None and self._written[0] is known and self._written[1:] == wanted[1:]:
            return
        files.write_maps(self._settings, self._wanted_maps(known))
        if not self.lacks(known):
            files.write_config(self._settings, self._text(known, limits(known, answering), self.generation))
            self._written = wanted

    async def load_states(self, known: Routing) -> None:
        """Bring the running process's maps of pools to the table: before those who wait for a stopped pool are told why."""
        # `retry` first: an answer that names the state says when to come back, too.
        await self._load(known, ("retry", "states", "queues"))

    async def load_maps(self, known: Routing) -> None:
        """Bring the other maps to the table: a host when its paths are there, and readiness when all is."""
        await self._load(known, ("paths", "hosts", "wild", "node"))

    async def _load(self, known: Routing, names: Sequence[str]) -> None:
        wanted = self._wanted_maps(known)
        for name in names:
            entries = wanted[name]
            if self._maps.get(name) != entries:
                await self.current.load_map(self._settings.directory.maps / f"{name}.map", entries)
                self._maps = {**self._maps, name: entries}

    async def reload(self, known: Routing, free: Callable[[Routing], Awaitable[Mapping[Target, int]]]) -> None:
        """A new process with the whole table, and the places that are `free` in the workers.

        Those are asked for as late as can be: what the former process gives out from then on is not counted until the
        new one accepts, a tenth of a second later. Raises `HAProxyError`; nothing has changed then.
        """
        generation = files.new_generation()
        await asyncio.to_thread(
            files.check, self._settings, self._text(known, limits(known, targets(known)), generation)
        )
        text = self._text(known, await free(known), generation)
        former = self.processes.current
        kept = read(self._settings)
        await asyncio.to_thread(files.write_config, self._settings, text)
        try:
            if former is not None:
                await self.keeper.keep(former)
            await self._master.reload()
            await self._taken_over(former)
        except HAProxyError:
            await asyncio.to_thread(files.write_config, self._settings, kept)
            raise
        self.generation = generation
        self._loaded = sections(text)
        self._maps = self._wanted_maps(known)
        log.info("HAProxy was reloaded: process %s in place of %s.", self.processes.current, former)

    def _wanted_maps(self, known: Routing) -> Maps:
        """The same object for the same table, since this is asked for in every round."""
        node = (self.ready, self.last)
        if self._wanted is None or self._wanted[0] is not known or self._wanted[1] != node:
            self._wanted = (known, node, maps(known, ready=node[0], last=node[1]))
        return self._wanted[2]

    async def _taken_over(self, former: int | None) -> None:
        """Wait until another process accepts and answers us, and the former one passes on what comes to it."""
        deadline = time.monotonic() + TAKEOVER
        while self.processes.current in (None, former) or not (await self._answers() and await self._stops(former)):
            if time.monotonic() > deadline:
                raise HAProxyError(f"no new process answers {TAKEOVER} s after a reload")
            await asyncio.sleep(0.02)
            self.processes = await self._master.processes()

    async def _answers(self) -> bool:
        try:
            return f"Pid: {self.processes.current}" in await self.current.ask("show info")
        except HAProxyAway:
            return False

    async def _stops(self, former: int | None) -> bool:
        if former not in self.processes.old:
            return True
        try:
            former_process = Process(self._master, former, patience=OLD_TIMEOUT)
            return "Stopping: 0" not in await former_process.ask("show info")
        except HAProxyAway:
            return False  # it is asked again, unless it has ended

    def _text(self, known: Routing, free: Mapping[Target, int], generation: str) -> str:
        return config(Frame(self._settings, generation), known, free)


def read(settings: Settings) -> str:
    try:
        return settings.directory.config.read_text()
    except FileNotFoundError:
        return ""
