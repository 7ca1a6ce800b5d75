"""The table: what of it is left out, and what a message concerns."""

from __future__ import annotations

import pytest

from webgarden_link import (
    FEATURES,
    Affinity,
    Application,
    Binding,
    Change,
    Listeners,
    Pool,
    PoolState,
    Site,
    Table,
    Worker,
)
from webgarden_listener.table import Routing, refused

WORKER = Worker(name="w1", address="10.0.0.1", port=80)


def site(
    key: str = "n/s", *, pool: str = "n/p", affinity: Affinity = Affinity.NONE, requires: tuple[str, ...] = ()
) -> Site:
    application = Application(path="/", pool=pool, affinity=affinity)
    return Site(key=key, bindings=(), applications=(application,), requires=requires)


def known(*pools: Pool, sites: tuple[Site, ...] = (), listeners: int = 1) -> Routing:
    made = Routing()
    made.take(Table(pools=pools, sites=sites, listeners=listeners))
    return made


def test_a_change_removes_first_and_then_adds() -> None:
    routing = known(Pool(key="n/p"), Pool(key="n/q"), sites=(site(),))
    touched = routing.take(Change(pools=(Pool(key="n/q"),), removed_pools=("n/p", "n/q"), removed_sites=("n/s",)))
    assert (set(routing.pools), set(routing.sites)) == ({"n/q"}, set())
    assert (touched.pools, touched.sites) == ({"n/p", "n/q"}, {"n/s"})


def test_a_table_replaces_everything_and_concerns_what_it_does_not_name() -> None:
    routing = known(Pool(key="n/p"), sites=(site(), site("n/refused", requires=("magic",))))
    touched = routing.take(Table(pools=(Pool(key="n/q"),)))
    assert (set(routing.pools), routing.sites, routing.refused) == ({"n/q"}, {}, {})
    assert (touched.pools, touched.sites) == ({"n/p", "n/q"}, {"n/s", "n/refused"})


def test_a_share_is_rounded_up_and_never_nothing() -> None:
    routing = known(Pool(key="n/p"), listeners=3)
    assert [routing.share(total) for total in (0, 1, 3, 4, 100)] == [1, 1, 1, 2, 34]
    assert routing.take(Listeners(count=3)).pools == set()
    assert routing.take(Listeners(count=2)).pools == {"n/p"}
    assert routing.share(100) == 50


def test_a_site_that_requires_an_unknown_feature_is_refused_with_the_reason() -> None:
    routing = known(sites=(site(requires=(*FEATURES, "magic")), site("n/other", requires=tuple(FEATURES))))
    assert set(routing.sites) == {"n/other"}
    assert "magic" in routing.refused["n/s"][1]
    routing.take(Change(sites=(site(),)))
    assert (set(routing.sites), routing.refused) == ({"n/s", "n/other"}, {})


def test_a_pool_that_becomes_affine_concerns_every_site_that_names_it() -> None:
    routing = known(Pool(key="n/p"), sites=(site("n/a"), site("n/b")))
    touched = routing.take(Change(sites=(site("n/b", affinity=Affinity.COOKIE),)))
    assert routing.affine("n/p")
    assert (touched.pools, touched.sites) == ({"n/p"}, {"n/a", "n/b"})
    touched = routing.take(Change(removed_sites=("n/b",)))
    assert not routing.affine("n/p")
    assert (touched.pools, touched.sites) == ({"n/p"}, {"n/a", "n/b"})


def test_what_is_no_name_is_left_out_and_named() -> None:
    bad = WORKER.model_copy(update={"name": "w 2"})
    nowhere = tuple(WORKER.model_copy(update={"address": text}) for text in ("x;y", "1.2", ":::", "fe80::1%a b"))
    pools = (Pool(key="n/p", workers=(WORKER, bad, *nowhere)), Pool(key="no key"))
    assert known(*pools).pools == {"n/p": Pool(key="n/p", workers=(WORKER,))}
    assert len(refused(Table(pools=pools))) == 6


@pytest.mark.parametrize(
    "application",
    [
        Application(path="/", pool="x\n\n@1 disable frontend www"),
        Application(path="/", pool="no key"),
        Application(path="/", pool="n/p\n"),
        Application(path="/a b", pool="n/p"),
        Application(path="/a;b", pool="n/p"),
        Application(path="/a\nn/other/ n:p", pool="n/p"),
        Application(path="other", pool="n/p"),
        Application(path="/\u2028", pool="n/p"),
    ],
)
def test_an_application_that_is_none_is_left_out_and_named(application: Application) -> None:
    good = Application(path="/good", pool="n/p")
    table = Table(sites=(Site(key="n/s", bindings=(), applications=(application, good)),))
    assert refused(table) == [f"application {application.path!r} of 'n/s' with the pool {application.pool!r}"]
    assert known(sites=table.sites).sites["n/s"].applications == (good,)


@pytest.mark.parametrize("host", ["a b", "a;b", "a\nb", "*", "*.*.b", "UPPER", "-a", "a" * 300])
def test_a_host_that_is_none_is_left_out(host: str) -> None:
    bindings = (Binding(port=80, host=host), Binding(port=80, host="*.fine.example"), Binding(port=80))
    routing = known(sites=(Site(key="n/s", bindings=bindings, applications=()),))
    assert routing.sites["n/s"].bindings == bindings[1:]


def test_a_number_that_haproxy_could_not_read_is_made_one_that_it_can() -> None:
    mad = Pool(key="n/p", queue_limit=10**30, queue_timeout=-1, worker_limit=0, retry_after=-(10**30))
    found = known(mad).pools["n/p"]
    assert (found.queue_limit, found.queue_timeout, found.worker_limit, found.retry_after) == (2**31 - 1, 1, 1, 0)


def test_a_reason_that_is_no_word_is_replaced() -> None:
    evil = Pool(key="n/p", state=PoolState.STOPPED, reason="x\nn:other Started")
    assert known(evil).pools["n/p"].reason == "Stopped"


def test_the_table_can_be_made_again() -> None:
    routing = known(Pool(key="n/p", workers=(WORKER,)), sites=(site(),), listeners=2)
    again = Routing()
    again.take(routing.table())
    assert (again.pools, again.sites, again.listeners) == (routing.pools, routing.sites, 2)


def test_workers_are_counted_whatever_changes() -> None:
    second = WORKER.model_copy(update={"name": "w2"})
    routing = known(Pool(key="n/p", workers=(WORKER, second)), Pool(key="n/q", workers=(WORKER,)))
    counts = [routing.workers]
    for change in (
        Change(pools=(Pool(key="n/p", workers=(WORKER,)),)),
        Change(removed_pools=("n/q", "n/unknown")),
        Change(pools=(Pool(key="n/p", workers=(WORKER, second)),), removed_pools=("n/p",)),
    ):
        routing.take(change)
        counts.append(routing.workers)
    assert counts == [3, 2, 1, 2]
