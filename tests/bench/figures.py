"""What a benchmark gives back: rows of figures with their spread, what they are measured against, and a goal.

A figure is the median of its samples, with the smallest and the largest beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Figure:
    samples: tuple[float, ...]

    @classmethod
    def of(cls, samples: Iterable[float]) -> Figure:
        return cls(tuple(samples))

    @property
    def median(self) -> float:
        return median(self.samples)

    def __str__(self) -> str:
        if len(set(self.samples)) <= 1:
            return rounded(self.samples[0]) if self.samples else "-"
        return f"{rounded(self.median)} ({rounded(min(self.samples))}-{rounded(max(self.samples))})"


def rounded(value: float) -> str:
    """Three digits that say something: 0.0123, 1.23, 12.3, 123, 12,345."""
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 1 else f"{value:.3g}"


@dataclass(frozen=True)
class Goal:
    words: str
    met: Callable[[float], bool]


def at_most(limit: float, unit: str = "") -> Goal:
    return Goal(f"<= {rounded(limit)}{unit and ' ' + unit}", lambda value: value <= limit)


def at_least(limit: float, unit: str = "") -> Goal:
    return Goal(f">= {rounded(limit)}{unit and ' ' + unit}", lambda value: value >= limit)


@dataclass(frozen=True)
class Row:
    """One line: what it is, Webgarden's figure, and the floor's or the peer's if there is one."""

    what: str
    ours: Figure
    beside: str = ""
    """What `peer` is a figure of."""
    peer: Figure | None = None
    goal: Goal | None = None

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        return "met" if self.goal.met(self.ours.median) else "**missed**"

    @property
    def cells(self) -> Sequence[str]:
        peer = f"{self.peer} ({self.beside})" if self.peer else ""
        return (self.what, str(self.ours), peer, self.goal.words if self.goal else "", self.verdict)


@dataclass(frozen=True)
class Report:
    """What one benchmark found."""

    title: str
    how: str
    """How it was measured, in a few sentences."""
    rows: tuple[Row, ...]
    summary: tuple[str, ...] = ()
    """`what` of the rows that a reader who has ten seconds should see."""
    notes: tuple[str, ...] = ()


HEADER = ("", "Webgarden", "beside it", "goal", "")


def table(rows: Iterable[Row]) -> str:
    """Markdown."""
    lines = [HEADER, ("---",) * len(HEADER), *(row.cells for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
