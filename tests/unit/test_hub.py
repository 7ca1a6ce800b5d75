"""What the operator makes of what listeners say: versions, drains, totals, activity, refusals. In virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

import webgarden_link as link
from webgarden.link.hub import Hub
from webgarden.link.pools import DEMAND_LASTS
from webgarden.reconcile.ports import Kind, PoolFacts, SiteFacts, WorkerFacts

POOL = "a/shop"
SITE = "a/site"
SECOND = timedelta(seconds=1)
SERVING, DRAINING, DRAINED = link.WorkerStatus.SERVING, link.WorkerStatus.DRAINING, link.WorkerStatus.DRAINED
WAITING, DOWN = link.WorkerStatus.WAITING, link.WorkerStatus.DOWN


@dataclass(eq=False)
class Peer:
    name: str = "one"
    boot: str = "b1"
    """Of its HAProxy."""
    told: list[link.Message] = field(default_factory=list)
    dismissed: str = ""

    def tell(self, message: link.Message) -> None:
        self.told.append(message)

    def dismiss(self, why: str) -> None:
        self.dismissed = why

    def pool(self, key: str = POOL) -> link.Pool:
        """As it was told last."""
        tables = [m for m in self.told if isinstance(m, link.Table | link.Change)]
        return next(p for table in reversed(tables) for p in table.pools if p.key == key)

    def site(self) -> link.Site:
        tables = [m for m in self.told if isinstance(m, link.Table | link.Change)]
        return next(s for table in reversed(tables) for s in table.sites)


@dataclass
class Play:
    now: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    touched: list[tuple[Kind, str]] = field(default_factory=list)
    changes: int = 0

    def __post_init__(self) -> None:
        self.hub = Hub(clock=lambda: self.now, touched=self._touch, changed=self._change)

    def _touch(self, kind: Kind, key: str) -> None:
        self.touched.append((kind, key))

    def _change(self) -> None:
        self.changes += 1

    def publish(self, *workers: str, draining: tuple[str, ...] = (), queue: int = 10) -> None:
        states = {True: link.WorkerState.DRAINING, False: link.WorkerState.ACTIVE}
        made = (link.Worker(name=n, address="10.0.0.1", port=80, state=states[n in draining]) for n in workers)
        self.hub.publish_pool(link.Pool(key=POOL, queue_limit=queue, workers=tuple(made)))

    def publish_site(self, *hosts: str) -> None:
        bindings = tuple(link.Binding(port=80, host=host) for host in hosts)
        self.hub.publish_site(link.Site(key=SITE, bindings=bindings, applications=()))

    def join(self, name: str = "one", boot: str = "b1") -> Peer:
        peer = Peer(name, boot)
        self.hub.join(peer)
        return peer

    def report(
        self, peer: Peer, state: link.WorkerStatus, *, version: int = 0, in_flight: int = 0, requests: int = 0
    ) -> None:
        worker = link.WorkerReport(name="w", state=state, in_flight=in_flight, requests=requests)
        self.say(peer, version=version, workers=(worker,))

    def say(self, peer: Peer, *, version: int = 0, **told: object) -> None:
        fields = {"key": POOL, "version": version or peer.pool().version, "boot": peer.boot, **told}
        self.hub.hear(peer, link.Report(pools=(link.PoolReport.model_validate(fields),)))

    def say_of_site(self, peer: Peer, *, version: int = 0, refused: str = "") -> None:
        report = link.SiteReport(key=SITE, version=version or peer.site().version, refused=refused)
        self.hub.hear(peer, link.Report(sites=(report,)))

    def worker(self) -> WorkerFacts:
        return self.hub.pool_facts(POOL).workers["w"]

    def later(self, seconds: float = 10) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


@pytest.fixture
def play() -> Play:
    made = Play()
    made.publish("w")
    return made


def test_who_comes_in_gets_the_whole_table_and_then_what_differs(play: Play) -> None:
    play.publish_site("x.test")
    peer = play.join()
    (table,) = peer.told
    assert isinstance(table, link.Table)
    assert [p.key for p in table.pools] == [POOL] and [s.key for s in table.sites] == [SITE]
    play.publish("w", "x")
    play.hub.remove_site(SITE)
    play.hub.remove_pool(POOL)
    first, *rest = peer.told[1:]
    assert isinstance(first, link.Change) and [p.key for p in first.pools] == [POOL]
    assert rest == [link.Change(removed_sites=(SITE,)), link.Change(removed_pools=(POOL,))]
    assert play.hub.table() == link.Table()


def test_what_does_not_differ_is_not_told(play: Play) -> None:
    play.publish_site("x.test")
    peer = play.join()
    play.publish("w")
    play.publish_site("x.test")
    play.hub.publish_listeners(1)
    play.hub.remove_pool("a/other")
    play.hub.remove_site("a/other")
    assert len(peer.told) == 1


def test_each_pool_and_site_has_a_version_that_grows_with_its_own_changes_alone(play: Play) -> None:
    play.publish_site("x.test")
    peer = play.join()
    pool, site = peer.pool().version, peer.site().version
    play.publish("w", "x")
    assert peer.pool().version > pool
    assert play.hub.table().sites[0].version == site
    play.publish_site("y.test")
    assert peer.site().version > site
    after = peer.pool().version
    assert play.hub.table().pools[0].version == after
    play.hub.remove_pool(POOL)
    play.publish("w", "x")
    assert peer.pool().version > after


def test_a_new_leader_s_versions_are_higher_however_much_the_one_before_it_changed() -> None:
    first = Play()
    second = Play(now=first.now + SECOND)
    for length in range(10, 5_010):
        first.publish("w", queue=length)
    second.publish("w")
    assert second.join().pool().version > first.join().pool().version


def test_the_number_of_listeners_is_one_message_and_no_pool_is_told_anew(play: Play) -> None:
    peer = play.join()
    play.hub.publish_listeners(3)
    assert peer.told[1:] == [link.Listeners(count=3)]
    table = play.join("two").told[0]
    assert isinstance(table, link.Table) and table.listeners == 3


def test_a_worker_serves_when_every_listener_gives_it_requests(play: Play) -> None:
    assert not play.worker().serving
    one, two = play.join("one"), play.join("two")
    play.report(one, SERVING)
    assert play.worker().seen and not play.worker().serving
    play.report(two, WAITING)
    assert not play.worker().serving
    play.report(two, SERVING)
    assert play.worker().serving


def test_a_worker_that_answers_no_more_is_known_and_does_not_serve(play: Play) -> None:
    peer = play.join()
    play.report(peer, WAITING)
    assert not play.worker().seen and not play.worker().down
    play.report(peer, DOWN)
    assert play.worker().seen and play.worker().down and not play.worker().serving
    play.report(peer, SERVING)
    assert play.worker().serving and not play.worker().down


def test_a_worker_that_never_answered_has_not_been_seen_though_it_is_drained(play: Play) -> None:
    peer = play.join()
    play.publish("w", draining=("w",))
    play.report(peer, DRAINED)
    assert play.worker().drained and not play.worker().seen
    play.report(peer, DRAINED, requests=1)
    assert play.worker().seen


def test_a_drain_counts_at_the_version_that_asked_for_it_and_not_before(play: Play) -> None:
    peer = play.join()
    before = peer.pool().version
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
    asked = peer.pool().version
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
    play.say(three)  # it does not know the worker
    assert play.worker().drained


def test_a_report_about_the_table_of_another_leader_is_not_taken_for_ours() -> None:
    first = Play()
    second = Play(now=first.now + 10 * SECOND)
    first.publish("w", draining=("w",))
    second.publish("w", draining=("w",))
    listener = second.join()
    second.report(listener, DRAINED, version=first.join().pool().version)
    assert not second.worker().drained


def test_requests_are_totals_over_listeners_connections_and_boots(play: Play) -> None:
    one, two = play.join("one", "b1"), play.join("two", "b2")
    play.report(one, SERVING, requests=5)
    play.report(two, SERVING, requests=7)
    play.report(two, SERVING, requests=7)
    assert play.worker().requests == 12
    play.hub.leave(one)
    assert play.worker().requests == 12
    one = play.join("one", "b1")  # the same HAProxy: it counts on
    play.report(one, SERVING, requests=6)
    assert play.worker().requests == 13
    one.boot = "b3"  # another, while the agent stays: from zero
    play.report(one, SERVING, requests=2)
    assert play.worker().requests == 15
    play.report(one, SERVING, requests=1)  # a total never falls
    assert play.worker().requests == 15


def test_boots_of_two_listeners_that_have_one_name_are_two(play: Play) -> None:
    play.report(play.join("one", "b1"), SERVING, requests=5)
    play.report(play.join("two", "b1"), SERVING, requests=7)
    assert play.worker().requests == 12


def test_refused_requests_are_totals_too(play: Play) -> None:
    play.say(play.join(), rejected=3)
    play.say(play.join(boot="b2"), rejected=1, queued=4)
    assert play.hub.pool_facts(POOL).rejected == 4
    assert play.hub.pool_facts(POOL).queued == 4


def test_counters_of_a_worker_that_is_gone_are_forgotten(play: Play) -> None:
    peer = play.join()
    play.report(peer, SERVING, requests=5)
    play.publish("x")
    assert "w" not in play.hub.pool_facts(POOL).workers
    play.publish("w")
    assert play.worker().requests == 0 and play.worker().last_activity is None


def test_activity_is_a_request_in_flight_or_one_that_was_served_meanwhile(play: Play) -> None:
    peer = play.join()
    play.report(peer, SERVING, requests=5)
    assert play.worker().last_activity is None  # they may be from long ago
    play.later()
    play.report(peer, SERVING, requests=5)
    assert play.worker().last_activity is None
    play.report(peer, SERVING, requests=6)
    assert play.worker().last_activity == play.now
    play.later()
    play.report(peer, SERVING, requests=6, in_flight=1)
    assert play.worker().last_activity == play.now
    assert play.worker().in_flight == 1


def test_the_end_of_a_request_is_activity_however_long_it_took(play: Play) -> None:
    peer = play.join()
    play.report(peer, SERVING, requests=1, in_flight=1)
    ended = play.later(3600)
    play.report(peer, SERVING, requests=1)
    assert play.worker().last_activity == ended
    play.later()
    play.report(peer, SERVING, requests=1)
    assert play.worker().last_activity == ended


def test_a_request_that_ends_while_its_listener_has_no_link_is_activity_when_that_is_heard(play: Play) -> None:
    peer = play.join()
    play.report(peer, SERVING, requests=1, in_flight=1)
    gone = play.later()
    play.hub.leave(peer)
    assert play.worker().last_activity == gone  # for good, perhaps, and its requests with it
    back = play.later()
    play.report(play.join(), SERVING, requests=1)
    assert play.worker().last_activity == back


def test_requests_of_an_haproxy_that_began_while_we_listened_are_activity(play: Play) -> None:
    peer = play.join()
    play.report(peer, SERVING, requests=5)
    peer.boot = "b2"
    play.later()
    play.report(peer, SERVING, requests=0)
    assert play.worker().last_activity is None
    peer.boot = "b3"
    play.report(peer, SERVING, requests=1)
    assert play.worker().last_activity == play.now


def test_demand_ends_by_itself_and_with_its_listener(play: Play) -> None:
    peer = play.join()
    play.hub.hear(peer, link.Demand(pool=POOL))
    assert play.hub.pool_facts(POOL).demand
    play.now += DEMAND_LASTS - timedelta(milliseconds=1)
    assert play.hub.pool_facts(POOL).demand
    play.now += timedelta(milliseconds=1)
    assert not play.hub.pool_facts(POOL).demand
    play.hub.hear(peer, link.Demand(pool=POOL))
    play.hub.leave(peer)
    assert not play.hub.pool_facts(POOL).demand


def test_what_is_said_of_something_unknown_is_of_no_consequence(play: Play) -> None:
    peer = play.join()
    play.touched.clear()
    play.hub.hear(peer, link.Demand(pool="a/gone"))
    pools = (link.PoolReport(key="a/gone", version=1, boot="b1", queued=9),)
    play.hub.hear(peer, link.Report(pools=pools, sites=(link.SiteReport(key="a/gone", version=1, refused="no"),)))
    assert not play.touched
    assert play.hub.pool_facts("a/gone") == PoolFacts()
    assert play.hub.site_facts("a/gone") == SiteFacts()


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
    assert play.touched == [(Kind.POOL, POOL)] and play.changes == 1
    play.hub.leave(peer)
    assert play.touched == [(Kind.POOL, POOL)] * 2 and play.changes == 2
    play.hub.leave(peer)
    assert play.changes == 2


def test_a_report_touches_what_it_is_about_and_nothing_else(play: Play) -> None:
    play.publish_site("x.test")
    for number in range(10):
        play.hub.publish_pool(link.Pool(key=f"a/{number}"))
    peer = play.join()
    play.touched.clear()
    play.report(peer, SERVING)
    assert play.touched == [(Kind.POOL, POOL)]


def test_a_listener_may_not_say_what_is_the_operators(play: Play) -> None:
    with pytest.raises(link.LinkError, match="Table is not a listener's to send"):
        play.hub.hear(play.join(), link.Table())


def test_a_listener_on_its_way_out_need_not_serve_a_worker_but_must_confirm_a_drain(play: Play) -> None:
    one, two = play.join("one"), play.join("two")
    play.report(one, SERVING)
    play.report(two, WAITING, in_flight=1)
    assert not play.worker().serving
    assert play.hub.pool_facts(POOL, leaving={"two"}).workers["w"].serving
    play.publish("w", draining=("w",))
    play.report(one, DRAINED)
    assert not play.hub.pool_facts(POOL, leaving={"two"}).workers["w"].drained


@pytest.fixture
def shown(play: Play) -> Play:
    """With a site."""
    play.publish_site("x.test")
    return play


def test_a_site_is_live_when_every_connected_listener_has_it_and_stays_so(shown: Play) -> None:
    assert not shown.hub.site_facts(SITE).live  # nobody has it
    one, two = shown.join("one"), shown.join("two")
    shown.say_of_site(one)
    assert not shown.hub.site_facts(SITE).live
    shown.say_of_site(two)
    assert shown.hub.site_facts(SITE) == SiteFacts(live=True)
    shown.join("three")
    assert shown.hub.site_facts(SITE).live
    shown.publish_site("y.test")
    assert not shown.hub.site_facts(SITE).live


def test_a_report_of_a_version_before_makes_no_site_live(shown: Play) -> None:
    peer = shown.join()
    before = peer.site().version
    shown.publish_site("y.test")
    shown.say_of_site(peer, version=before)
    assert not shown.hub.site_facts(SITE).live
    shown.say_of_site(peer, version=before, refused="odd")
    assert not shown.hub.site_facts(SITE).refusals


def test_a_site_that_a_listener_refuses_is_not_live_until_that_one_has_it_or_goes(shown: Play) -> None:
    one, two = shown.join("one"), shown.join("two")
    shown.say_of_site(one)
    shown.say_of_site(two, refused="no affinity")
    assert shown.hub.site_facts(SITE) == SiteFacts(refusals={"two": "no affinity"})
    shown.hub.leave(two)
    assert shown.hub.site_facts(SITE) == SiteFacts(live=True)
    shown.say_of_site(shown.join("two"), refused="no affinity")
    assert shown.hub.site_facts(SITE).refusals == {"two": "no affinity"}


def test_a_site_is_touched_when_something_else_is_to_be_said_of_it(shown: Play) -> None:
    one, two = shown.join("one"), shown.join("two")

    def touches() -> bool:
        found = (Kind.SITE, SITE) in shown.touched
        shown.touched.clear()
        return found

    shown.say_of_site(one)
    assert not touches()
    shown.say_of_site(two)
    assert touches()
    shown.say_of_site(two)
    assert not touches()
    shown.say_of_site(two, refused="odd")
    assert touches()
    shown.hub.leave(two)
    assert touches()
    shown.hub.leave(one)
    assert not touches()
