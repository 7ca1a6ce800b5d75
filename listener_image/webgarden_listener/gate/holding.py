"""What the gate holds, and when it lets go.

A request leaves in one of five ways: back to HAProxy with `425`, which sends it to the worker under its own limits;
spliced to the worker, when HAProxy could not repeat it (a body, an upgrade), when it was sent back before, or when
the HAProxy process that sent it takes no new workers any more (an older generation, a listener that leaves);
refused, because the pool is stopped or gone; refused, because it waited too long; or its client went away.

No request is sent back twice: HAProxy has three retries and would then show the 425 to the client.
While the agent is away the gate acts on what it heard last.
A client that goes while more of its body is under way than all buffers take (some 600 KB) is noticed by nobody before
the wait is over: HAProxy does not read from it then.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from webgarden_listener.gate.head import Head
from webgarden_listener.gate.proxy import Origin
from webgarden_listener.gate.views import Hand, Orders, PoolView, WorkerView
from webgarden_listener.haproxy.names import pool_of

REMEMBERED = 10_000
SUSPECT = 0.2
"""Seconds without another try after a worker that was called ready refused a connection."""
DEFAULT_TIMEOUT = 120.0


@dataclass
class PoolHand:
    """What of one pool is here now, and what ever was."""

    waiting: int = 0
    bodies: int = 0
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

    @property
    def identity(self) -> tuple[bytes, float]:
        return self.origin.client, self.origin.arrival


@dataclass(frozen=True)
class Back:
    """Let HAProxy send it again."""


@dataclass(frozen=True)
class Carry:
    """Take it there ourselves."""

    worker: WorkerView


@dataclass(frozen=True)
class Refuse:
    reason: str
    retry_after: int


@dataclass(frozen=True)
class Wait:
    seconds: float


Decision = Back | Carry | Refuse | Wait


class Hands:
    """Everything that the gate knows and holds."""

    def __init__(self, *, stopping: Path, boot: str, clock: Callable[[], float] = time.time) -> None:
        self.boot = boot
        self._stopping = stopping
        self._clock = clock
        self._generation: str | None = None
        self._whole = False
        self._views: dict[str, PoolView] = {}
        self._hands: dict[str, PoolHand] = {}
        self._suspects: dict[WorkerView, float] = {}
        self._sent_back: OrderedDict[tuple[bytes, float], None] = OrderedDict()

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
        everybody = said.whole or said.generation != self._generation
        self._generation = said.generation
        for pool in list(self._hands) if everybody else said.pools:
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
        found = self._release(request, view) if view is not None else None
        if found is not None:
            return found
        left = since + (view.queue_timeout if view is not None else DEFAULT_TIMEOUT) - self._clock()
        return Wait(left) if left > 0 else Refuse("QueueTimeout", 1)

    def _release(self, request: Request, view: PoolView) -> Back | Carry | None:
        now = self._clock()
        fit = [one for one in view.workers if self._suspects.get(one, 0) <= now]
        if self._repeatable(request):
            return Back() if any(one.serving for one in fit) else None
        spliced = self.hand(request.pool).spliced
        free = [one for one in fit if one.room > spliced[one.name]]
        return Carry(min(free, key=lambda one: spliced[one.name])) if free else None

    def _repeatable(self, request: Request) -> bool:
        if not request.head.repeatable or request.identity in self._sent_back:
            return False
        return request.origin.generation == f"g{self._generation}" and not self._stopping.exists()

    def carries(self, request: Request) -> bool:
        """Whether the request will have to be spliced."""
        return not self._repeatable(request)

    def sent_back(self, request: Request) -> None:
        self._sent_back[request.identity] = None
        if len(self._sent_back) > REMEMBERED:
            self._sent_back.popitem(last=False)

    def refused_by(self, worker: WorkerView) -> None:
        """The worker was called ready and is not: the agent will find out too."""
        now = self._clock()
        self._suspects = {one: until for one, until in self._suspects.items() if until > now}
        self._suspects[worker] = now + SUSPECT

    def suspicion(self, request: Request) -> float | None:
        """Seconds until a worker of the request's pool may be tried again."""
        view = self._views.get(request.pool)
        times = [self._suspects[one] for one in view.workers if one in self._suspects] if view else []
        return max(0.01, min(times) - self._clock()) if times else None

    def knows(self, pool: str, worker: str) -> bool:
        """Whether a request may still run on the worker."""
        view = self._views.get(pool)
        return view is not None and any(one.name == worker for one in view.workers)

    def level(self, pool: str) -> Hand:
        hand = self.hand(pool)
        running = {name: count for name, count in hand.spliced.items() if count}
        return Hand(pool, hand.waiting, hand.bodies, running, dict(hand.requests), hand.rejected, self.boot)

    def levels(self) -> list[Hand]:
        return [self.level(pool) for pool in self._hands]
