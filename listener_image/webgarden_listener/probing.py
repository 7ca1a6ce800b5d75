"""Finding the moment at which a worker answers on its port.

The kubelet's readiness comes in steps of a second and travels through the API server; a cold start waits for this
one instead. A worker that answered once is HAProxy's to check from then on. A TCP connect is all: what the worker
says is not judged.

Somebody waits for the moment, so the pause between two tries is a small part of the time that the worker has taken
already: half of it is what looking adds to a cold start, on the average. When many are looked for, each is looked at
less often.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Collection

from webgarden_listener.table import Endpoint, Target

SHORTEST, LONGEST = 0.005, 0.25
PART = 0.01
"""Of the time waited so far, between two tries."""
CROWD = 8
"""As many more workers to look for make each pause longer by itself."""
TIMEOUT = 1.0


class Probes:
    """One task for each worker that has not answered yet."""

    def __init__(self, answered: Callable[[str], None]) -> None:
        """`answered(pool)`: one of its workers answers."""
        self._answered = answered
        self._tasks: dict[Target, asyncio.Task[None]] = {}
        self._watched: dict[str, frozenset[Endpoint]] = {}
        self._answering: dict[str, set[Endpoint]] = {}

    def watch(self, pool: str, workers: Collection[Endpoint]) -> None:
        """The workers of a pool to know of; its others are forgotten."""
        wanted = frozenset(workers)
        before = self._watched.get(pool, frozenset())
        if wanted == before:
            return
        for gone in before - wanted:
            self._end((pool, gone))
            self._answering.get(pool, set()).discard(gone)
        self._watched[pool] = wanted
        for new in wanted - before:
            self._tasks[pool, new] = asyncio.create_task(self._probe((pool, new)))
        if not wanted:
            del self._watched[pool]
            self._answering.pop(pool, None)

    def believe(self, pool: str, worker: Endpoint) -> None:
        """Somebody else knows that this worker answers."""
        if worker in self._watched.get(pool, ()):
            self._answering.setdefault(pool, set()).add(worker)
            self._end((pool, worker))

    def answering(self, pool: str) -> Collection[Endpoint]:
        return self._answering.get(pool, frozenset())

    def _end(self, target: Target) -> None:
        if target in self._tasks:
            self._tasks.pop(target).cancel()

    async def _probe(self, target: Target) -> None:
        began = time.monotonic()
        while not await answers(target[1][1], target[1][2]):
            pause = max(SHORTEST, PART * (time.monotonic() - began)) * (1 + len(self._tasks) / CROWD)
            await asyncio.sleep(min(LONGEST, pause))
        del self._tasks[target]
        self._answering.setdefault(target[0], set()).add(target[1])
        self._answered(target[0])


async def answers(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            async with asyncio.timeout(TIMEOUT):
                await asyncio.get_running_loop().sock_connect(probe, (address, port))
    except (OSError, TimeoutError):
        return False
    return True
