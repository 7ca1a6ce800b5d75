"""One listener with very many pools and sites: what it costs to have them, and how long what happens to one of them takes.

On loopback and without a cluster. Each round is a listener of its own, since a process keeps memory that it once had.
Bounded: so many pools, samples and requests a second, and a deadline for each wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from tests.bench.estate import BUSY, RATE, WARM, WORKERS, Estate
from tests.bench.figures import Figure, Goal, Report, Row, at_most
from tests.bench.loopback import SELDOM, Usage, loopback, milliseconds
from tests.e2e.traffic import traffic

TITLE = "A listener with many pools"
USUAL = (1_000,)
WHOLE = (1_000, 5_000)
SAMPLES = 10
"""In a round."""
SETTLING = 3.0
RESTING = 5.0
"""Seconds in which the CPU is watched."""


@dataclass(frozen=True)
class Delays:
    """Milliseconds, a figure each time."""

    demand: tuple[float, ...]
    live: tuple[float, ...]
    drain: tuple[float, ...]


@dataclass(frozen=True)
class State:
    """Without traffic or with it."""

    agent: float
    """CPU, in percent of a core."""
    haproxy: float
    delays: Delays


@dataclass(frozen=True)
class Round:
    ready: float
    """Seconds."""
    serving: float
    kilobytes: float
    """For each pool and each worker."""
    haproxy_kilobytes: float
    """HAProxy's part of them."""
    rest: State
    traffic: State
    failed: int
    halved: float
    """Seconds."""


def run(rounds: int) -> Report:
    return _report({size: [_round(size) for _ in range(rounds)] for size in USUAL})


def run_whole(rounds: int) -> Report:
    return _report({size: [_round(size) for _ in range(rounds)] for size in WHOLE})


def _round(size: int) -> Round:
    with loopback() as on:
        estate = Estate(on, size)
        estate.plant()
        before = on.usage()
        began = time.monotonic()
        ready = milliseconds(on.operator.greet, lambda: on.node.status("/readyz") == 200, look=SELDOM) / 1000
        milliseconds(lambda: None, estate.serves, look=SELDOM)
        serving = time.monotonic() - began
        time.sleep(SETTLING)
        grown = _kilobytes(before, on.usage(), things=size + WORKERS * len(estate.warm))
        rest = _state(estate)
        with traffic(*estate.clients()) as running:
            running.answered(BUSY * RATE)
            busy = _state(estate)
            failed = running.end().failed
        return Round(ready, serving, sum(grown.values()), grown["haproxy"], rest, busy, failed, estate.halve() / 1000)


def _kilobytes(before: Mapping[str, Usage], after: Mapping[str, Usage], *, things: int) -> dict[str, float]:
    """What each part has grown by, for each of the things that have come."""
    return {part: (after[part].memory - before[part].memory) / 1024 / things for part in before}


def _state(estate: Estate) -> State:
    before = estate.on.usage()
    time.sleep(RESTING)
    spent = {part: usage.percent(before[part]) for part, usage in estate.on.usage().items()}
    return State(spent["agent"], spent["haproxy"], _delays(estate))


def _delays(estate: Estate) -> Delays:
    def several(one: Callable[[], float]) -> tuple[float, ...]:
        return tuple(one() for _ in range(SAMPLES))

    # Demand first: a change makes the agent write its table down, which would be in the way of it.
    return Delays(demand=several(estate.demand), live=several(estate.live), drain=several(estate.drain))


def _report(found: Mapping[int, list[Round]]) -> Report:
    rows = {size: list(_rows(f"{size:,} pools", rounds)) for size, rounds in found.items()}
    largest = rows[max(rows)]
    how = (
        f"One listener on loopback, a site for each pool; one pool in {WARM} has {WORKERS} workers, which one process "
        f"plays, the others have none. Traffic: {BUSY * RATE} requests a second to {BUSY} of the pools. CPU over "
        f"{RESTING:g} s. Memory: resident set, over that before the table came. Every round is a new listener. Clients, the "
        "operator that is played and the workers share the machine's cores."
    )
    return Report(TITLE, how, tuple(row for some in rows.values() for row in some), _summary(largest))


def _summary(rows: Iterable[Row]) -> tuple[str, ...]:
    return tuple(row.what for row in rows if row.goal and "traffic" not in row.what)


def _rows(pools: str, rounds: list[Round]) -> Iterator[Row]:
    def figure(value: Callable[[Round], float]) -> Figure:
        return Figure.of(map(value, rounds))

    yield Row(f"{pools}: table -> ready, s", figure(lambda r: r.ready))
    yield Row(f"{pools}: table -> all workers serve, s", figure(lambda r: r.serving))
    kilobytes, part = figure(lambda r: r.kilobytes), figure(lambda r: r.haproxy_kilobytes)
    what = f"{pools}: memory for each pool and each worker, KB"
    yield Row(what, kilobytes, "HAProxy's part", part, at_most(40, "KB"))
    rest, traffic = [r.rest for r in rounds], [r.traffic for r in rounds]
    yield _cpu(f"{pools}: CPU of the agent at rest, % of a core", rest, goal=at_most(2, "%"))
    yield _cpu(f"{pools}: CPU of the agent with traffic, % of a core", traffic)
    yield from _delayed(pools, rest=[s.delays for s in rest], traffic=[s.delays for s in traffic])
    yield Row(f"{pools}: failed requests of the traffic", figure(lambda r: r.failed), goal=at_most(0))
    yield Row(f"{pools}: a second listener -> limits halved, s", figure(lambda r: r.halved))


def _cpu(what: str, states: list[State], *, goal: Goal | None = None) -> Row:
    agent, haproxy = Figure.of(s.agent for s in states), Figure.of(s.haproxy for s in states)
    return Row(what, agent, "HAProxy", haproxy, goal)


def _delayed(pools: str, *, rest: list[Delays], traffic: list[Delays]) -> Iterator[Row]:
    kinds: tuple[tuple[str, Callable[[Delays], Iterable[float]], Goal | None], ...] = (
        ("a client's connect -> demand at the operator, ms", lambda delays: delays.demand, at_most(5, "ms")),
        ("a new pool and its site -> live, ms", lambda delays: delays.live, at_most(200, "ms")),
        ("an idle worker to be drained -> confirmed, ms", lambda delays: delays.drain, None),
    )
    for what, samples, goal in kinds:
        alone, busy = (Figure.of(one for delays in some for one in samples(delays)) for some in (rest, traffic))
        yield Row(f"{pools}: {what}", alone, "with traffic", busy, goal)
