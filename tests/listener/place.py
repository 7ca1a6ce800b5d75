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

from webgarden_link import Application, Binding, Pool, Site, Worker

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
        applications = tuple(
            Application(path=path, pool=self.key(pool)) for pool, path in (paths or {"pool": "/"}).items()
        )
        await self.put(
            Site(key=self.key("site"), bindings=(Binding(port=80, host=self.host),), applications=applications)
        )

    async def put(self, *things: Pool | Site) -> None:
        version = self.operator.put(*things)
        await until(lambda: all(self.operator.has(thing.key, version) for thing in things))

    async def serving(self, *workers: Running, pool: str = "pool") -> None:
        for one in workers:
            await until(lambda one=one: self.operator.state(self.key(pool), one.worker.name) == "Serving")  # type: ignore[misc]

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
