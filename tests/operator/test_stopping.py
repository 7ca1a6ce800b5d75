"""Stopping a pool, and deleting what was made."""

from __future__ import annotations

from tests.operator.garden import Yard
from tests.operator.played_listener import Fate
from tests.operator.world import path, until


def test_a_pool_that_is_stopped_refuses_and_lets_its_requests_finish(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning", processModel={"maxProcesses": 2})
    workers = yard.warm(2)
    listener = yard.garden.listeners[0]
    running = listener.request(yard.key())
    yard.change({"state": "Stopped"})
    late = listener.request(yard.key())
    until(lambda: late.fate is Fate.REFUSED, "refused")
    assert late.reason == "Disabled" and late.retry_after == 0
    assert yard.condition("Ready")["reason"] == "StoppedByAdministrator"
    idle = next(name for name in workers if name != running.worker)
    yard.gone(idle)
    assert yard.status()["state"] == "Stopping"
    assert running.fate is Fate.RUNS
    listener.finish(running)
    yard.gone(running.worker)
    until(lambda: yard.status()["state"] == "Stopped", "it says so")
    assert yard.replicas() == 0
    for worker in workers:
        assert yard.told_to_drain(worker) < yard.said(worker, "Drained") < yard.deleted(worker)
    yard.change({"state": "Started"})
    assert not set(yard.warm(2)) & set(workers)
    assert yard.status()["state"] == "Started"


def test_a_new_pool_without_auto_start_waits_for_its_administrator(yard: Yard) -> None:
    yard.pool(autoStart=False, startMode="AlwaysRunning")
    until(lambda: yard.status().get("state") == "Stopped", "it is stopped")
    request = yard.garden.listeners[0].request(yard.key())
    until(lambda: request.fate is Fate.REFUSED, "refused")
    yard.change({"state": "Started"})
    yard.warm()


def test_a_pool_that_is_started_again_while_it_stops_keeps_no_request_waiting(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    (old,) = yard.warm()
    listener = yard.garden.listeners[0]
    running = listener.request(yard.key())
    yard.change({"state": "Stopped"})
    until(lambda: yard.states().get(old) == "Draining", "it drains")
    yard.change({"state": "Started"})
    fresh = listener.request(yard.key())
    until(lambda: fresh.fate is Fate.RUNS, f"it is served; {yard.tell()}")
    listener.finish(fresh)
    listener.finish(running)
    yard.warm()
    assert not yard.status()["failures"]


def test_deleting_a_pool_leaves_nothing_of_it(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning", processModel={"maxProcesses": 2})
    yard.warm(2)
    worker = yard.garden.listeners[0].request(yard.key()).worker  # which keeps it there
    yard.recycle(worker)
    until(lambda: yard.get("pods", worker)["metadata"]["labels"]["webgarden.dev/rotation"] == "out", "one is out")
    yard.delete("applicationpools")
    until(lambda: all(yard.key() not in one.pools for one in yard.garden.listeners), "the listeners forget it")
    # The garbage collector looks for new kinds every 30 s only; this may be the first test that needs it.
    until(lambda: not yard.objects("pods") and not yard.objects("deployments"), "nothing is left", seconds=90)
    assert (yard.namespace, "shop") not in yard.world.objects["applicationpools"]
    yard.pool(startMode="AlwaysRunning")  # and the name is free again
    yard.warm()
    assert yard.status()["recycles"] == 0


def test_deleting_a_namespace_leaves_nothing_of_it(yard: Yard) -> None:
    # A namespace of its own beside the test's, which the fixture deletes.
    other = yard.garden.yard(f"{yard.namespace}-too")
    other.pool(startMode="AlwaysRunning")
    other.create(
        "sites", "shop", {"bindings": [{"host": "gone.test"}], "applications": [{"path": "/", "pool": "shop"}]}
    )
    other.warm()
    until(lambda: all(other.key() in one.sites for one in yard.garden.listeners), "the site is known")
    yard.world.request("DELETE", f"/api/v1/namespaces/{other.namespace}")
    until(lambda: yard.garden.find(f"/api/v1/namespaces/{other.namespace}") is None, "it is gone", seconds=60)
    for listener in yard.garden.listeners:
        until(lambda one=listener: other.key() not in {*one.pools, *one.sites}, "the listener forgets it")  # type: ignore[misc]


def test_no_object_has_a_finalizer_of_ours(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    yard.create("sites", "shop", {"bindings": [{"host": "free.test"}], "applications": [{"path": "/", "pool": "shop"}]})
    (worker,) = yard.warm()
    until(lambda: yard.condition("Ready", plural="sites"), "the site has a status")
    for plural, name in (("applicationpools", "shop"), ("sites", "shop"), ("pods", worker)):
        found = yard.world.request("GET", path(plural, yard.namespace, name))
        assert "finalizers" not in found["metadata"]
