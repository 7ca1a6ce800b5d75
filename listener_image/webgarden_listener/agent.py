"""The agent: keeps HAProxy and the gate as the operator's table says, and tells the operator what happens.

One loop, level-triggered: whatever happened (a message, a worker that answers, a word of the gate, a second that
passed) only marks pools to look at; each round then asks HAProxy how it is, compares, and commands. So a round that
fails is simply done again, and an agent that was killed goes on where its predecessor stopped, from the files and
from what runs.

It never touches what runs before it knows a table: an empty one by accident would cut every worker off.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import signal
import time
from collections.abc import Iterable, Mapping

from webgarden_link import Applied, Change, Demand, Failed, LinkError, Message, Pool, Table
from webgarden_listener import state
from webgarden_listener.counters import Totals
from webgarden_listener.gate.views import Hand, PoolView
from webgarden_listener.gatelink import GateLink
from webgarden_listener.haproxy.errors import HAProxyAway, HAProxyError
from webgarden_listener.haproxy.plane import Plane
from webgarden_listener.haproxy.stats import Backend
from webgarden_listener.link import Link
from webgarden_listener.probing import Probes
from webgarden_listener.readings import Readings
from webgarden_listener.reloading import Reloads
from webgarden_listener.reports import Outgoing, Sight, report
from webgarden_listener.servers import Wish, commands, needs_worker, same, view, wishes
from webgarden_listener.settings import Settings
from webgarden_listener.table import Routing, Target, changed, endpoint, leaves, refused, routing, stopped, targets

AWAY_PAUSE = 0.05
TURNS = 5
"""Turns of the event loop before a round blocks it with its files: what a worker needs to be found out that answers when
its address comes, so that who waits goes there first."""
DEMAND_INTERVAL = 1.0
OLD_MATTERS = 3.0
"""Seconds in which most processes that were replaced have ended."""
log = logging.getLogger(__name__)


class Agent:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._known = state.load(settings.directory.state)
        self._plane = Plane(settings)
        self._gate = GateLink(settings.directory.gate_control, self._gate_said)
        self._totals = Totals(state.load_counted(settings.directory.counted))
        self._link = Link(settings.link, self._totals.boot, heard=self._heard, opened=self._opened)
        self._probes = Probes(self._answers)
        self._reloads = Reloads(settings.timing)
        self._outgoing = Outgoing()
        self._readings = Readings(self._count, self._totals.present)
        self._saved = -math.inf
        self._demanded: dict[str, float] = {}
        self._incoming: list[Table | Change] = []
        self._unanswered = False
        self._introduced = False
        """Whether this connection's operator has sent its table: versions of another one mean nothing to it."""
        self._told: Routing | None = None
        self._dirty: set[str] = set()
        self._fresh: set[str] = set()
        """Pools that this round has read already."""
        self._swept = -math.inf
        self._trouble = ""
        self._wake = asyncio.Event()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._gate.run())
            tasks.create_task(self._link.run())
            tasks.create_task(self._loop())

    # What happens to us: everything here only leaves a mark.

    def _heard(self, message: Message) -> None:
        if not isinstance(message, Table | Change):
            raise LinkError(f"{message.kind} is not for a listener")
        self._incoming.append(message)
        self._wake.set()

    def _opened(self) -> None:
        self._incoming.clear()
        self._introduced = self._unanswered = False
        self._outgoing.begin()
        self._demanded.clear()
        self._touch(*self._pools)

    def _gate_said(self, hand: Hand | None) -> None:
        if hand is not None and hand.boot:
            self._totals.observe_gate(hand)
        self._touch(*((hand.pool,) if hand is not None else self._pools))

    def _answers(self, key: str) -> None:
        """A worker answers: who waits in the gate's hands goes there now, and HAProxy hears of it in the next round."""
        pool = self._pools.get(key)
        if pool is not None and self._plane.processes.current is not None and self._now(key).gate is not None:
            self._gate.say_one(key, self._view(pool))
        self._touch(key)

    def _touch(self, *pools: str) -> None:
        self._dirty.update(pools)
        self._wake.set()

    @property
    def _pools(self) -> Mapping[str, Pool]:
        return self._known.pools if self._known is not None else {}

    # The loop.

    async def _loop(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._round()
                self._trouble = ""
            except HAProxyError as error:
                await self._stumble(str(error))

    async def _stumble(self, words: str) -> None:
        """HAProxy is away, or did not do as it was told: ask it again how it is, and go on from there."""
        if words != self._trouble:
            log.warning("HAProxy: %s", words)
        self._trouble = words
        self._swept = -math.inf
        self._fresh.clear()
        await asyncio.sleep(AWAY_PAUSE)

    def _pause(self) -> float:
        now = time.monotonic()
        sweep = self._swept + self._poll - now
        reload = self._reloads.due(now, holding=self._gate.holding, old=len(self._plane.old))
        return max(0.0, min(sweep, reload, self._settings.timing.drain_poll if self._draining() else math.inf))

    @property
    def _poll(self) -> float:
        """Often for a moment after a reload, since an old process takes what it counted with it."""
        fresh = time.monotonic() - self._reloads.last < OLD_MATTERS
        return self._settings.timing.old_poll if fresh else self._settings.timing.poll

    async def _round(self) -> None:
        self._take_in()
        for _ in range(TURNS):
            await asyncio.sleep(0)
        if self._known is not None:
            self._plane.write(self._known, self._probes.all_answering)
        if await self._plane.look():
            self._swept = -math.inf
        if time.monotonic() - self._swept >= self._poll:
            await self._sweep()
        if self._known is not None:
            await self._plane.load_states(self._known)
            await self._tend(self._known)
            await self._load(self._known)

    def _take_in(self) -> None:
        """Everything that the operator said meanwhile, as one new table."""
        messages, self._incoming = self._incoming, []
        for message in messages:
            for words in refused(message.pools, message.sites):
                log.error("Left out, since it makes no sense to HAProxy: %s", words)
            before = self._pools
            self._known = routing(message) if isinstance(message, Table) else changed(self._known or Routing(), message)
            self._dirty.update(key for key, pool in self._known.pools.items() if before.get(key) != pool)
            if isinstance(message, Table):
                self._introduced = True
                self._dirty.update(self._known.pools)
        if self._known is not None and messages:
            self._unanswered = True
            self._probes.watch(targets(self._known).keys())
            self._reloads.changed(time.monotonic())
            state.save(self._settings.directory.state, self._known)

    def _draining(self) -> set[str]:
        """Pools of which somebody waits for a request to end."""
        leaving = (pool for pool in self._pools.values() if any(leaves(pool, worker) for worker in pool.workers))
        return {pool.key for pool in leaving if not self._outgoing.settled(pool)} | self._held_up()

    def _held_up(self) -> set[str]:
        """Pools in which somebody waits for a place that a request takes: in an older process, or past the gate."""
        if self._plane.processes.current is None:
            return set()
        held = {key for key in self._pools if self._gate.hand(key).waiting}
        past = {key for key in held if self._full(key)}
        if not self._plane.old:
            return past
        waited_for = held | {key for key in self._pools if self._now(key).queued}
        return past | {key for key in waited_for if any(one.busy for one in self._readings.old(self._plane, key) or ())}

    def _full(self, key: str) -> bool:
        """Whether requests run in a worker that the gate may get a place in."""
        servers = self._now(key).servers
        staying = (one.name for one in self._pools[key].workers if not leaves(self._pools[key], one))
        return any(name in servers and servers[name].in_flight for name in staying)

    # Looking.

    async def _sweep(self) -> None:
        """Read everything, and look at every pool."""
        await self._readings.sweep(self._plane)
        self._swept = time.monotonic()
        self._plane.forget(self._readings.pools(self._plane.current.pid))
        self._probe()
        if self._known is not None:
            self._count_on(self._known)
        self._outgoing.keep(self._pools)
        self._fresh = set(self._pools)
        self._dirty.update(self._pools)

    def _count_on(self, known: Routing) -> None:
        self._totals.keep(known.pools, {(key, one.name) for key, pool in known.pools.items() for one in pool.workers})
        if self._swept - self._saved >= self._settings.timing.poll:
            self._saved = self._swept
            state.save_counted(self._settings.directory.counted, self._totals.counted)

    def _count(self, pid: int, key: str, found: Backend) -> None:
        pool = self._pools.get(key)
        self._totals.observe(pid, key, found, stopped=pool is not None and stopped(pool))

    def _now(self, pool: str) -> Backend:
        return self._readings.now(self._plane, pool)

    def _probe(self) -> None:
        """Look for the workers that nobody has seen answering; those that HAProxy serves do."""
        if self._known is None:
            return
        every = targets(self._known)
        for (key, place), worker in every.items():
            server = self._now(key).servers.get(worker.name)
            if server is not None and server.serving and same(server, worker):
                self._probes.believe((key, place))
        self._probes.watch(every.keys())

    # Acting.

    async def _tend(self, known: Routing) -> None:
        """Bring the pools that were marked to the table by runtime commands."""
        dirty = (self._dirty | self._draining()) & known.pools.keys()
        self._dirty = set(dirty)
        for key in sorted(dirty):
            await self._tend_pool(known, known.pools[key])
            self._dirty.discard(key)
            self._fresh.discard(key)

    async def _tend_pool(self, known: Routing, pool: Pool) -> None:
        if pool.key not in self._fresh:
            await self._readings.read(self._plane, pool.key)
        hand = self._gate.hand(pool.key)  # one for all of this, so that a report says what was acted upon
        wanted = self._wishes(pool, hand)
        # The gate first: somebody may wait there, and what it must not have any more is HAProxy's when it says so.
        self._gate.say_one(pool.key, view(pool, self._now(pool.key), wanted))
        granting = self._gate.obeys(pool.key) or self._gate.deaf(pool.key)
        orders = commands(pool, self._now(pool.key), wanted, hand, granting=granting)
        if orders:
            await self._command(orders)
            await self._readings.read(self._plane, pool.key)
            self._gate.say_one(pool.key, view(pool, self._now(pool.key), wanted))
        self._report(known, pool, hand)
        self._demand(pool, hand, wanted)

    async def _command(self, orders: Iterable[str]) -> None:
        for order in orders:
            said = await self._plane.current.ask(order)
            if said and not said.startswith(("New server", "Server deleted")):
                log.log(logging.INFO if order.startswith("del ") else logging.WARNING, "HAProxy: %s: %s", order, said)

    def _wishes(self, pool: Pool, hand: Hand) -> dict[str, Wish]:
        return wishes(pool, self._probes.answering(pool.key), hand, self._readings.old(self._plane, pool.key) or ())

    async def _free(self, known: Routing) -> dict[Target, int]:
        """What a new process may give each worker at first: what all the processes there are leave of its limit."""
        await self._sweep()
        made: dict[Target, int] = {}
        for key, pool in known.pools.items():
            every = self._readings.every(self._plane, key)
            found = wishes(pool, self._probes.answering(key), self._gate.hand(key), every)
            made.update({(key, endpoint(wish.worker)): wish.limit for wish in found.values() if wish.serves})
        return made

    async def _load(self, known: Routing) -> None:
        """Maps and reloads; then the operator's answer."""
        self._tell_gate(known)
        if self._plane.lacks(known) and not self._reloads.refused:
            now = time.monotonic()
            self._reloads.want(now)
            if self._reloads.due(now, holding=self._gate.holding, old=len(self._plane.old)) > 0:
                return
            await self._reload(known)
        await self._plane.load_maps(known)
        if self._unanswered and self._introduced:
            self._unanswered = False
            self._link.say(self._answer(known.version))

    async def _reload(self, known: Routing) -> None:
        try:
            await self._plane.reload(known, self._free)
        except HAProxyAway:
            raise
        except HAProxyError as error:
            log.error("HAProxy refuses the configuration, so it keeps the one before: %s", error)
            return self._reloads.refuse(str(error))
        self._reloads.done(time.monotonic())
        self._swept = -math.inf
        return self._wake.set()

    def _tell_gate(self, known: Routing) -> None:
        """Every pool, when the table is another one; single pools are told as they are tended."""
        if self._told is not known:
            self._told = known
            self._gate.say({key: self._view(pool) for key, pool in known.pools.items()})

    def _answer(self, version: int) -> Applied | Failed:
        words = self._reloads.refused
        return Failed(version=version, error=words) if words else Applied(version=version)

    def _view(self, pool: Pool) -> PoolView:
        return view(pool, self._now(pool.key), self._wishes(pool, self._gate.hand(pool.key)))

    # Telling.

    def _report(self, known: Routing, pool: Pool, hand: Hand) -> None:
        new = report(pool, self._sight(pool.key, hand), self._totals, known.version)
        if self._introduced and self._outgoing.due(new, time.monotonic()):
            self._link.say(new)

    def _demand(self, pool: Pool, hand: Hand, wanted: Mapping[str, Wish]) -> None:
        now = time.monotonic()
        if not needs_worker(pool, self._now(pool.key), wanted, hand):
            self._demanded.pop(pool.key, None)
        elif now - self._demanded.get(pool.key, -math.inf) >= DEMAND_INTERVAL:
            self._demanded[pool.key] = now
            self._link.say(Demand(pool=pool.key))

    def _sight(self, pool: str, hand: Hand) -> Sight:
        old = self._readings.old(self._plane, pool)
        alone = self._plane.last and self._plane.old  # old processes that serve again what comes to them
        obeys = self._gate.obeys(pool) and self._gate.hand(pool) == hand  # which is from before the last orders
        sure = obeys and old is not None and not alone
        return Sight(self._now(pool), self._readings.before(pool), old or (), hand if sure else None)


def run(settings: Settings) -> int:
    """Until somebody says so."""

    async def live() -> None:
        task = asyncio.create_task(Agent(settings).run())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    settings.directory.root.mkdir(parents=True, exist_ok=True)
    asyncio.run(live())
    return 0
