"""From resources to the routing table: who has a host, what a site requires, and what a pool is limited to."""

from __future__ import annotations

import webgarden_link as link
from webgarden.api.pool import ApplicationPool
from webgarden.api.site import Site
from webgarden.routing import Endpoint, Refusing, claims, pool_entry, site_entry

PORTS = frozenset({80, 8080})


def site(key: str, *hosts: str, age: int = 0, port: int = 80) -> Site:
    """`age`: the younger, the higher."""
    namespace, _, name = key.partition("/")
    body = {
        "metadata": {"name": name, "namespace": namespace, "creationTimestamp": f"2026-01-01T00:00:{age:02}Z"},
        "spec": {
            "bindings": [{"host": host, "port": port} for host in hosts],
            "applications": [{"path": "/", "pool": "shop"}, {"path": "/api", "pool": "api"}],
        },
    }
    return Site.model_validate({"kind": "Site", **body})


def has(one: Site, *rivals: Site) -> list[str]:
    return [c.host for c in claims(one, rivals, ports=PORTS) if c.accepted]


def test_a_host_that_nobody_else_claims_is_had() -> None:
    one = site("a/one", "x.test", "")
    assert has(one, one, site("a/two", "y.test")) == ["x.test", ""]


def test_the_older_site_has_the_host_whatever_the_order() -> None:
    old, young = site("b/old", "x.test", age=1), site("a/young", "x.test", "y.test", age=2)
    assert has(old, old, young) == has(old, young, old) == ["x.test"]
    assert has(young, old, young) == has(young, young, old) == ["y.test"]


def test_of_two_made_in_one_second_the_name_decides() -> None:
    one, two = site("a/one", "x.test"), site("b/one", "x.test")
    assert (has(one, two), has(two, one)) == (["x.test"], [])


def test_the_sentence_names_the_oldest_owner() -> None:
    sites = [site(f"a/{age}", "x.test", age=age) for age in (3, 1, 2)]
    (claim,) = claims(site("a/last", "x.test", age=9), sites, ports=PORTS)
    assert claim.refusal == "x.test:80 belongs to the older Site a/1"
    (claim,) = claims(site("a/last", "", age=9), [site("a/1", "")], ports=PORTS)
    assert claim.refusal == "any host:80 belongs to the older Site a/1"


def test_a_host_on_another_port_is_another_binding() -> None:
    assert has(site("a/two", "x.test", age=2, port=8080), site("a/one", "x.test", age=1)) == ["x.test"]


def test_a_wildcard_takes_no_exact_name() -> None:
    assert has(site("a/two", "x.test", age=2), site("a/one", "*.test", age=1)) == ["x.test"]


def test_a_port_that_the_listener_has_not_is_refused_with_the_cure() -> None:
    (claim,) = claims(site("a/one", "x.test", port=81), [], ports=PORTS)
    assert not claim.accepted
    assert "81" in claim.refusal and "spec.listener.ports" in claim.refusal


def test_a_site_is_told_with_what_it_has() -> None:
    young = site("a/young", "x.test", "y.test", age=2)
    entry = site_entry(young, claims(young, [site("b/old", "x.test", age=1)], ports=PORTS))
    assert entry == link.Site(
        key="a/young",
        bindings=(link.Binding(port=80, host="y.test"),),
        applications=(link.Application(path="/", pool="a/shop"), link.Application(path="/api", pool="a/api")),
    )


def test_a_site_names_what_a_listener_must_be_able_to_do_for_it() -> None:
    plain = site("a/one", "x.test")
    assert site_entry(plain, []).requires == ()
    kept = plain.model_dump(by_alias=True)
    kept["spec"]["applications"][1]["affinity"] = "Cookie"
    entry = site_entry(Site.model_validate(kept), [])
    assert [a.affinity for a in entry.applications] == [link.Affinity.NONE, link.Affinity.COOKIE]
    assert entry.requires == ("affinity",)
    assert set(entry.requires) <= link.FEATURES


def pool(**spec: object) -> ApplicationPool:
    body = {"kind": "ApplicationPool", "metadata": {"name": "shop", "namespace": "a"}, "spec": spec}
    return ApplicationPool.model_validate(body)


def test_a_pool_is_told_with_its_workers_in_order_and_its_limits_as_they_are() -> None:
    made = pool(
        queueLength=101,
        worker={"port": 8000, "maxConcurrentRequests": 9},
        processModel={"startupTimeLimit": "1500ms"},
    )
    ends = [Endpoint(name=n, address=f"10.0.0.{i}", draining=n == "b") for i, n in ((2, "b"), (1, "a"))]
    assert pool_entry(made, ends, refusing=None) == link.Pool(
        key="a/shop",
        queue_limit=101,
        queue_timeout=2 + 30,
        worker_limit=9,
        workers=(
            link.Worker(name="a", address="10.0.0.1", port=8000),
            link.Worker(name="b", address="10.0.0.2", port=8000, state=link.WorkerState.DRAINING),
        ),
    )


def test_a_pool_that_refuses_says_why_and_for_how_long() -> None:
    entry = pool_entry(pool(), [], refusing=Refusing(reason="StartupTimeLimit", retry_after=7))
    assert (entry.state, entry.reason, entry.retry_after) == (link.PoolState.STOPPED, "StartupTimeLimit", 7)
