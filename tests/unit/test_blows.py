"""When the blows of a storm fall and how long each lasts, in virtual time."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import islice

import pytest
from tests.e2e.attribution import Kind
from tests.e2e.storm import BECOMES_POSSIBLE, PAUSES, Clock, Storm, Strike, Struck, schedule

KINDS = (Kind.AGENT_KILLED, Kind.HAPROXY_KILLED, Kind.RECYCLE)


@dataclass
class Time:
    now: float = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)


@dataclass
class Victims:
    """Each is back `lasting` seconds after it was hit, and cannot be hit before `since`."""

    time: Time
    lasting: float = 0.0
    since: float = 0.0
    hit: list[tuple[float, Kind]] = field(default_factory=list)

    def strike(self, kind: Kind) -> Strike:
        def struck(_chance: random.Random) -> Struck | None:
            now = self.time.now
            if now < self.since:
                return None
            self.hit.append((now, kind))
            return Struck("it", lambda: self.time.now >= now + self.lasting)

        return struck


def storm(victims: Victims, seed: int = 1) -> Storm:
    return Storm({kind: victims.strike(kind) for kind in KINDS}, seed, victims.time.clock)


def test_the_same_seed_is_the_same_storm_and_another_is_another() -> None:
    found = []
    for seed in (1, 1, 2):
        victims = Victims(Time())
        storm(victims, seed).rage(60)
        found.append(victims.hit)
    assert found[0] == found[1] != found[2]


def test_all_kinds_fall_before_one_falls_again() -> None:
    blows = list(islice(schedule(random.Random(3), KINDS), 9))
    assert [{kind for _, kind in blows[n : n + 3]} for n in (0, 3, 6)] == [set(KINDS)] * 3
    assert all(PAUSES[0] <= pause <= PAUSES[1] for pause, _ in blows)


def test_a_storm_goes_on_until_its_time_is_over() -> None:
    victims = Victims(Time())
    storm(victims).rage(60)
    assert victims.hit[-1][0] + PAUSES[1] >= 1060 and victims.time.now < 1061 + PAUSES[1]


def test_each_kind_falls_once_though_the_time_is_over() -> None:
    victims = Victims(Time())
    storm(victims).rage(0)
    assert sorted(kind for _, kind in victims.hit) == sorted(KINDS)


def test_a_blow_that_is_not_possible_yet_is_waited_for_and_none_is_left_out() -> None:
    victims = Victims(Time(), since=1100.0)
    storm(victims).rage(0)
    assert victims.hit[0][0] == pytest.approx(1100, abs=0.2)
    assert len(victims.hit) == len(KINDS)


def test_a_blow_that_never_becomes_possible_is_a_failure() -> None:
    victims = Victims(Time(), since=1000 + 2 * BECOMES_POSSIBLE)
    with pytest.raises(AssertionError, match="to be possible"):
        storm(victims).rage(0)


def test_blows_overlap_and_each_lasts_until_what_it_hit_is_back() -> None:
    victims = Victims(Time(), lasting=20.0)
    raging = storm(victims)
    raging.rage(0)
    assert [blow.begin for blow in raging.blows] == [at for at, _ in victims.hit]
    assert [blow.end - blow.begin for blow in raging.blows] == pytest.approx([20.0] * 3, abs=0.2)
    assert raging.blows[1].begin < raging.blows[0].end


def test_what_never_comes_back_is_a_failure_that_names_it() -> None:
    with pytest.raises(AssertionError, match=r"the last blow to be over; under way: .*recycle it"):
        storm(Victims(Time(), lasting=1e9)).rage(0)
