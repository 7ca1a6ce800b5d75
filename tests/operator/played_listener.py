"""A played listener: it speaks the link as the real one does, and the test plays its clients.

It comes in with a real token of its pod, over TLS. A request is given to a worker that serves, or waits and is demand; it is
answered when the test says so. What must never happen is noted on the request itself: `lost` (its worker died under it).
Every frame is noted among the world's moments, what is said before it is sent. Agent and HAProxy are told apart by what
they lose: without the agent there is no link, and another life of HAProxy (`boot`) counts from zero.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum

import aiohttp
from tests.operator.world import Refused, World

import webgarden_link as link

BEAT = 0.02
DEMAND_EVERY = 1.0
RECONNECT = 0.2
BOOTS = itertools.count(1)
FEATURES = frozenset({"affinity"})


class Fate(StrEnum):
    WAITS = "waits"
    RUNS = "runs"
    DONE = "done"
    REFUSED = "refused"
    """503, for the pool is stopped."""
    CUT = "cut"
    """Its worker was taken from the table while it ran."""
    LOST = "lost"
    """Its worker died while it ran."""


@dataclass(eq=False)
class Request:
    pool: str
    fate: Fate = Fate.WAITS
    worker: str = ""
    reason: str = ""
    retry_after: int = 0


@dataclass
class _Worker:
    told: link.Worker
    answers: bool = False
    answered: bool = False
    """At some time."""
    requests: int = 0
    running: list[Request] = field(default_factory=list)

    def cut(self) -> None:
        """Its requests end."""
        for request in self.running:
            request.fate = Fate.CUT
        self.running.clear()

    def report(self) -> link.WorkerReport:
        return link.WorkerReport(
            name=self.told.name, state=self.state, in_flight=len(self.running), requests=self.requests
        )

    @property
    def state(self) -> link.WorkerStatus:
        if self.told.state is link.WorkerState.DRAINING:
            return link.WorkerStatus.DRAINING if self.running else link.WorkerStatus.DRAINED
        if self.answers:
            return link.WorkerStatus.SERVING
        return link.WorkerStatus.DOWN if self.answered else link.WorkerStatus.WAITING


@dataclass
class _Pool:
    told: link.Pool
    workers: dict[str, _Worker] = field(default_factory=dict)
    waiting: list[Request] = field(default_factory=list)
    rejected: int = 0
    demanded: float = 0.0


@dataclass(frozen=True)
class Way:
    """How the operators are reached."""

    namespace: str
    ports: Callable[[], list[int]]
    answers: Callable[[str], bool]
    """Whether a worker answers at this address."""


class Listener:
    def __init__(self, world: World, way: Way, *, name: str, uid: str) -> None:
        self._world = world
        self._way = way
        self.name = name
        self.uid = uid
        self.boot = f"boot-{next(BOOTS)}"
        self.features = FEATURES
        """What its release can do."""
        self.count = 1
        """Listeners, as it was told."""
        self.pools: dict[str, _Pool] = {}
        self.sites: dict[str, link.Site] = {}
        self.refusals: list[str] = []
        """Why it was not let in."""
        self.demands: list[tuple[float, str]] = []
        self._wished = asyncio.Event()
        self._hearing = asyncio.Event()
        self._hearing.set()
        self._hushed = asyncio.Event()
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._sent: dict[str, link.PoolReport] = {}
        self.connected = False
        self._tasks: list[asyncio.Task[None]] = []

    # For tests, from their own thread.

    def request(self, pool: str) -> Request:
        """A client asks for something of the pool."""

        async def ask() -> Request:
            made = Request(pool)
            known = self.pools.get(pool)
            if known is None:
                made.fate, made.reason = Fate.REFUSED, "PoolMissing"
            else:
                known.waiting.append(made)
                await self._settle(known)
            return made

        return self._world.call(ask())

    def finish(self, request: Request) -> None:
        """The worker's answer has reached the client."""

        async def done() -> None:
            assert request.fate is Fate.RUNS, request
            known = self.pools[request.pool]
            known.workers[request.worker].running.remove(request)
            request.fate = Fate.DONE
            await self._settle(known)

        self._world.call(done())

    def say(self, message: link.Message) -> None:
        """Something that it would not say by itself."""
        self._world.call(self._say(message))

    def disconnect(self) -> None:
        """The link breaks and stays so; requests go on."""

        async def part() -> None:
            self._wished.clear()
            if self._socket is not None:
                await self._socket.close()

        self._world.call(part())

    def connect(self) -> None:
        self._world.loop.call_soon_threadsafe(self._wished.set)

    def reboot(self) -> None:
        """HAProxy dies and starts anew, while the agent stays: what ran is cut, and totals begin at zero."""

        async def begin() -> None:
            self.boot = f"boot-{next(BOOTS)}"
            for pool in self.pools.values():
                for worker in pool.workers.values():
                    worker.cut()
                    worker.requests = 0

        self._world.call(begin())

    def hush(self) -> None:
        """Neither read nor say anything, on a connection that stays open."""

        async def stop() -> None:
            self._hearing.clear()
            self._hushed.set()

        self._world.call(stop())

    def wake(self) -> None:
        async def go_on() -> None:
            self._hushed.clear()
            self._hearing.set()

        self._world.call(go_on())

    def told(self, pool: str, name: str) -> link.WorkerState | None:
        known = self.pools.get(pool)
        found = known.workers.get(name) if known else None
        return found.told.state if found else None

    def state(self, pool: str, name: str) -> str:
        known = self.pools.get(pool)
        found = known.workers.get(name) if known else None
        return found.state if found else ""

    # In the world's thread.

    def begin(self) -> None:
        self._wished.set()
        self._tasks = [self._world.spawn(self._stay_linked()), self._world.spawn(self._beat())]

    def end(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _stay_linked(self) -> None:
        while True:
            await self._wished.wait()
            for port in self._way.ports():
                with suppress(aiohttp.ClientError, TimeoutError, ConnectionError, Refused, KeyError):
                    await self._converse(port)
                self.connected = False
            await asyncio.sleep(RECONNECT)

    async def _converse(self, port: int) -> None:
        context, token = await credentials(self._world, self._way.namespace, pod=(self.name, self.uid))
        async with (
            aiohttp.ClientSession(trust_env=False) as session,
            session.ws_connect(
                f"wss://127.0.0.1:{port}/link",
                headers={"Authorization": f"Bearer {token}"},
                ssl=context,
                server_hostname=f"webgarden-link.{self._way.namespace}.svc",
                max_msg_size=0,
            ) as socket,
        ):
            self._socket = socket
            self._sent.clear()
            try:
                await self._say(link.Hello(listener=self.name))
                while (frame := await self._receive(socket)).type is aiohttp.WSMsgType.TEXT:
                    await self._hear(link.decode(frame.data))
            finally:
                self._socket = None

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> aiohttp.WSMessage:
        """The next frame; while it is hushed nothing is read, so that not even a ping is answered."""
        while True:
            await self._hearing.wait()
            tasks = {self._world.loop.create_task(work) for work in (socket.receive(), self._hushed.wait())}
            try:
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
            for result in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(result, aiohttp.WSMessage):
                    return result

    async def _hear(self, message: link.Message) -> None:
        self._world.note("heard", self.name, message)
        match message:
            case link.Refusal(reason=reason):
                self.refusals.append(reason)
                return
            case link.Table():
                pools = {pool.key for pool in message.pools}
                sites = {site.key for site in message.sites}
                gone = tuple(self.pools.keys() - pools), tuple(self.sites.keys() - sites)
                self._take(message.pools, message.sites, *gone)
                self.count = message.listeners
                self.connected = True
            case link.Change():
                self._take(message.pools, message.sites, message.removed_pools, message.removed_sites)
            case link.Listeners():
                self.count = message.count
                return
            case _:
                raise AssertionError(message)
        if message.sites:
            await self._say(link.Report(sites=tuple(self._report_site(site) for site in message.sites)))
        for pool in list(self.pools.values()):
            await self._settle(pool)

    def _take(
        self,
        pools: tuple[link.Pool, ...],
        sites: tuple[link.Site, ...],
        removed_pools: tuple[str, ...],
        removed_sites: tuple[str, ...],
    ) -> None:
        for key in removed_pools:
            for request in self.pools.pop(key).waiting:
                request.fate, request.reason = Fate.REFUSED, "PoolMissing"
        for key in removed_sites:
            del self.sites[key]
        self.sites.update({site.key: site for site in sites})
        for told in pools:
            known = self.pools.setdefault(told.key, _Pool(told))
            known.told = told
            before, known.workers = known.workers, {}
            for worker in told.workers:
                kept = before.pop(worker.name, None) or _Worker(worker)
                kept.told = worker
                known.workers[worker.name] = kept
            for gone in before.values():
                gone.cut()

    async def _beat(self) -> None:
        """Workers come up and die, and demand is repeated."""
        while True:
            for pool in list(self.pools.values()):
                await self._settle(pool)
            await asyncio.sleep(BEAT)

    async def _settle(self, pool: _Pool) -> None:
        self._look(pool)
        self._give_out(pool)
        if self._socket is None or not self.connected or not self._hearing.is_set():
            return
        with suppress(ConnectionError, aiohttp.ClientError):
            report = self._report(pool)
            if self._sent.get(pool.told.key) != report:
                self._sent[pool.told.key] = report
                await self._say(link.Report(pools=(report,)))
            serving = any(w.state is link.WorkerStatus.SERVING for w in pool.workers.values())
            if pool.waiting and not serving and time.monotonic() - pool.demanded >= DEMAND_EVERY:
                pool.demanded = time.monotonic()
                self.demands.append((pool.demanded, pool.told.key))
                await self._say(link.Demand(pool=pool.told.key))

    def _look(self, pool: _Pool) -> None:
        for worker in pool.workers.values():
            worker.answers = self._way.answers(worker.told.address)
            worker.answered = worker.answered or worker.answers
            if not worker.answers:
                for request in worker.running:
                    request.fate = Fate.LOST
                worker.running.clear()

    def _give_out(self, pool: _Pool) -> None:
        if pool.told.state is link.PoolState.STOPPED:
            for request in pool.waiting:
                request.fate, request.reason = Fate.REFUSED, pool.told.reason
                request.retry_after = pool.told.retry_after
            pool.waiting.clear()
        for request in list(pool.waiting):
            free = [
                w
                for w in pool.workers.values()
                if w.state is link.WorkerStatus.SERVING and len(w.running) < self._share(pool.told.worker_limit)
            ]
            if not free:
                return
            chosen = min(free, key=lambda w: len(w.running))
            pool.waiting.remove(request)
            request.fate, request.worker = Fate.RUNS, chosen.told.name
            chosen.running.append(request)
            chosen.requests += 1
            pool.demanded = 0.0

    def _share(self, total: int) -> int:
        return math.ceil(total / self.count)

    def _report_site(self, site: link.Site) -> link.SiteReport:
        lacking = sorted(set(site.requires) - self.features)
        return link.SiteReport(
            key=site.key, version=site.version, refused=f"it knows no {', '.join(lacking)}" if lacking else ""
        )

    def _report(self, pool: _Pool) -> link.PoolReport:
        return link.PoolReport(
            key=pool.told.key,
            version=pool.told.version,
            boot=self.boot,
            queued=len(pool.waiting),
            rejected=pool.rejected,
            workers=tuple(worker.report() for worker in pool.workers.values()),
        )

    async def _say(self, message: link.Message) -> None:
        if self._socket is not None:
            self._world.note("said", self.name, message)
            await self._socket.send_str(link.encode(message))


async def credentials(
    world: World, namespace: str, *, pod: tuple[str, str] | None, account: str = "webgarden-listener",
    audience: str = "webgarden-link",
) -> tuple[ssl.SSLContext, str]:  # fmt: skip
    """What a listener's volume holds: the link's authority, and a token of its account."""
    trusted = await world.ask("GET", f"/api/v1/namespaces/{namespace}/configmaps/webgarden-link-ca")
    spec: dict[str, object] = {"audiences": [audience], "expirationSeconds": 3600}
    if pod is not None:
        spec["boundObjectRef"] = {"apiVersion": "v1", "kind": "Pod", "name": pod[0], "uid": pod[1]}
    url = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    token = (await world.ask("POST", url, {"spec": spec}))["status"]["token"]
    return ssl.create_default_context(cadata=trusted["data"]["ca.crt"]), token
