"""One whole listener on loopback, without a cluster: HAProxy and agent are the real ones, operator and workers are played.

The workers are one process of their own and the operator is a thread of this one, so a moment at which the operator hears
something is seen here to half a millisecond.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.processes import resident
from tests.e2e.asking import Place
from tests.listener.fake_operator import FakeOperator
from tests.listener.node import PARTS, Node

ADDRESS = "127.0.0.1"
PROGRAM = Path(__file__).parent / "programs/anybody.py"
OFTEN, SELDOM = 0.0005, 0.02
"""Seconds between two looks: at what the operator has heard, and at what HAProxy has to be asked for."""
PATIENCE = 120.0
LAST = 3000
"""Characters of the listener's log."""


@dataclass(frozen=True)
class Usage:
    """Of one part of the listener."""

    at: float
    seconds: float
    """Of CPU, ever; its supervisor's are among them."""
    memory: int
    """Bytes, without its supervisor."""

    def percent(self, before: Usage) -> float:
        """Of a core."""
        return 100 * (self.seconds - before.seconds) / (self.at - before.at)


@dataclass(frozen=True)
class Loopback:
    operator: FakeOperator
    node: Node
    port: int
    """Where every worker answers."""

    @property
    def place(self) -> Place:
        """Where clients ask."""
        return Place(ADDRESS, self.node.port)

    def usage(self) -> dict[str, Usage]:
        """By part: `haproxy` and `agent`."""
        return {part: self._usage(part) for part in PARTS}

    def _usage(self, part: str) -> Usage:
        process = Path(f"/proc/{self.node.below(part)}")
        return Usage(time.monotonic(), self.node.cpu(part), resident(process))


@contextmanager
def loopback() -> Iterator[Loopback]:
    """The listener runs, and waits for the operator to `greet` it."""
    with _operator() as operator, _node(operator.url) as node, _workers() as port:
        milliseconds(lambda: None, lambda: operator.hellos and node.status("/healthz") == 200, look=SELDOM)
        yield Loopback(operator, node, port)


@contextmanager
def _operator() -> Iterator[FakeOperator]:
    operator = FakeOperator()
    operator.silent = True
    operator.start()
    try:
        yield operator
    finally:
        operator.close()


@contextmanager
def _node(url: str) -> Iterator[Node]:
    """It writes a line for each pool and each worker, so the last ones are shown, and only when something is wrong."""
    node = Node(url)
    try:
        node.start()
        yield node
    except AssertionError:
        print(node.said()[-LAST:])
        raise
    finally:
        for part in list(node.processes):
            node.kill(part)
        shutil.rmtree(node.directory)


@contextmanager
def _workers() -> Iterator[int]:
    with subprocess.Popen([sys.executable, str(PROGRAM)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.kill()


def milliseconds(action: Callable[[], object], done: Callable[[], object], *, look: float = OFTEN) -> float:
    """From the beginning of the one until the other is so; `look`: seconds from one look at it to the next."""
    began = time.perf_counter()
    action()
    while not done():
        assert time.perf_counter() - began < PATIENCE, f"not within {PATIENCE:g} s"
        time.sleep(look)
    return 1000 * (time.perf_counter() - began)
