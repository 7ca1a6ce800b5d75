"""Which blow of a storm explains which loss, in virtual time."""

from __future__ import annotations

import pytest
from tests.e2e.attribution import AFTERMATH, NOTHING, Blow, Kind, attribute
from tests.e2e.losses import Loss

GARDEN, OTHER = "garden.test", "other.test"
FREE = (Kind.AGENT_KILLED, Kind.OPERATOR_DELETED, Kind.OPERATOR_KILLED, Kind.LISTENER_DELETED, Kind.RECYCLE)
"""Blows that must cost nothing."""


def blow(kind: Kind, begin: float = 10.0, end: float = 11.0, host: str = "") -> Blow:
    return Blow(kind=kind, target="it", host=host, begin=begin, end=end)


def loss(kind: str = "reset", since: float = 10.0, ended: float = 10.1, host: str = GARDEN) -> Loss:
    return Loss(since=since, ended=ended, host=host, label="GET", kind=kind, detail="")


def test_what_was_under_way_when_haproxy_was_killed_is_explained() -> None:
    found = attribute([loss(since=9.0, ended=10.02)], [blow(Kind.HAPROXY_KILLED)])
    assert not found.unexplained
    assert (found.rows[Kind.HAPROXY_KILLED].failed, found.rows[Kind.HAPROXY_KILLED].explained) == (1, 1)


def test_a_kept_connection_that_was_cut_between_two_requests_is_explained_though_it_was_noticed_later() -> None:
    assert not attribute([loss(since=9.9, ended=30.0)], [blow(Kind.HAPROXY_KILLED)]).unexplained


@pytest.mark.parametrize("lost", [loss(since=8.0, ended=9.9), loss(since=11.1 + AFTERMATH, ended=20.0)])
def test_what_was_lost_before_a_blow_or_began_after_it_is_not_explained(lost: Loss) -> None:
    found = attribute([lost], [blow(Kind.HAPROXY_KILLED)])
    assert found.unexplained == [lost]
    assert found.rows[NOTHING].failed == 1


@pytest.mark.parametrize("kind", FREE)
@pytest.mark.parametrize("failure", ["connect", "reset", "cut", "timeout", "502 WorkerLost", "closed 1012", "body"])
def test_a_blow_that_must_cost_nothing_explains_nothing_and_is_suspected(kind: Kind, failure: str) -> None:
    found = attribute([loss(failure)], [blow(kind)])
    assert len(found.unexplained) == 1
    assert (found.rows[kind].failed, found.rows[kind].explained) == (1, 0)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("failure", ["body", "malformed", "404 NoSite", "503 QueueTimeout", "504 WorkerTimeout"])
def test_no_blow_explains_a_wrong_answer_or_a_refusal(kind: Kind, failure: str) -> None:
    assert attribute([loss(failure)], [blow(kind, host=GARDEN)]).unexplained


def test_a_killed_worker_explains_losses_of_its_own_pool_alone() -> None:
    ours, another = loss("502 WorkerLost"), loss("502 WorkerLost", host=OTHER)
    assert attribute([ours, another], [blow(Kind.WORKER_KILLED, host=GARDEN)]).unexplained == [another]


def test_a_worker_that_may_finish_loses_no_request_but_says_goodbye_to_its_websockets() -> None:
    lost = [loss("closed 1012"), loss("reset"), loss("502 WorkerLost")]
    assert attribute(lost, [blow(Kind.WORKER_DELETED, host=GARDEN)]).unexplained == lost[1:]


def test_a_loss_at_the_time_of_two_blows_goes_to_the_one_that_explains_it() -> None:
    found = attribute([loss()], [blow(Kind.HAPROXY_KILLED, begin=9.0), blow(Kind.AGENT_KILLED)])
    assert not found.unexplained
    assert (found.rows[Kind.HAPROXY_KILLED].explained, found.rows[Kind.AGENT_KILLED].failed) == (1, 0)


def test_a_loss_is_counted_once_and_blows_that_cost_nothing_are_counted_too() -> None:
    blows = [blow(Kind.LISTENER_KILLED), blow(Kind.HAPROXY_KILLED, begin=10.5), blow(Kind.RECYCLE)]
    found = attribute([loss(ended=10.6)], blows)
    assert sum(row.failed for row in found.rows.values()) == 1
    assert sum(row.count for row in found.rows.values()) == 3


def test_the_table_has_a_line_for_each_kind_and_one_for_losses_without_a_blow() -> None:
    lines = str(attribute([loss()], [blow(Kind.HAPROXY_KILLED)])).splitlines()
    assert [line[:24].rstrip() for line in lines] == ["event", *Kind, NOTHING]
    assert lines[1 + list(Kind).index(Kind.HAPROXY_KILLED)].split() == ["HAProxy", "killed", "1", "1", "1"]
