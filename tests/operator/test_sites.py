"""Sites: which names they have, and what the listeners are told of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.operator.garden import Yard
from tests.operator.world import Body, until

import webgarden_link as link


def site(yard: Yard, name: str, *hosts: str, pool: str = "shop") -> None:
    spec: Body = {"bindings": [{"host": host} for host in hosts], "applications": [{"path": "/", "pool": pool}]}
    yard.create("sites", name, spec)
    until(lambda: yard.condition("Ready", name, "sites"), f"{name} has a status")


def bindings(yard: Yard, name: str) -> list[str]:
    """Hosts that a listener has for the site."""
    listener = yard.garden.listeners[0]
    known = listener.sites.get(yard.key(name))
    return [b.host for b in known.bindings] if known else []


def test_a_site_is_told_to_the_listeners_as_it_is(yard: Yard) -> None:
    yard.pool()
    site(yard, "shop", "whole.test")
    wanted = link.Site(
        key=yard.key(),
        bindings=(link.Binding(port=80, host="whole.test"),),
        applications=(link.Application(path="/", pool=yard.key()),),
    )

    def told() -> list[link.Site | None]:
        found = [one.sites.get(yard.key()) for one in yard.garden.listeners]
        return [one and one.model_copy(update={"version": 0}) for one in found]

    until(lambda: told() == [wanted] * 2, "the table has it")
    until(lambda: yard.condition("Ready", plural="sites")["status"] == "True", "Ready")
    assert yard.get("sites")["status"]["urls"] == ["http://whole.test"]
    yard.delete("sites")
    until(lambda: all(yard.key() not in one.sites for one in yard.garden.listeners), "it is forgotten")


def test_of_two_sites_that_claim_one_host_the_oldest_has_it_until_it_goes(yard: Yard) -> None:
    yard.pool()
    site(yard, "first", "one.test")
    first = yard.get("sites", "first")["metadata"]["creationTimestamp"]
    # Ages are whole seconds, and of one second the name decides: "second" comes after "first" either way.
    site(yard, "second", "one.test", "two.test")
    assert yard.get("sites", "second")["metadata"]["creationTimestamp"] >= first
    until(lambda: bindings(yard, "second") == ["two.test"], "the second has what is left")
    assert bindings(yard, "first") == ["one.test"]
    assert yard.condition("Accepted", "second", "sites")["status"] == "False"
    assert yard.condition("Accepted", "second", "sites")["reason"] == "BindingRefused"
    assert yard.key("first") in yard.condition("Accepted", "second", "sites")["message"]
    accepted = {b["host"]: b["accepted"] for b in yard.get("sites", "second")["status"]["bindings"]}
    assert accepted == {"one.test": False, "two.test": True}
    assert yard.condition("Accepted", "first", "sites")["status"] == "True"
    yard.delete("sites", "first")
    until(lambda: bindings(yard, "second") == ["one.test", "two.test"], "it comes into both")
    until(lambda: yard.condition("Accepted", "second", "sites")["status"] == "True", "and says so")


def test_a_host_may_be_claimed_from_another_namespace_and_the_oldest_keeps_it(yard: Yard) -> None:
    yard.pool()
    site(yard, "shop", "far.test")
    other = yard.garden.yard(f"{yard.namespace}-too")
    born = datetime.fromisoformat(yard.get("sites")["metadata"]["creationTimestamp"])
    until(lambda: datetime.now(UTC) - born > timedelta(seconds=1), "ages are told in whole seconds")
    site(other, "shop", "far.test")
    until(lambda: other.condition("Accepted", plural="sites")["status"] == "False", "it is refused")
    assert yard.condition("Accepted", plural="sites")["status"] == "True"
    assert not bindings(other, "shop")
    yard.world.request("DELETE", f"/api/v1/namespaces/{other.namespace}")


def test_a_site_that_gives_up_a_host_leaves_it_to_the_other(yard: Yard) -> None:
    yard.pool()
    site(yard, "first", "kept.test", "left.test")
    site(yard, "second", "left.test")
    until(lambda: yard.condition("Accepted", "second", "sites")["status"] == "False", "it is refused")
    patch = {"spec": {"bindings": [{"host": "kept.test", "port": 80, "protocol": "http"}]}}
    url = f"/apis/webgarden.dev/v1alpha1/namespaces/{yard.namespace}/sites/first"
    yard.world.request("PATCH", url, patch, kind="application/merge-patch+json")
    until(lambda: bindings(yard, "second") == ["left.test"], "it has the host")
    until(lambda: yard.condition("Accepted", "second", "sites")["status"] == "True", "and says so")


def test_a_site_that_names_an_absent_pool_says_so_until_the_pool_is_there(yard: Yard) -> None:
    site(yard, "shop", "absent.test", pool="later")
    until(lambda: yard.condition("PoolsResolved", plural="sites")["status"] == "False", "it is told")
    assert "later" in yard.condition("PoolsResolved", plural="sites")["message"]
    assert yard.condition("Ready", plural="sites")["status"] == "False"
    until(lambda: bindings(yard, "shop") == ["absent.test"], "its other paths would work")
    yard.pool("later")
    until(lambda: yard.condition("Ready", plural="sites")["status"] == "True", "it is resolved")
    yard.delete("applicationpools", "later")
    until(lambda: yard.condition("PoolsResolved", plural="sites")["status"] == "False", "it is told again")


def test_a_port_that_the_listener_has_not_is_refused(yard: Yard) -> None:
    yard.pool()
    spec = {"bindings": [{"host": "odd.test", "port": 8081}], "applications": [{"path": "/", "pool": "shop"}]}
    yard.create("sites", "shop", spec)
    until(lambda: yard.condition("Accepted", plural="sites").get("status") == "False", "it is refused")
    assert "8081" in yard.condition("Accepted", plural="sites")["message"]


def test_a_site_is_ready_when_every_listener_says_that_it_has_it(yard: Yard) -> None:
    yard.pool()
    one, two = yard.garden.listeners
    two.hush()
    site(yard, "shop", "slow.test")
    until(lambda: yard.key() in one.sites, "one has it")
    assert yard.condition("Ready", plural="sites")["reason"] == "Publishing"
    two.wake()
    until(lambda: yard.condition("Ready", plural="sites")["status"] == "True", "both have it")


def test_a_listener_that_is_too_old_for_a_site_refuses_it_and_that_is_told_until_it_is_not(yard: Yard) -> None:
    yard.pool()
    old = yard.garden.listeners[0]
    knows, old.features = old.features, frozenset()
    try:
        application = {"path": "/", "pool": "shop", "affinity": "Cookie"}
        yard.create("sites", "shop", {"bindings": [{"host": "kept.test"}], "applications": [application]})
        until(lambda: yard.condition("Ready", plural="sites").get("reason") == "ListenerTooOld", "it is told")
        message = yard.condition("Ready", plural="sites")["message"]
        assert f"{old.name} does not serve it: it knows no affinity" in message and "release" in message
        (event,) = until(lambda: yard.events("ListenerTooOld"), "the Event")
        assert event["type"] == "Warning" and old.name in event["note"]
        site(yard, "plain", "plain.test")
        until(lambda: yard.condition("Ready", "plain", "sites")["status"] == "True", "others are served")
    finally:
        old.features = knows
    old.disconnect()  # its pod is replaced by one of the new release
    old.connect()
    until(lambda: yard.condition("Ready", plural="sites")["status"] == "True", "it clears by itself")
    (event,) = yard.events("ListenerTooOld")
    assert "series" not in event
