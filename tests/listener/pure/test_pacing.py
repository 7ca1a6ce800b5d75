"""When a pool is looked at again, in virtual time."""

from __future__ import annotations

import pytest

from webgarden_listener.pacing import MANY, SLOWEST_DRAIN, Pace
from webgarden_listener.settings import Timing

TIMING = Timing(poll=1.0, drain_poll=0.02)


def test_a_pool_that_nobody_asks_for_is_not_looked_at() -> None:
    pace = Pace(TIMING)
    pace.seen("n/p", 0.0, busy=False, drains=False)
    assert pace.due(1000.0) == []


def test_which_pools_were_used_is_asked_each_poll() -> None:
    pace = Pace(TIMING)
    assert [now for now in (0.0, 0.5, 1.0, 1.9, 2.0) if pace.poll_due(now)] == [0.0, 1.0, 2.0]


def test_a_pool_that_was_asked_for_is_looked_at_now_and_once_more() -> None:
    pace = Pace(TIMING)
    pace.used(["n/p"], 0.0)
    assert pace.due(0.0) == ["n/p"]
    pace.seen("n/p", 0.0, busy=False, drains=False)
    assert (pace.due(0.9), pace.due(1.0)) == ([], ["n/p"])
    pace.seen("n/p", 1.0, busy=False, drains=False)
    assert pace.due(1000.0) == []


def test_a_busy_pool_is_looked_at_each_poll_and_less_often_when_there_are_many() -> None:
    pace = Pace(TIMING)
    pace.seen("n/p", 0.0, busy=True, drains=False)
    assert (pace.due(0.9), pace.due(1.0)) == ([], ["n/p"])
    for number in range(MANY):
        pace.seen(f"n/{number}", 1.0, busy=True, drains=False)
    pace.seen("n/p", 1.0, busy=True, drains=False)
    assert "n/p" not in pace.due(2.9)
    assert "n/p" in pace.due(3.0)


def test_a_pool_that_drains_is_looked_at_often_at_first_and_then_by_its_patience() -> None:
    pace = Pace(TIMING)
    now, pauses = 0.0, []
    for _ in range(300):
        pace.seen("n/p", now, busy=True, drains=True)
        pause = next(step / 1000 for step in range(1000) if pace.drains_due(now + step / 1000))
        pauses.append(pause)
        now += pause
    assert pauses[0] == pytest.approx(0.02, abs=0.001)
    assert pauses == sorted(pauses)
    assert pauses[-1] == pytest.approx(SLOWEST_DRAIN, abs=0.002)


def test_a_pool_that_is_forgotten_is_never_due() -> None:
    pace = Pace(TIMING)
    pace.used(["n/p"], 0.0)
    pace.seen("n/p", 0.0, busy=True, drains=True)
    pace.forget("n/p")
    assert (pace.due(1000.0), pace.drains_due(1000.0)) == ([], [])


def test_the_pause_ends_with_whatever_is_due_first() -> None:
    pace = Pace(TIMING)
    assert pace.poll_due(10.0)
    assert pace.pause(10.0) == pytest.approx(1.0)
    pace.seen("n/p", 10.0, busy=True, drains=True)
    assert pace.pause(10.0) == pytest.approx(0.02)
    assert pace.pause(99.0) == 0.0
