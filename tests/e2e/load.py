"""The load client: keeps connections busy, checks every body, and counts every failure by its kind.

A program of its own (`python -m tests.e2e.load '[{...}, ...]'`), so that neither the test nor the client slows the other.
Bounded in connections, requests and time; ends at once when its standard input does. It prints one JSON line twice a
second and a last one.

Kinds of failure: `connect` (no connection), `reset` (it ended before the answer did), `timeout`, `body` (another one than
was asked for), `malformed`, `closed` with a code and `cut` (a WebSocket, with a goodbye and without), and the status with
the listener's reason for everything that is not 200.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.e2e.clients import Clients
from tests.e2e.conversation import Conversation
from tests.e2e.exchange import Answered, Exchange, Failed, Http
from tests.e2e.losses import Loss

KEPT_EXAMPLES = 10
KEPT_LATENCIES = 200_000
KEPT_LOSSES = 10_000


@dataclass
class Counts:
    label: str
    ok: int = 0
    sent: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    processes: Counter[str] = field(default_factory=Counter)
    """Answers by the worker that gave them."""
    latencies: list[float] = field(default_factory=list)

    def fail(self, loss: Loss) -> None:
        self.failures[loss.kind] += 1
        if len(self.examples) < KEPT_EXAMPLES:
            self.examples.append(f"{time.strftime('%H:%M:%S')} {loss}")
        if len(self.losses) < KEPT_LOSSES:
            self.losses.append(loss)

    def succeed(self, answered: Answered, seconds: float) -> None:
        self.ok += 1
        self.processes[answered.process] += 1
        if len(self.latencies) < KEPT_LATENCIES:
            self.latencies.append(seconds)

    def as_dict(self) -> dict[str, Any]:
        ordered = sorted(self.latencies)
        marks = {name: _quantile(ordered, q) for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
        failures, processes = dict(self.failures), dict(self.processes)
        said = {"label": self.label, "ok": self.ok, "failures": failures, "processes": processes}
        return {**said, "examples": self.examples, "losses": [asdict(loss) for loss in self.losses], **marks}


def _quantile(ordered: list[float], q: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 4) if ordered else 0.0


class Run:
    """All connections of one `Clients`."""

    def __init__(self, clients: Clients, stop: asyncio.Event) -> None:
        self.counts = Counts(clients.label)
        self._clients = clients
        self._stop = stop
        self._deadline = time.monotonic() + clients.seconds
        self._next = time.monotonic()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._clients.connections):
                tasks.create_task(self._connection())

    def _more(self) -> bool:
        left = self.counts.sent < self._clients.requests and time.monotonic() < self._deadline
        return left and not self._stop.is_set()

    async def _pace(self) -> None:
        """Wait for the next slot; slots are given out over all connections."""
        if not self._clients.rate:
            return
        now = time.monotonic()
        self._next = max(self._next, now - 1.0) + 1.0 / self._clients.rate
        if self._next > now:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._next - now)

    async def _connection(self) -> None:
        exchange: Exchange | None = None
        well = 0.0
        while self._more():
            await self._pace()
            if not self._more():
                break
            self.counts.sent += 1
            began = time.monotonic()
            kept = False
            try:
                async with asyncio.timeout(self._clients.patience):
                    if exchange is None:
                        well = began
                        exchange = await self._open()
                    answered = await exchange.once()
            except (Failed, OSError, asyncio.IncompleteReadError) as error:
                self._failed(error, well, exchange)
            else:
                well = time.monotonic()
                self.counts.succeed(answered, well - began)
                kept = answered.kept
            exchange = await _keep(exchange, kept=kept)
        await _keep(exchange, kept=False)

    async def _open(self) -> Exchange:
        return await (Conversation if self._clients.method == "WS" else Http).open(self._clients)

    def _failed(self, error: Exception, well: float, exchange: Exchange | None) -> None:
        failed = _failure(error)
        now = time.monotonic()
        self.counts.fail(
            Loss(
                since=well,
                ended=now,
                host=self._clients.host,
                label=self._clients.label,
                kind=failed.kind,
                detail=f"{failed.detail}, {now - well:.3f} s after it was well",
                identity=exchange.identity if exchange else "",
            )
        )


def _failure(error: Exception) -> Failed:
    if isinstance(error, Failed):
        return error
    return Failed("timeout" if isinstance(error, TimeoutError) else "reset", repr(error))


async def _keep(exchange: Exchange | None, *, kept: bool) -> Exchange | None:
    if exchange is None or kept:
        return exchange
    with contextlib.suppress(OSError):
        await exchange.close()
    return None


async def main(specification: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), stop.set)
    runs = [Run(Clients(**clients), stop) for clients in json.loads(specification)]
    reporting = asyncio.create_task(_report(runs))
    await asyncio.gather(*(run.run() for run in runs))
    reporting.cancel()
    print(json.dumps({"final": True, "counts": [run.counts.as_dict() for run in runs]}), flush=True)


async def _report(runs: list[Run]) -> None:
    while True:
        totals = {"ok": sum(r.counts.ok for r in runs), "failed": sum(r.counts.failures.total() for r in runs)}
        print(json.dumps({"final": False, **totals}), flush=True)
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
