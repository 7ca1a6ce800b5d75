"""The agent: keeps HAProxy as the operator's table says, and tells the operator what happens.

One loop, level-triggered: whatever happened (a message, a worker that answers, a ring, a second that passed) only marks
what to look at; each round then asks HAProxy how it is, compares, and commands. So a round that fails is simply done
again, and an agent that was killed goes on where its predecessor stopped, from what runs.

A round takes a few marks, those first for which somebody waits: a large table must not keep a ring waiting.

It never touches what runs before the operator has sent a table. The one on disk is for HAProxy's start alone: HAProxy
was told of each change before the disk was, so by that table the newest pools and workers would be cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Coroutine, Sequence

from webgarden_link import Change, Listeners, Pool, Table
from webgarden_listener import events, tending
from webgarden_listener.bell import Bell
from webgarden_listener.haproxy.errors import HAProxyAway, HAProxyError
from webgarden_listener.haproxy.names import pool_of
from webgarden_listener.haproxy.stats import Backend, merged
from webgarden_listener.heartbeat import beat
from webgarden_listener.keeping import Keeper
from webgarden_listener.link import Link
from webgarden_listener.marks import Marks
from webgarden_listener.pacing import Pace
from webgarden_listener.plane import Plane
from webgarden_listener.probing import Probes
from webgarden_listener.reports import Sight
from webgarden_listener.saving import Saver
from webgarden_listener.settings import Settings
from webgarden_listener.table import Routing, Touched, endpoint, refused
from webgarden_listener.telling import Teller
from webgarden_listener.troubles import Troubles

AWAY_PAUSE = 0.05
HEARTBEAT = 1.0
LEFTOVERS_PAUSE = 0.2
"""Between two looks at backends that go."""
HAPROXY = "HAProxy"
PATIENCE = 120.0
"""Seconds that a request may wait for a pool that nobody knows yet."""
log = logging.getLogger(__name__)


class Agent:
    def __init__(self, settings: Settings) -> None:
        self._directory = settings.directory
        self._known = Routing()
        self._marks = Marks()
        self._plane = Plane(settings.directory)
        self._pace = Pace(settings.timing)
        self._probes = Probes(self._answers)
        self._bell = Bell(settings.directory, rung=self._rung, patience=self._patience)
        self._keeper = Keeper(self._known, self._plane, self._probes, self._bell)
        self._link = Link(settings.link, heard=self._marks.heard, opened=self._opened)
        self._teller = Teller(self._known, self._plane, self._link)
        self._saver = Saver(settings.directory.state, self._known)
        self._troubles = Troubles()
        self._knows = False
        """Whether there is a table."""
        self._anew = False
        """Whether everything has to be compared with the table."""
        self._many = False
        """Whether very many pools were waiting to be looked at: they were read together then."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._bell.run())
            tasks.create_task(events.listen(self._directory.events, self._marks.noticed))
            tasks.create_task(self._link.run())
            tasks.create_task(self._saver.run())
            tasks.create_task(self._loop())

    async def _loop(self) -> None:
        while True:
            beat()
            now = time.monotonic()
            pauses = (self._pace.pause(now), self._teller.repeat(now), self._troubles.pause(now))
            await self._marks.wait(min(*pauses, LEFTOVERS_PAUSE if self._keeper.leftovers else HEARTBEAT))
            try:
                await self._round()
                self._troubles.over(HAPROXY)
            except HAProxyError as error:
                self._troubles.happened(HAPROXY, error, time.monotonic())
                self._plane.doubt()
                await asyncio.sleep(AWAY_PAUSE)

    async def _round(self) -> None:
        for message in self._marks.messages():
            self._hear(message)
        self._anew = await self._plane.meet() or self._anew
        if not self._knows:
            return self._plane.age()
        if self._anew:
            self._begin()
        await self._mark_what_is_due(time.monotonic())
        await self._read_together()
        pools = self._marks.some_pools()
        await self._try(
            "new pools", self._keeper.create(self._known.pools[key] for key in pools if key in self._known.pools)
        )
        for key in pools:
            await self._try(f"pool {key}", self._tend(key))
        for key in self._marks.some_sites():
            await self._try(f"site {key}", self._serve(key))
        for name in self._keeper.some_leftovers():
            await self._try(f"backend {name}", self._keeper.take_apart(name))
        if not self._marks.news:
            await self._try("maps", self._settle())
        return None

    # What a round begins with.

    def _opened(self) -> None:
        """A new connection to an operator."""
        self._marks.drop_messages()
        self._teller.begin()

    def _patience(self, backend: str) -> float:
        pool = self._known.pools.get(pool_of(backend) or "")
        return pool.queue_timeout if pool else PATIENCE

    def _rung(self, backend: str) -> None:
        """Somebody begins or ceases to ring. The operator hears of it before anything is looked at: who rings has no
        worker, HAProxy says so."""
        pool, found = self._known.pools.get(pool_of(backend) or ""), self._plane.now(backend)
        if pool is not None and found is not None and self._bell.rings(backend):
            wanted = self._keeper.wanted(pool, backend)
            self._teller.needs(pool.key, tending.needs_worker(wanted, found, rings=True))
            self._teller.repeat(time.monotonic())
        self._marks.rung(backend)

    def _answers(self, pool: str) -> None:
        """A worker answers: it is added by what is known of its pool, since somebody waits."""
        self._plane.trust(self._keeper.backend(pool))
        self._marks.urgent(pool)

    def _hear(self, message: Table | Change | Listeners) -> None:
        for words in refused(message):
            log.error("Left out, since it makes no sense to HAProxy: %s", words)
        self._take(message)
        if isinstance(message, Table):
            self._teller.introduced()

    def _take(self, message: Table | Change | Listeners) -> None:
        self._knows = self._knows or isinstance(message, Table)
        mark = self._marks.changed if isinstance(message, Change) else self._marks.all
        mark(self._known.take(message))
        self._saver.changed()

    def _begin(self) -> None:
        """HAProxy was read anew: everything is compared with the table."""
        self._anew = False
        self._keeper.begin()
        self._marks.all(Touched(set(self._known.pools), set(self._known.sites)))

    async def _mark_what_is_due(self, now: float) -> None:
        if self._pace.poll_due(now):
            self._pace.used((pool for name in await self._plane.active() if (pool := pool_of(name))), now)
        for name in await self._plane.recheck(now):
            self._marks.noticed(name)
        self._marks.urgent(*self._pace.drains_due(now))
        self._marks.routine(*self._pace.due(now))
        for subject in self._troubles.due(now):
            kind, _, key = subject.partition(" ")
            if kind == "pool":
                self._marks.routine(key)
            elif kind == "site":
                self._marks.changed(Touched(sites={key}))

    async def _read_together(self) -> None:
        """Once, when there is very much to look at."""
        if self._marks.many != self._many and not self._many:
            await self._plane.read_all()
        self._many = self._marks.many

    async def _settle(self) -> None:
        """All that was said is done: what HAProxy is told last is whether new clients may come."""
        if self._keeper.untidy:
            await self._keeper.tidy()
        await self._plane.welcome(not self._directory.leaving.exists())

    # One pool, one site.

    async def _try(self, subject: str, work: Coroutine[None, None, None]) -> None:
        """One that cannot be done holds nobody up. Raises `HAProxyAway`."""
        beat()
        try:
            await work
            self._troubles.over(subject)
        except HAProxyAway:
            self._troubles.happened(subject, HAProxyError("not done, since HAProxy was away"), time.monotonic())
            raise
        except HAProxyError as error:
            self._troubles.happened(subject, error, time.monotonic())

    async def _tend(self, key: str) -> None:
        pool = self._known.pools.get(key)
        self._keeper.left(key)
        if pool is None:
            return self._forget(key)
        self._probes.watch(key, [endpoint(worker) for worker in pool.workers])
        names = self._keeper.backends(key)
        sight = await self._look(pool, names)
        wanted = self._keeper.wanted(pool, names[0])
        rings = any(self._bell.rings(name) for name in names)
        self._teller.needs(key, tending.needs_worker(wanted, sight.now, rings=rings))
        self._plane.totals.keep_workers(key, [worker.name for worker in pool.workers])
        told = self._teller.pool(pool, sight, time.monotonic())
        drains = tending.drains(wanted, sight.now) or not self._teller.settled(pool)
        busy = bool(sight.now.queued or sight.now.in_flight or not told)
        return self._pace.seen(key, time.monotonic(), busy=busy, drains=drains)

    async def _look(self, pool: Pool, names: Sequence[str]) -> Sight:
        """All backends of a pool, brought to the table."""
        now, before = Backend(), Backend()
        for name in names:
            self._believe(pool, await self._plane.look(name))
            now = merged(now, await self._keeper.pool(self._keeper.wanted(pool, name)))
            before = merged(before, self._plane.before(name))
        return Sight(now, before, self._probes.answering(pool.key))

    def _believe(self, pool: Pool, found: Backend) -> None:
        """A worker that HAProxy has checked and finds well answers."""
        for worker in pool.workers:
            server = found.servers.get(worker.name)
            if server is not None and server.serving and server.passed and not tending.differs(server, worker):
                self._probes.believe(pool.key, endpoint(worker))

    def _forget(self, key: str) -> None:
        self._probes.watch(key, ())
        self._pace.forget(key)
        self._teller.gone(key)

    async def _serve(self, key: str) -> None:
        try:
            await self._keeper.site(key)
        except HAProxyAway:
            raise
        except HAProxyError as error:
            self._teller.site(key, trouble=str(error))
            raise
        self._teller.site(key)


def run(settings: Settings) -> int:
    """Until somebody says so."""

    async def live() -> None:
        task = asyncio.create_task(Agent(settings).run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    settings.directory.root.mkdir(parents=True, exist_ok=True)
    asyncio.run(live())
    return 0
