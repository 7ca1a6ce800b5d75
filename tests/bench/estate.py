"""A listener on loopback with very many pools and sites, by number, and what is timed with one of them.

One pool in `WARM` has workers, all others sleep. Every thing that is timed takes a pool that no other one has used.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from itertools import count

from tests.bench.loopback import ADDRESS, SELDOM, Loopback, milliseconds
from tests.e2e.asking import ask
from tests.e2e.clients import Clients

from webgarden_link import Application, Binding, Pool, Site, Worker, WorkerState, WorkerStatus
from webgarden_listener.haproxy.names import backend
from webgarden_listener.haproxy.stats import backends

WARM = 5
WORKERS = 3
"""Of a pool that has some."""
LIMIT = 100
"""Requests in one of them at a time, over all listeners."""
BUSY = 10
"""Pools with traffic."""
RATE = 30
"""Requests a second to each."""
ASKING = 0.002
"""Seconds between two requests that find out whether a site is there."""
WATCHED = 10
"""Pools whose limits are looked at when they are halved, and the last one besides."""


class Estate:
    """Pools that have workers are the numbers that `WARM` divides; the first of them have the traffic."""

    def __init__(self, on: Loopback, size: int) -> None:
        self.on = on
        self.size = size
        self._new = count(size)
        self._cold = (number for number in range(size) if number % WARM)
        self._idle = iter(range(BUSY * WARM, size, WARM))

    def plant(self) -> None:
        """All of it is in the operator's next table."""
        for number in range(self.size):
            pool, site = self.pool(number, 0 if number % WARM else WORKERS), _site(number)
            self.on.operator.pools[pool.key] = pool
            self.on.operator.sites[site.key] = site

    @property
    def warm(self) -> list[str]:
        """Keys of the pools that have workers, in their order."""
        return sorted(_key(number) for number in range(0, self.size, WARM))

    def pool(self, number: int, workers: int) -> Pool:
        known = (Worker(name=f"w{one}", address=ADDRESS, port=self.on.port) for one in range(workers))
        return Pool(key=_key(number), worker_limit=LIMIT, workers=tuple(known))

    def serves(self) -> bool:
        """Whether the listener has said of every worker that it serves."""
        reports = self.on.operator.reports
        found = (reports.get(key) for key in self.warm)
        return all(one and {w.state for w in one.workers} == {WorkerStatus.SERVING} for one in found)

    def live(self) -> float:
        """A pool with a worker and its site: until a request is answered."""
        number = next(self._new)
        return milliseconds(
            lambda: self.on.operator.put(self.pool(number, 1), _site(number)),
            lambda: ask(self.on.place, _host(number)).status == 200,
            look=ASKING,
        )

    def demand(self) -> float:
        """A request to a pool that sleeps: until the operator has heard that somebody waits."""
        number = next(self._cold)
        place, demands = self.on.place, self.on.operator.demands
        with socket.socket() as client:

            def request() -> None:
                client.connect((place.address, place.port))
                client.sendall(f"GET / HTTP/1.1\r\nHost: {_host(number)}\r\n\r\n".encode())

            return milliseconds(request, lambda: demands[_key(number)])

    def drain(self) -> float:
        """A worker that has nothing to do: until the operator has heard that it is drained."""
        first, *others = self.pool(number := next(self._idle), WORKERS).workers
        leaving = first.model_copy(update={"state": WorkerState.DRAINING})
        changed = self.pool(number, 0).model_copy(update={"workers": (leaving, *others)})
        return milliseconds(
            lambda: self.on.operator.put(changed),
            lambda: self.on.operator.state(changed.key, first.name) == WorkerStatus.DRAINED,
        )

    def halve(self) -> float:
        """A second listener: until the workers' limits in this one are halved.

        The pool that comes last is looked at first: to look costs HAProxy milliseconds, which the agent waits for.
        """
        watched = [self.warm[-1], *self.warm[:: max(1, len(self.warm) // WATCHED)]]
        return milliseconds(lambda: self.on.operator.share(2), lambda: all(map(self._halved, watched)), look=SELDOM)

    def _halved(self, key: str) -> bool:
        name = backend(key)
        found = backends(self.on.node.ask(f"show stat {name} 4 -1"))[name]
        return {server.limit for server in found.servers.values()} == {LIMIT // 2}

    def clients(self) -> Iterable[Clients]:
        place = self.on.place
        for number in range(0, BUSY * WARM, WARM):
            yield Clients(address=place.address, port=place.port, host=_host(number), connections=1, rate=RATE)


def _key(number: int) -> str:
    return f"scale/p{number}"


def _host(number: int) -> str:
    return f"s{number}.test"


def _site(number: int) -> Site:
    bindings = (Binding(port=80, host=_host(number)),)
    return Site(key=f"scale/s{number}", bindings=bindings, applications=(Application(path="/", pool=_key(number)),))
