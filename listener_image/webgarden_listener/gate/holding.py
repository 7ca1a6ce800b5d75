"""What the gate holds, and when it lets go.

A request leaves in one of four ways: carried to a worker that has room for it; refused, because the pool is stopped or
gone; refused, because it waited too long; or its client went away. It is never handed back to HAProxy, which could send
again only what ends with its head, and would keep a copy of every request of every pool for that.

Of a pool whose workers take one request at a time the gate carries the next one when the last has ended, for as long as
others wait: a place that HAProxy has is one that the gate has not.

While the agent is away the gate acts on what it heard last.
A client that goes while more of its body is under way than all buffers take (some 600 KB) is noticed by nobody before
the wait is over: HAProxy does not read from it then.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from webgarden_listener.gate.head import Head
from webgarden_listener.gate.proxy import Origin
from webgarden_listener.gate.views import Hand, Orders, PoolView, WorkerView
from webgarden_listener.haproxy.names import pool_of

SUSPECT = 0.2
"""Seconds without another try after a worker that was called ready refused a connection."""
DEFAULT_TIMEOUT = 120.0


@dataclass
class PoolHand:
    """What of one pool is here now, and what ever was."""

    waiting: int = 0
    rejected: int = 0
    spliced: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    pulse: asyncio.Event = field(default_factory=asyncio.Event)
    """Set, and replaced, whenever something that a waiting request waits for may have come."""


@dataclass(frozen=True)
class Request:
    origin: Origin
    head: Head

    @property
    def pool(self) -> str:
        return pool_of(self.origin.backend) or ""


@dataclass(frozen=True)
class Carry:
    """Take it there."""

    worker: WorkerView


@dataclass(frozen=True)
class Refuse:
    reason: str
    retry_after: int


@dataclass(frozen=True)
class Wait:
    seconds: float


Decision = Carry | Refuse | Wait


class Hands:
    """Everything that the gate knows and holds."""

    def __init__(self, *, boot: str, clock: Callable[[], float] = time.time) -> None:
        self.boot = boot
        self._clock = clock
        self._whole = False
        self._views: dict[str, PoolView] = {}
        self._hands: dict[str, PoolHand] = {}
        self._suspects: dict[tuple[str, str, int], float] = {}
        """Workers that refused a connection, and until when they are left alone."""

    def hand(self, pool: str) -> PoolHand:
        return self._hands.setdefault(pool, PoolHand())

    def obey(self, said: Orders) -> None:
        """Take in what the agent says, and let every request that may be concerned look again."""
        new = {key: view for key, view in said.pools.items() if view is not None}
        self._whole = self._whole or said.whole
        gone = said.pools.keys() - new.keys()
        kept = {} if said.whole else {key: view for key, view in self._views.items() if key not in gone}
        self._views = {**kept, **new}
        self._tidy()
        for pool in list(self._hands) if said.whole else said.pools:
            self.wake(pool)

    def _tidy(self) -> None:
        """Forget the counts of workers and pools that are gone: every pod has a name of its own, for ever."""
        for key, hand in list(self._hands.items()):
            view = self._views.get(key)
            names = {worker.name for worker in view.workers} if view else set()
            for worker in [name for name in hand.requests if name not in names and not hand.spliced[name]]:
                del hand.requests[worker], hand.spliced[worker]
            if view is None and not hand.waiting and not any(hand.spliced.values()):
                del self._hands[key]

    def wake(self, pool: str) -> None:
        if pool in self._hands:
            self._hands[pool].pulse.set()
            self._hands[pool].pulse = asyncio.Event()

    def decide(self, request: Request, *, since: float) -> Decision:
        """What to do with a request now; `since` is when it began to wait, in this clock."""
        view = self._views.get(request.pool)
        if view is None and self._whole:
            return Refuse("PoolMissing", 1)
        if view is not None and view.stopped:
            return Refuse(view.stopped, view.retry_after)
        worker = self._free(request.pool, view) if view is not None else None
        if worker is not None:
            return Carry(worker)
        left = since + (view.queue_timeout if view is not None else DEFAULT_TIMEOUT) - self._clock()
        return Wait(left) if left > 0 else Refuse("QueueTimeout", 1)

    def _free(self, pool: str, view: PoolView) -> WorkerView | None:
        """The worker with room that has the fewest of our requests."""
        spliced = self.hand(pool).spliced
        free = (one for one in view.workers if not self._suspected(one) and one.room > spliced[one.name])
        return min(free, key=lambda one: spliced[one.name], default=None)

    def refused_by(self, worker: WorkerView) -> None:
        """The worker was called ready and is not: the agent will find out too."""
        now = self._clock()
        self._suspects = {one: until for one, until in self._suspects.items() if until > now}
        self._suspects[worker.endpoint] = now + SUSPECT

    def _suspected(self, worker: WorkerView) -> float:
        """For how many seconds more."""
        return max(0.0, self._suspects.get(worker.endpoint, 0.0) - self._clock())

    def suspicion(self, request: Request) -> float | None:
        """Seconds until a worker of the request's pool may be tried again."""
        view = self._views.get(request.pool)
        times = [left for one in view.workers if (left := self._suspected(one))] if view else []
        return max(0.01, min(times)) if times else None

    def knows(self, pool: str, worker: str) -> bool:
        """Whether a request may still run on the worker."""
        view = self._views.get(pool)
        return view is not None and any(one.name == worker for one in view.workers)

    def level(self, pool: str) -> Hand:
        hand = self.hand(pool)
        running = {name: count for name, count in hand.spliced.items() if count}
        return Hand(pool, hand.waiting, running, dict(hand.requests), hand.rejected, self.boot)

    def levels(self) -> list[Hand]:
        return [self.level(pool) for pool in self._hands]
