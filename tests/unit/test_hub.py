"""What the operator makes of what listeners say: versions, drains, totals, activity. In virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

import webgarden_link as link
from webgarden.link.hub import DEMAND_LASTS, Hub
from webgarden.reconcile.ports import PoolFacts, WorkerFacts

POOL = "a/shop"
SERVING, DRAINING, DRAINED = link.WorkerState.SERVING, link.WorkerState.DRAINING, link.WorkerState.DRAINED
WAITING = link.WorkerState.WAITING


@dataclass(eq=False)
class Peer:
    name: str = "one"
    boot: str = "b1"
    told: list[link.Message] = field(default_factory=list)
    dismissed: str = ""

    def tell(self, message: link.Message) -> None:
        self.told.append(message)

    def dismiss(self, why: str) -> None:
        self.dismissed = why

    @property
    def version(self) -> int:
        """Of what it was told last."""
        last = self.told[-1]
        assert isinstance(last, link.Table | link.Change)
        return last.version


@dataclass
class Play:
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    touched: list[str] = field(default_factory=list)
    changes: int = 0

    def __post_init__(self) -> None:
        self.hub = Hub(clock=lambda: self.now, touched=self.touched.append, changed=self._change)

    def _change(self) -> None:
        self.changes += 1

    def publish(self, *workers: str, draining: tuple[str, ...] = ()) -> None:
        made = (link.Worker(name=n, address="10.0.0.1", port=80, limit=5, draining=n in draining) for n in workers)
        self.hub.publish_pool(link.Pool(key=POOL, workers=tuple(made)))

    def join(self, name: str = "one", boot: str = "b1") -> Peer:
        peer = Peer(name, boot)
        self.hub.join(peer)
        return peer

    def report(
        self, peer: Peer, state: link.WorkerState, *, version: int = 0, in_flight: int = 0, requests: int = 0
    ) -> None:
        worker = link.WorkerReport(name="w", state=state, in_flight=in_flight, requests=requests)
        self.hub.hear(peer, link.Report(pool=POOL, version=version or peer.version, workers=(worker,)))

    def worker(self) -> WorkerFacts:
        return self.hub.facts(POOL).workers["w"]


@pytest.fixture
def play() -> Play:
    made = Play()
    made.publish("w")
    return made


def test_who_comes_in_gets_the_whole_table_and_then_what_differs(play: Play) -> None:
    site = link.Site(key="a/site", bindings=(), applications=())
    play.hub.publish_site(site)
    peer = play.join()
    (table,) = peer.told
    assert isinstance(table, link.Table)
    assert [p.key for p in table.pools] == [POOL] and table.sites == (site,)
    play.publish("w", "x")
    play.hub.remove_site("a/site")
    play.hub.remove_pool(POOL)
    changes = peer.told[1:]
    assert all(isinstance(change, link.Change) for change in changes)
    versions = [m.version for m in peer.told if isinstance(m, link.Table | link.Change)]
    assert versions == sorted(set(versions))
    assert changes[1:] == [
        link.Change(version=versions[2], removed_sites=("a/site",)),
        link.Change(version=versions[3], removed_pools=(POOL,)),
    ]
    assert play.hub.table().pools == ()


def test_what_does_not_differ_is_not_told(play: Play) -> None:
    peer = play.join()
    play.publish("w")
    play.hub.remove_pool("a/other")
    play.hub.remove_site("a/other")
    assert len(peer.told) == 1


def test_a_worker_serves_when_every_listener_gives_it_requests(play: Play) -> None:
    assert not play.worker().serving
    one, two = play.join("one"), play.join("two")
    play.report(one, SERVING)
    assert play.worker().seen and not play.worker().serving
    play.report(two, WAITING)
    assert not play.worker().serving
    play.report(two, SERVING)
    assert play.worker().serving


def test_a_worker_that_never_answered_has_not_been_seen_though_it_is_drained(play: Play) -> None:
    peer = play.join()
    play.publish("w", draining=("w",))
    play.report(peer, DRAINED)
    assert play.worker().drained and not play.worker().seen
    play.report(peer, DRAINED, requests=1)
    assert play.worker().seen


def test_a_drain_counts_at_the_version_that_asked_for_it_and_not_before(play: Play) -> None:
    peer = play.join()
    before = peer.version
    play.report(peer, SERVING)
    play.publish("w", draining=("w",))
    play.report(peer, DRAINED, version=before)
    assert not play.worker().drained
    play.report(peer, DRAINING)
    assert not play.worker().drained
    play.report(peer, DRAINED)
    assert play.worker().drained


def test_a_drain_that_was_undone_must_be_confirmed_anew(play: Play) -> None:
    peer = play.join()
    play.publish("w", draining=("w",))
    asked = peer.version
    play.report(peer, DRAINED)
    assert play.worker().drained
    play.publish("w")
    assert not play.worker().drained
    play.publish("w", draining=("w",))
    assert not play.worker().drained
    play.report(peer, DRAINED, version=asked)
    assert not play.worker().drained
    play.report(peer, DRAINED)
    assert play.worker().drained


def test_a_change_of_another_worker_leaves_a_confirmed_drain_confirmed(play: Play) -> None:
    peer = play.join()
    play.publish("w", draining=("w",))
    play.report(peer, DRAINED)
    play.publish("w", "x", draining=("w",))
    assert play.worker().drained


def test_every_connected_listener_must_confirm(play: Play) -> None:
    one, two = play.join("one"), play.join("two")
    play.publish("w", draining=("w",))
    play.report(one, DRAINED)
    assert not play.worker().drained
    play.hub.leave(two)
    assert play.worker().drained  # whether `two` is alive all the same is asked elsewhere
    three = play.join("three")
    assert not play.worker().drained
    play.hub.hear(three, link.Report(pool=POOL, version=three.version))  # it does not know the worker
    assert play.worker().drained


def test_a_report_about_the_table_of_another_leader_is_not_taken_for_ours() -> None:
    first = Play()
    second = Play(now=first.now + timedelta(seconds=10))
    first.publish("w", draining=("w",))
    second.publish("w", draining=("w",))
    listener = second.join()
    old = first.join().version
    assert old < listener.version
    second.report(listener, DRAINED, version=old)
    assert not second.worker().drained


def test_requests_are_totals_over_listeners_connections_and_boots(play: Play) -> None:
    one, two = play.join("one", "b1"), play.join("two", "b2")
    play.report(one, SERVING, requests=5)
    play.report(two, SERVING, requests=7)
    play.report(two, SERVING, requests=7)
    assert play.worker().requests == 12
    play.hub.leave(one)
    assert play.worker().requests == 12
    play.report(play.join("one", "b1"), SERVING, requests=6)  # the same agent: it counts on
    assert play.worker().requests == 13
    play.report(play.join("one", "b3"), SERVING, requests=2)  # another: from zero
    assert play.worker().requests == 15


def test_refused_requests_are_totals_too(play: Play) -> None:
    one = play.join()
    play.hub.hear(one, link.Report(pool=POOL, version=one.version, rejected=3))
    again = play.join(boot="b2")
    play.hub.hear(again, link.Report(pool=POOL, version=again.version, rejected=1, queued=4))
    assert play.hub.facts(POOL).rejected == 4
    assert play.hub.facts(POOL).queued == 4


def test_counters_of_a_worker_that_is_gone_are_forgotten(play: Play) -> None:
    peer = play.join()
    play.report(peer, SERVING, requests=5)
    play.publish("x")
    assert "w" not in play.hub.facts(POOL).workers
    play.publish("w")
    assert play.worker().requests == 0 and play.worker().last_activity is None


def test_activity_is_a_request_in_flight_or_one_that_was_served_meanwhile(play: Play) -> None:
    peer = play.join()
    play.report(peer, SERVING, requests=5)
    assert play.worker().last_activity is None  # they may be from long ago
    play.now += timedelta(seconds=10)
    play.report(peer, SERVING, requests=5)
    assert play.worker().last_activity is None
    play.report(peer, SERVING, requests=6)
    assert play.worker().last_activity == play.now
    play.now += timedelta(seconds=10)
    play.report(peer, SERVING, requests=6, in_flight=1)
    assert play.worker().last_activity == play.now
    assert play.worker().in_flight == 1
    since = play.now
    play.now += timedelta(seconds=10)
    play.report(peer, SERVING, requests=6)
    assert play.worker().last_activity == since


def test_demand_ends_by_itself_and_with_its_listener(play: Play) -> None:
    peer = play.join()
    play.hub.hear(peer, link.Demand(pool=POOL))
    assert play.hub.facts(POOL).demand
    play.now += DEMAND_LASTS - timedelta(milliseconds=1)
    assert play.hub.facts(POOL).demand
    play.now += timedelta(milliseconds=1)
    assert not play.hub.facts(POOL).demand
    play.hub.hear(peer, link.Demand(pool=POOL))
    play.hub.leave(peer)
    assert not play.hub.facts(POOL).demand


def test_what_is_said_of_an_unknown_pool_is_of_no_consequence(play: Play) -> None:
    peer = play.join()
    play.touched.clear()
    play.hub.hear(peer, link.Demand(pool="a/gone"))
    play.hub.hear(peer, link.Report(pool="a/gone", version=1, queued=9))
    assert not play.touched
    assert play.hub.facts("a/gone") == PoolFacts()


def test_who_comes_in_twice_is_heard_on_the_newer_connection_alone(play: Play) -> None:
    older = play.join()
    newer = play.join()
    assert older.dismissed and not newer.dismissed
    assert play.hub.connected() == {"one"}
    play.report(older, SERVING)
    assert not play.worker().seen
    play.hub.leave(older)  # its end must not end the newer one
    assert play.hub.connected() == {"one"}
    play.report(newer, SERVING)
    assert play.worker().serving


def test_coming_and_going_touches_every_pool(play: Play) -> None:
    play.touched.clear()
    peer = play.join()
    assert play.touched == [POOL] and play.changes == 1
    play.hub.leave(peer)
    assert play.touched == [POOL] * 2 and play.changes == 2
    play.hub.leave(peer)
    assert play.changes == 2


def test_a_table_that_was_not_applied_is_known_until_one_is(play: Play) -> None:
    peer = play.join()
    play.hub.hear(peer, link.Failed(version=1, error="no such map"))
    assert play.hub.refusals() == {"one": "no such map"}
    before = play.changes
    play.hub.hear(peer, link.Applied(version=2))
    play.hub.hear(peer, link.Applied(version=3))
    assert not play.hub.refusals() and play.changes == before + 1


def test_a_listener_may_not_say_what_is_the_operators(play: Play) -> None:
    with pytest.raises(link.LinkError, match="Table is not a listener's to send"):
        play.hub.hear(play.join(), link.Table(version=1))


def test_a_listener_on_its_way_out_need_not_serve_a_worker_but_must_confirm_a_drain(play: Play) -> None:
    one, two = play.join("one"), play.join("two")
    play.report(one, SERVING)
    play.report(two, WAITING, in_flight=1)
    assert not play.worker().serving
    assert play.hub.facts(POOL, leaving={"two"}).workers["w"].serving
    play.publish("w", draining=("w",))
    play.report(one, DRAINED)
    assert not play.hub.facts(POOL, leaving={"two"}).workers["w"].drained
