"""The command that measures: what it needs for what it is asked, and what it says of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from tests.bench import __main__ as bench
from tests.bench import listener_scale, page
from tests.bench.bed import Bed
from tests.bench.figures import Figure, Report, Row
from tests.bench.listener_scale import Delays, Round, State

BED = cast(Bed, object())


def report(title: str) -> Report:
    return Report(title, "how", (Row("what", Figure.of([1])),))


@pytest.fixture(autouse=True)
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was installed and measured, in this order."""
    done: list[str] = []

    @contextmanager
    def bed(*, as_it_is: bool) -> Iterator[Bed]:
        done.append("release as it is" if as_it_is else "release")
        yield BED

    def of_the_release(found: Bed, rounds: int) -> Report:
        assert found is BED
        done.append(f"idle, {rounds}")
        return report("At rest")

    def alone(name: str, rounds: int) -> Report:
        done.append(f"{name}, {rounds}")
        return report(name)

    monkeypatch.setattr(bench, "bed", bed)
    monkeypatch.setattr(bench, "RELEASE", {"idle": of_the_release})
    monkeypatch.setattr(bench, "LOOPBACK", {"listener-scale": lambda rounds: alone("small", rounds)})
    monkeypatch.setattr(bench, "WHOLE", {"listener-scale": lambda rounds: alone("whole", rounds)})
    monkeypatch.setattr(page, "surroundings", lambda *_: page.Surroundings("today", "here", "these"))
    return done


def measured(folder: Path, *words: str) -> str:
    """The page that is written."""
    written = folder / "page.md"
    assert bench.main([*words, "--markdown", str(written)]) == 0
    return written.read_text()


def test_what_is_measured_on_loopback_alone_needs_no_release(tmp_path: Path, made: list[str]) -> None:
    measured(tmp_path, "--only", "listener-scale", "--rounds", "2")
    assert made == ["small, 2"]


def test_what_measures_the_release_is_given_it(tmp_path: Path, made: list[str]) -> None:
    measured(tmp_path, "--only", "listener-scale", "--only", "idle")
    assert made == ["release", "small, 4", "idle, 4"]


def test_without_a_choice_everything_is_measured(tmp_path: Path, made: list[str]) -> None:
    said = measured(tmp_path)
    assert made == ["release", "idle, 4", "small, 4"]
    assert said.index("## At rest") < said.index("## small")


def test_the_whole_of_a_benchmark_is_measured_when_asked_for_and_the_page_says_how_to_do_it_again(
    tmp_path: Path, made: list[str]
) -> None:
    said = measured(tmp_path, "--only", "listener-scale", "--whole", "--rounds", "1")
    assert made == ["whole, 1"]
    assert "again: `python -m tests.bench --rounds 1 --whole --only listener-scale`" in said


def test_a_reader_in_a_hurry_sees_the_largest_listener_s_goals_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    state = State(agent=1, haproxy=1, delays=Delays(demand=(4, 6), live=(20,), drain=(30,)))
    one = Round(ready=1, serving=2, kilobytes=30, haproxy_kilobytes=20, rest=state, traffic=state, failed=0, halved=1)
    monkeypatch.setattr(listener_scale, "_round", lambda _size: one)
    found = listener_scale.run_whole(2)
    assert len(found.rows) == 20
    assert {what.partition(":")[0] for what in found.summary} == {"5,000 pools"}
    assert {row.verdict for row in found.rows if row.what in found.summary} == {"met"}
    demand = next(row for row in found.rows if "demand" in row.what)
    assert demand.ours.samples == (4, 6, 4, 6)
