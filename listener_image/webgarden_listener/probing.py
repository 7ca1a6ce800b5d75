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
        self._answered = answered
        self._tasks: dict[Target, asyncio.Task[None]] = {}
        self._answering: dict[str, frozenset[Endpoint]] = {}
        self.all_answering: frozenset[Target] = frozenset()
        """The same object as long as nothing changes."""

    def watch(self, targets: Collection[Target]) -> None:
        """The workers to know of; all others are forgotten."""
        for target in self._tasks.keys() - targets:
            self._tasks.pop(target).cancel()
        if not self.all_answering <= set(targets):
            self._keep(targets)
        for target in set(targets) - self._tasks.keys() - self.all_answering:
            self._tasks[target] = asyncio.create_task(self._probe(target))

    def believe(self, target: Target) -> None:
        """Somebody else knows that this worker answers."""
        self._add(target)
        if target in self._tasks:
            self._tasks.pop(target).cancel()

    def answering(self, pool: str) -> frozenset[Endpoint]:
        return self._answering.get(pool, frozenset())

    def _add(self, target: Target) -> None:
        if target not in self.all_answering:
            self._answering[target[0]] = self.answering(target[0]) | {target[1]}
            self.all_answering |= {target}

    def _keep(self, targets: Collection[Target]) -> None:
        for pool, place in self.all_answering - set(targets):
            self._answering[pool] -= {place}
        self._answering = {pool: places for pool, places in self._answering.items() if places}
        self.all_answering &= set(targets)

    async def _probe(self, target: Target) -> None:
        began = time.monotonic()
        while not await answers(target[1][1], target[1][2]):
            pause = max(SHORTEST, PART * (time.monotonic() - began)) * (1 + len(self._tasks) / CROWD)
            await asyncio.sleep(min(LONGEST, pause))
        del self._tasks[target]
        self._add(target)
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
