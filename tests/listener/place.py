"""A place for one test in a listener that others use too: pools, sites and workers of its own.

All of it is gone when the test is over.
"""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from tests.listener.fake_operator import FakeOperator
from tests.listener.node import Node, free_ports
from tests.listener.waiting import until, until_async

from webgarden_link import Affinity, Application, Binding, Pool, Site, Worker, WorkerState, WorkerStatus
from webgarden_listener import state
from webgarden_listener.haproxy.names import backend
from webgarden_listener.haproxy.stats import Backend, backends

NUMBERS = itertools.count(1)


@dataclass
class Running:
    """A worker process and what the operator says of it."""

    worker: Worker
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = Path(__file__).with_name("worker_program.py")
        self.process = subprocess.Popen([sys.executable, str(program), self.worker.name, str(self.worker.port)])

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def becomes(self, state: WorkerState) -> None:
        """What the operator asks of it, from the next message on."""
        self.worker = self.worker.model_copy(update={"state": state})

    async def counters(self) -> dict[str, int]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.worker.port}/_counters") as answer,
        ):
            found: dict[str, int] = await answer.json()
            return found


@dataclass
class Place:
    node: Node
    operator: FakeOperator
    number: int = field(default_factory=lambda: next(NUMBERS))
    running: list[Running] = field(default_factory=list)
    limit: int = 100
    """Most requests at a time in each worker of its pools."""

    @property
    def host(self) -> str:
        return f"t{self.number}.example.com"

    def key(self, name: str = "pool") -> str:
        return f"t{self.number}/{name}"

    def worker(self, name: str = "w1", *, start: bool = True) -> Running:
        """A new worker process; the operator does not know of it yet."""
        made = Running(Worker(name=name, address="127.0.0.1", port=free_ports(1)[0]))
        self.running.append(made)
        if start:
            made.start()
        return made

    async def pool(self, name: str = "pool", *, workers: tuple[Running, ...] = (), **fields: object) -> None:
        """Put or change a pool, and wait until HAProxy has it."""
        await self.put(self.described(name, workers, fields))

    def described(self, name: str, workers: tuple[Running, ...], fields: dict[str, object]) -> Pool:
        known = tuple(one.worker for one in workers)
        return Pool.model_validate({"key": self.key(name), "workers": known, "worker_limit": self.limit, **fields})

    async def site(self, **paths: str) -> None:
        """The test's site: its applications' paths by pool, `pool="/"` when nothing is said."""
        await self.put(self.sited(Affinity.NONE, paths or {"pool": "/"}))

    async def affine_site(self) -> None:
        """The same, whose clients keep to their workers."""
        await self.put(self.sited(Affinity.COOKIE, {"pool": "/"}))

    def sited(self, affinity: Affinity, paths: dict[str, str]) -> Site:
        applications = tuple(
            Application(path=path, pool=self.key(pool), affinity=affinity) for pool, path in paths.items()
        )
        return Site(key=self.key("site"), bindings=(Binding(port=80, host=self.host),), applications=applications)

    async def drain(self, worker: Running, *others: Running) -> None:
        """Take a worker of the pool out of service; the pool has these others."""
        worker.becomes(WorkerState.DRAINING)
        await self.pool(workers=(worker, *others))

    async def take_back(self, worker: Running, *others: Running) -> None:
        worker.becomes(WorkerState.ACTIVE)
        await self.pool(workers=(worker, *others))

    async def put(self, *things: Pool | Site) -> None:
        version = self.operator.put(*things)
        await until(lambda: all(self.operator.has(thing.key, version) for thing in things))

    async def serving(self, *workers: Running, pool: str = "pool") -> None:
        for one in workers:
            await self.state(one, WorkerStatus.SERVING, pool=pool)

    async def state(self, worker: Running, status: WorkerStatus, *, pool: str = "pool") -> None:
        """Wait until the listener says so of a worker."""
        await until(lambda: self.operator.state(self.key(pool), worker.worker.name) == status)

    async def drained(self, worker: Running) -> None:
        await self.state(worker, WorkerStatus.DRAINED)

    async def demanded(self, pool: str = "pool") -> None:
        """Wait until the operator has heard that somebody waits."""
        await until(lambda: self.operator.demands[self.key(pool)] > 0)

    async def queued(self, count: int, pool: str = "pool") -> None:
        await until(lambda: (found := self.operator.reports.get(self.key(pool))) and found.queued == count)

    async def counted(self, worker: Running, requests: int) -> None:
        """Wait until the operator knows of exactly so many requests in all."""
        name = worker.worker.name
        await until(lambda: (found := self.operator.worker(self.key(), name)) and found.requests == requests)

    async def in_flight(self, worker: Running, count: int) -> None:
        name = worker.worker.name
        await until(lambda: (found := self.operator.worker(self.key(), name)) and found.in_flight == count)

    async def saved(self) -> None:
        """Wait until the table is on disk as the operator has it."""
        known = list(self.operator.pools.values()), list(self.operator.sites.values())

        def same() -> bool:
            found = state.load(self.node.run / "state.json")
            return found is not None and (list(found.pools), list(found.sites)) == known

        await until(same)

    async def runs(self, worker: Running, count: int = 1) -> None:
        """Wait until the worker has so many requests in its hands, by its own account."""

        async def check() -> bool:
            return (await worker.counters())["running"] == count

        await until_async(check)

    async def up(self, *workers: Running, **fields: object) -> None:
        """A site with one pool that these workers serve."""
        await self.put(self.described("pool", workers, fields))
        await self.site()
        await self.serving(*workers)

    def backend(self, pool: str = "pool") -> str:
        """A pool's name in HAProxy."""
        return backend(self.key(pool))

    def routed(self) -> bool:
        """Whether HAProxy knows the test's host."""
        return self.host in self.node.ask(f"show map {self.node.run}/maps/hosts.map")

    def servers(self, pool: str = "pool") -> set[str]:
        """What HAProxy has in a pool's backend, the bell among it; nothing when there is no backend."""
        found = self.node.ask(f"show servers state {self.backend(pool)}")
        return {line.split()[3] for line in found.splitlines()[2:] if len(line.split()) > 4}

    def waiting(self, pool: str = "pool") -> int:
        """How many wait, the one that rings among them, by HAProxy's own account."""
        found = self._found(pool)
        return found.queued + (1 if found.rings else 0)

    def in_queue(self, pool: str = "pool") -> int:
        return self._found(pool).queued

    def _found(self, pool: str = "pool") -> Backend:
        name = self.backend(pool)
        return backends(self.node.ask(f"show stat {name} 6 -1")).get(name, Backend())

    def worker_limit(self, worker: Running) -> int:
        """Of a worker of the pool, by HAProxy's own account."""
        return self._found().servers[worker.worker.name].limit

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.node.port}{path}"

    def session(self) -> aiohttp.ClientSession:
        """A client whose requests go to the test's site."""
        connector = aiohttp.TCPConnector(limit=0)
        return aiohttp.ClientSession(
            self.url(), headers={"Host": self.host}, connector=connector, timeout=aiohttp.ClientTimeout(total=60)
        )

    def end(self) -> None:
        for one in self.running:
            one.kill()
        mine = f"t{self.number}/"
        if self.operator.linked:
            self.operator.remove(
                pools=tuple(key for key in self.operator.pools if key.startswith(mine)),
                sites=tuple(key for key in self.operator.sites if key.startswith(mine)),
            )
