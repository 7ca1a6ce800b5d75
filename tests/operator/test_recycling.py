"""Replacing workers: by an administrator's wish and for a new template. A new one first, and nothing is counted twice."""

from __future__ import annotations

from tests.operator.garden import Yard, says, was_id
from tests.operator.played_listener import Fate
from tests.operator.world import Moment, until


def test_a_new_worker_serves_before_the_old_one_is_drained_and_that_before_it_is_deleted(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    (old,) = yard.warm()
    yard.recycle()
    yard.gone(old)
    (new,) = yard.warm()
    assert new != old
    drains = yard.told_to_drain(old)
    assert yard.said(new, "Serving") < drains < yard.said(old, "Drained") < yard.deleted(old)
    assert yard.garden.node.graces[old] > 90
    yard.recycled()
    last = yard.status()["lastRecycle"]
    assert (last["worker"], last["reason"], last["result"]) == (old, "OnDemand", "Succeeded")
    (begun,) = until(lambda: yard.events("RecyclingOnDemand"), "the first Event")
    (done,) = until(lambda: yard.events("Recycled"), "the last Event")
    assert was_id(begun) == was_id(done) == "5079"
    yard.look()
    assert yard.made() == [old, new]
    assert yard.status()["recycles"] == 1
    assert not yard.status()["failures"]


def test_a_recycle_is_done_once_for_each_wish(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning", processModel={"maxProcesses": 2})
    first = yard.warm(2)
    yard.recycle()
    yard.recycled(2)
    second = yard.warm(2)
    assert not set(first) & set(second)
    yard.look()
    assert yard.warm(2) == second
    yard.recycle()
    yard.recycled(4)
    third = yard.warm(2)
    assert yard.made() == [*first, *second, *third]


def test_one_worker_at_a_time_is_recycled(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning", processModel={"maxProcesses": 3})
    old = yard.warm(3)
    yard.recycle()
    yard.recycled(3)
    yard.warm(3)
    counts = [len(m.body["status"]["workers"]) for m in _statuses(yard) if "workers" in m.body["status"]]
    assert max(counts) <= 4
    ends = sorted(yard.deleted(name) for name in old)
    starts = sorted(yard.told_to_drain(name) for name in old)
    assert starts[1] > ends[0] and starts[2] > ends[1]


def _statuses(yard: Yard) -> list[Moment]:
    moments = [m for m in list(yard.world.moments) if m.source == "applicationpools" and "status" in m.body]
    return [m for m in moments if m.body["metadata"]["namespace"] == yard.namespace]


def test_a_named_worker_is_recycled_alone(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning", processModel={"maxProcesses": 2})
    stays, goes = yard.warm(2)
    yard.recycle(goes)
    yard.recycled()
    workers = yard.warm(2)
    assert stays in workers and goes not in workers
    assert len(yard.made()) == 3


def test_a_request_in_flight_finishes_on_the_old_worker(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    (old,) = yard.warm()
    listener = yard.garden.listeners[0]
    long = listener.request(yard.key())
    assert long.worker == old
    yard.recycle()
    until(lambda: yard.states().get(old) == "Draining", "the old one drains")
    fresh = listener.request(yard.key())
    assert fresh.fate is Fate.RUNS and fresh.worker != old
    assert not yard.get("pods", old)["metadata"].get("deletionTimestamp")
    listener.finish(long)
    listener.finish(fresh)
    yard.gone(old)
    assert long.fate is Fate.DONE
    yard.recycled()


def test_requests_that_do_not_end_are_cut_at_the_shutdown_time_limit(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning", processModel={"shutdownTimeLimit": "2s"})
    (old,) = yard.warm()
    yard.conduct.stop = 60  # the application does not care for SIGTERM
    stuck = yard.garden.listeners[0].request(yard.key())
    yard.recycle()
    yard.gone(old)
    assert stuck.fate is Fate.CUT
    assert yard.garden.node.graces[old] < 10
    yard.conduct.stop = 0.05
    yard.recycled()
    (failure,) = yard.status()["failures"]
    assert (failure["worker"], failure["kind"]) == (old, "ShutdownTimeLimit")
    assert "1 requests were still running" in failure["message"]
    (event,) = until(lambda: yard.events("ShutdownTimeLimit"), "the Event")
    assert was_id(event) == "5013"
    assert len(yard.warm()) == 1


def test_a_replacement_that_does_not_come_up_leaves_the_old_worker_in_service(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning", processModel={"startupTimeLimit": "2s"})
    (old,) = yard.warm()
    yard.conduct.pulls = False
    wish = yard.recycle()
    (event,) = until(lambda: yard.events("RecycleFailed"), "the Event")
    assert was_id(event) == "5093"
    assert "ImagePullBackOff" in event["note"]
    assert yard.warm() == [old]
    last = yard.status()["lastRecycle"]
    assert (last["worker"], last["result"], last["request"]) == (old, "Failed", wish)
    assert yard.status()["recycles"] == 0
    assert [f["kind"] for f in yard.status()["failures"]] == ["StartupTimeLimit"]
    request = yard.garden.listeners[0].request(yard.key())
    assert request.worker == old
    made = yard.made()
    yard.look()
    assert yard.made() == made  # not tried again for the same wish
    yard.conduct.pulls = True
    yard.garden.listeners[0].finish(request)
    yard.recycle()
    yard.recycled()
    yard.gone(old)


def test_without_overlap_the_old_worker_is_gone_before_the_new_one_is_made(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning", recycling={"disallowOverlappingRotation": True})
    (old,) = yard.warm()
    yard.conduct.stop = 0.5
    yard.recycle()
    until(lambda: yard.states().get(old) in ("Draining", "Stopping"), "the old one goes")
    waits = yard.garden.listeners[0].request(yard.key())
    until(lambda: waits.fate is Fate.RUNS, f"it is served by the new one; {yard.tell()}")
    assert waits.worker != old
    yard.recycled()
    made = yard.made()
    assert made == [old, waits.worker]
    moments = list(yard.world.moments)
    gone = next(i for i, m in enumerate(moments) if m.what == "DELETED" and yard.is_about(m, old))
    born = next(i for i, m in enumerate(moments) if m.source == "pods" and yard.is_about(m, waits.worker))
    assert gone < born


def test_a_changed_template_replaces_workers_one_by_one_and_its_deployment_goes(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning", processModel={"maxProcesses": 2})
    old = yard.warm(2)
    (before,) = [d["metadata"]["name"] for d in yard.deployments()]
    held = yard.garden.listeners[0].request(yard.key())
    yard.change({"worker": {"image": "shop:2"}})
    until(lambda: yard.states().get(held.worker) == "Draining", f"the busy one drains; {yard.tell()}")
    assert yard.condition("Progressing")["status"] == "True"
    yard.garden.listeners[0].finish(held)
    for name in old:
        yard.gone(name)
    new = yard.warm(2)
    images = {yard.get("pods", name)["spec"]["containers"][0]["image"] for name in new}
    assert images == {"shop:2"}
    until(lambda: before not in [d["metadata"]["name"] for d in yard.deployments()], "the old Deployment goes")
    assert len(yard.deployments()) == 1
    yard.recycled(2)
    assert yard.status()["lastRecycle"]["reason"] == "ConfigChange"
    until(lambda: len(yard.events("Recycled")) == 2, "two Events")
    assert {was_id(e) for e in yard.events("Recycled")} == {"5080"}
    served = [yard.said(name, "Serving") for name in new]
    assert min(served) < min(yard.told_to_drain(name) for name in old)
    yard.look()
    assert yard.status()["recycles"] == 2
    # The ReplicaSet may make a pod before it hears that it is to be smaller; it takes it away again.
    extra = set(yard.made()) - {*old, *new}
    assert not any(says(m, name, "Serving") for m in list(yard.world.moments) for name in extra)
    assert yard.pods() == new


def test_a_cold_pool_takes_a_changed_template_at_its_next_start(yard: Yard) -> None:
    yard.pool()
    until(lambda: len(yard.deployments()) == 1, "there is a Deployment")
    yard.change({"worker": {"image": "shop:2"}})
    request = yard.garden.listeners[0].request(yard.key())
    until(lambda: request.fate is Fate.RUNS, f"it is served; {yard.tell()}")
    assert yard.get("pods", request.worker)["spec"]["containers"][0]["image"] == "shop:2"
    until(lambda: len(yard.deployments()) == 1, "one Deployment is left")
    assert yard.status()["recycles"] == 0
