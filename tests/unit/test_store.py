"""The store: the newest version of each object wins, whoever brings it and in whatever order."""

from __future__ import annotations

from webgarden.cluster.store import MemoryStore
from webgarden.reconcile.ports import Body, Key, Kind

POOL = Key(Kind.POOL, "a", "shop")


def pod(name: str, version: int, pool: str = "shop", **more: str) -> Body:
    labels = {"webgarden.dev/pool": pool} if pool else {}
    metadata = {"name": name, "namespace": "a", "resourceVersion": str(version), "labels": labels, **more}
    return {"kind": "Pod", "metadata": metadata}


def key(name: str) -> Key:
    return Key(Kind.POD, "a", name)


def version(store: MemoryStore, name: str) -> str | None:
    found = store.get(key(name))
    return found["metadata"]["resourceVersion"] if found else None


def test_an_older_event_is_dropped() -> None:
    store = MemoryStore()
    assert store.put(Kind.POD, pod("p", 9))
    assert not store.put(Kind.POD, pod("p", 5))
    assert version(store, "p") == "9"
    assert store.put(Kind.POD, pod("p", 10))
    assert version(store, "p") == "10"


def test_versions_are_compared_as_numbers() -> None:
    store = MemoryStore()
    store.put(Kind.POD, pod("p", 99))
    assert store.put(Kind.POD, pod("p", 100))


def test_an_event_from_before_its_end_does_not_bring_an_object_back() -> None:
    store = MemoryStore()
    store.put(Kind.POD, pod("p", 5))
    assert store.drop(Kind.POD, pod("p", 7))
    assert not store.put(Kind.POD, pod("p", 6))
    assert store.get(key("p")) is None
    assert store.put(Kind.POD, pod("p", 8))  # another of that name
    assert version(store, "p") == "8"


def test_the_end_of_an_older_object_of_that_name_does_not_take_the_newer() -> None:
    store = MemoryStore()
    store.put(Kind.POD, pod("p", 8))
    assert not store.drop(Kind.POD, pod("p", 7))
    assert version(store, "p") == "8"
    assert not store.drop(Kind.POD, pod("q", 9))


def test_a_list_replaces_what_is_not_newer_than_it() -> None:
    store = MemoryStore()
    store.put(Kind.POD, pod("gone", 3))
    store.put(Kind.POD, pod("changed", 4))
    store.put(Kind.POD, pod("written", 12))
    store.put(Kind.DEPLOYMENT, pod("other-kind", 2))
    store.replace(Kind.POD, [pod("changed", 6), pod("new", 7)], version="10")
    assert {name: version(store, name) for name in ("gone", "changed", "new", "written")} == {
        "gone": None,
        "changed": "6",
        "new": "7",
        "written": "12",
    }
    assert store.get(Key(Kind.DEPLOYMENT, "a", "other-kind")) is not None
    assert not store.put(Kind.POD, pod("gone", 5))  # an event from before the list


def test_a_list_that_is_older_than_an_object_does_not_set_it_back() -> None:
    store = MemoryStore()
    store.put(Kind.POD, pod("p", 12))
    store.replace(Kind.POD, [pod("p", 6)], version="10")
    assert version(store, "p") == "12"


def test_pods_are_found_by_their_pool_while_they_carry_its_label() -> None:
    store = MemoryStore()
    store.put(Kind.POD, pod("p", 1))
    store.put(Kind.POD, pod("q", 2, pool="other"))
    store.put(Kind.POD, pod("r", 3, pool=""))
    assert [b["metadata"]["name"] for b in store.of_pool(Kind.POD, POOL)] == ["p"]
    store.put(Kind.POD, pod("p", 4, pool="other"))
    assert not store.of_pool(Kind.POD, POOL)
    assert len(store.of_pool(Kind.POD, Key(Kind.POOL, "a", "other"))) == 2
    store.drop(Kind.POD, pod("p", 5))
    assert [b["metadata"]["name"] for b in store.of_pool(Kind.POD, Key(Kind.POOL, "a", "other"))] == ["q"]
    assert not store.of_pool(Kind.DEPLOYMENT, POOL)


def site(name: str, version: int, *hosts: str, pool: str = "shop", namespace: str = "a") -> Body:
    metadata = {"name": name, "namespace": namespace, "resourceVersion": str(version)}
    spec = {"bindings": [{"host": host} for host in hosts], "applications": [{"path": "/", "pool": pool}]}
    return {"kind": "Site", "metadata": metadata, "spec": spec}


def test_sites_are_found_by_what_they_claim_and_by_their_pools() -> None:
    store = MemoryStore()

    def claiming(host: str) -> list[str]:
        return [body["metadata"]["name"] for body in store.claiming((host, 80))]

    store.put(Kind.SITE, site("one", 1, "x.test", "y.test"))
    store.put(Kind.SITE, site("two", 2, "y.test", namespace="b"))
    assert (claiming("x.test"), claiming("y.test"), claiming("z.test")) == (["one"], ["one", "two"], [])
    assert [body["metadata"]["name"] for body in store.of_pool(Kind.SITE, POOL)] == ["one"]
    store.put(Kind.SITE, site("one", 3, "z.test", pool="other"))
    assert (claiming("x.test"), claiming("y.test"), claiming("z.test")) == ([], ["two"], ["one"])
    assert not store.of_pool(Kind.SITE, POOL)
    store.drop(Kind.SITE, site("two", 4, namespace="b"))
    assert not claiming("y.test")


def test_a_site_without_a_spec_is_kept_and_found_by_nothing() -> None:
    store = MemoryStore()
    store.put(Kind.SITE, {"metadata": {"name": "odd", "namespace": "a", "resourceVersion": "1"}})
    assert store.get(Key(Kind.SITE, "a", "odd")) is not None
    assert not store.claiming(("", 80))


def test_objects_are_found_by_namespace_and_all_together() -> None:
    store = MemoryStore()
    store.put(Kind.POD, pod("p", 1))
    store.put(Kind.POD, pod("q", 2, namespace="b"))
    assert len(store.all(Kind.POD)) == 2
    assert [b["metadata"]["name"] for b in store.all(Kind.POD, "b")] == ["q"]
    assert not store.all(Kind.POD, "c")
    assert set(store) == {key("p"), Key(Kind.POD, "b", "q")}


def test_managed_fields_are_not_kept_and_the_given_body_is_not_changed() -> None:
    store = MemoryStore()
    body = pod("p", 1)
    body["metadata"]["managedFields"] = [{"manager": "kubelet"}]
    store.put(Kind.POD, body)
    found = store.get(key("p"))
    assert found is not None and "managedFields" not in found["metadata"]
    assert "managedFields" in body["metadata"]
