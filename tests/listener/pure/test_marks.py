"""What a round takes, and in which order."""

from __future__ import annotations

import asyncio

import pytest

from webgarden_link import Change, Demand, LinkError, Table
from webgarden_listener.marks import MANY, SOME, Marks
from webgarden_listener.table import Touched


def test_who_waits_comes_first_then_news_then_routine() -> None:
    marks = Marks()
    marks.routine("n/routine")
    marks.changed(Touched({"n/changed"}))
    marks.rung("n:urgent")
    assert marks.some_pools() == ["n/urgent", "n/changed", "n/routine"]
    assert marks.some_pools() == []


def test_what_is_marked_twice_is_looked_at_once() -> None:
    marks = Marks()
    marks.changed(Touched({"n/p"}))
    marks.routine("n/p")
    marks.urgent("n/p")
    assert marks.some_pools() == ["n/p"]
    assert marks.some_pools() == []


def test_a_round_takes_some_of_many_and_all_for_which_somebody_waits() -> None:
    marks = Marks()
    marks.changed(Touched({f"n/{number}" for number in range(SOME + 1)}))
    marks.urgent(*(f"n/urgent{number}" for number in range(SOME + 1)))
    assert len(marks.some_pools()) == 2 * SOME + 1
    assert marks.news
    assert len(marks.some_pools()) == 1


def test_a_site_follows_when_every_changed_pool_is_done() -> None:
    marks = Marks()
    marks.changed(Touched({f"n/{number}" for number in range(SOME + 1)}, {"n/site"}))
    marks.some_pools()
    assert marks.some_sites() == []
    marks.some_pools()
    assert marks.some_sites() == ["n/site"]
    assert not marks.news


def test_a_site_does_not_wait_for_routine() -> None:
    marks = Marks()
    marks.routine(*(f"n/{number}" for number in range(3 * SOME)))
    marks.changed(Touched(sites={"n/site"}))
    marks.some_pools()
    assert marks.some_sites() == ["n/site"]


def test_a_change_does_not_wait_for_a_whole_table() -> None:
    marks = Marks()
    marks.all(Touched({f"n/{number}" for number in range(MANY)}, {"n/all"}))
    assert marks.many
    marks.changed(Touched({"n/new"}, {"n/site"}))
    assert "n/new" in marks.some_pools()
    assert marks.some_sites() == ["n/site"]


def test_what_is_no_pool_leaves_no_mark() -> None:
    marks = Marks()
    marks.rung("www")
    marks.noticed("agent")
    assert marks.some_pools() == []


def test_messages_are_taken_once_and_those_of_another_connection_never() -> None:
    marks = Marks()
    marks.heard(Table())
    marks.heard(Change())
    assert marks.messages() == [Table(), Change()]
    assert marks.messages() == []
    marks.heard(Table())
    marks.drop_messages()
    assert marks.messages() == []
    with pytest.raises(LinkError, match="Demand"):
        marks.heard(Demand(pool="n/p"))


async def test_a_mark_ends_the_wait_and_so_does_what_a_round_left() -> None:
    marks = Marks()
    await marks.wait(0)
    marks.changed(Touched({f"n/{number}" for number in range(SOME + 1)}))
    for left in (True, False):
        async with asyncio.timeout(5):
            await marks.wait(3600)
        marks.some_pools()
        assert marks.news is left
