"""Blows at random but seeded moments, until the time is over and each kind has fallen at least once.

The order and the pauses are the seed's alone. A kind that is not possible just now (the other listener is not back yet) is
waited for, so a slow machine gets the same storm, later. Blows overlap: one is waited for only by what it makes impossible.
What a blow hits and how is the caller's (`strikes`), and so is the clock.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from tests.e2e.attribution import Blow, Kind

PAUSES = (0.5, 4.0)
"""Seconds between two blows, at least and at most."""
BECOMES_POSSIBLE = 180.0
"""Seconds: a listener that leaves may wait for its clients for two minutes."""
LOOK = 0.1


@dataclass(frozen=True)
class Struck:
    target: str
    over: Callable[[], bool]
    """Whether what was hit is gone, or back."""
    host: str = ""


Strike = Callable[[random.Random], Struck | None]
"""None: not possible now."""


@dataclass(frozen=True)
class Clock:
    now: Callable[[], float]
    sleep: Callable[[float], None]


def schedule(chance: random.Random, kinds: tuple[Kind, ...]) -> Iterator[tuple[float, Kind]]:
    """Pause and kind, without end: all kinds in any order, and again in another."""
    while True:
        for kind in chance.sample(kinds, len(kinds)):
            yield chance.uniform(*PAUSES), kind


class Storm:
    """Raises `AssertionError` when a blow does not become possible, or is never over."""

    def __init__(self, strikes: Mapping[Kind, Strike], seed: int, clock: Clock) -> None:
        self.blows: list[Blow] = []
        self._strikes = strikes
        self._chance = random.Random(seed)
        self._clock = clock
        self._under_way: list[tuple[Kind, Struck, float]] = []

    def rage(self, seconds: float) -> None:
        end = self._clock.now() + seconds
        coming = schedule(random.Random(self._chance.random()), tuple(self._strikes))
        for pause, kind in islice(coming, len(self._strikes)):
            self._blow(pause, kind)
        while self._clock.now() < end:
            self._blow(*next(coming))
        self._until(lambda: not self._under_way, "the last blow to be over")

    def _blow(self, pause: float, kind: Kind) -> None:
        due = self._clock.now() + pause
        self._until(lambda: self._clock.now() >= due, "its time")
        self._until(lambda: self._struck(kind), f"{kind} to be possible")

    def _struck(self, kind: Kind) -> bool:
        begin = self._clock.now()
        struck = self._strikes[kind](self._chance)
        if struck is not None:
            self._under_way.append((kind, struck, begin))
        return struck is not None

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        deadline = self._clock.now() + BECOMES_POSSIBLE
        while not condition():
            assert self._clock.now() < deadline, f"waited for {what}; under way: {self._targets()}"
            self._clock.sleep(LOOK)
            self._look()

    def _look(self) -> None:
        """Note which blows are over."""
        over = [one for one in self._under_way if one[1].over()]
        self._under_way = [one for one in self._under_way if one not in over]
        for kind, struck, begin in over:
            end = self._clock.now()
            self.blows.append(Blow(kind=kind, target=struck.target, host=struck.host, begin=begin, end=end))

    def _targets(self) -> list[str]:
        return [f"{kind} {struck.target}" for kind, struck, _ in self._under_way]
