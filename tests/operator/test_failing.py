"""Workers that crash, do not come up, or cannot even be made; and what the clients and the administrator are told."""

from __future__ import annotations

import pytest
from tests.operator.garden import Yard, tells_to_drain, was_id
from tests.operator.played_listener import Fate
from tests.operator.world import until

import webgarden_link as link

QUICK = {"startupTimeLimit": "2s"}


def kinds(yard: Yard) -> list[str]:
    return [failure["kind"] for failure in yard.status()["failures"]]


@pytest.mark.parametrize("restarted", [False, True])
def test_a_worker_that_crashes_is_replaced_at_once_and_counted_once(yard: Yard, restarted: bool) -> None:
    yard.pool(startMode="AlwaysRunning")
    (old,) = yard.warm()
    until(lambda: "annotations" in yard.get("pods", old)["metadata"], "it is marked")
    yard.garden.node.crash(yard.namespace, old, message="out of cheese", restarted=restarted)
    yard.gone(old)
    (new,) = yard.warm()
    assert new != old
    yard.look()
    (failure,) = yard.status()["failures"]
    assert (failure["worker"], failure["kind"]) == (old, "Crash")
    assert "exit code 1" in failure["message"] and "out of cheese" in failure["message"]
    (event,) = until(lambda: yard.events("WorkerCrashed"), "the Event")
    assert was_id(event) == "5009" and event["type"] == "Warning"
    assert event.get("series") is None
    assert yard.made() == [old, new]


def test_a_crash_of_one_worker_of_a_garden_leaves_the_others_alone(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning", processModel={"maxProcesses": 3})
    one, two, three = yard.warm(3)
    yard.garden.node.crash(yard.namespace, two)
    yard.gone(two)
    left = yard.warm(3)
    assert one in left and three in left
    for stays in (one, three):
        assert not any(tells_to_drain(m, stays) for m in list(yard.world.moments))


def test_an_image_that_cannot_be_pulled_ends_in_503_and_the_pool_recovers(yard: Yard) -> None:
    yard.pool(processModel=QUICK)
    yard.conduct.pulls = False
    listener = yard.garden.listeners[0]
    waits = listener.request(yard.key())
    until(lambda: "ImagePullBackOff" in yard.condition("Degraded").get("message", ""), f"the cause; {yard.tell()}")
    assert yard.condition("Degraded")["reason"] == "WorkerCannotStart"
    until(lambda: waits.fate is Fate.REFUSED, f"it is not kept waiting for ever; {yard.tell()}")
    assert waits.reason == "StartupTimeLimit"
    assert 1 <= waits.retry_after <= 10
    assert kinds(yard) == ["StartupTimeLimit"]
    assert "ImagePullBackOff" in yard.status()["failures"][0]["message"]
    (event,) = until(lambda: yard.events("StartupTimeLimit"), "the Event")
    assert was_id(event) == "5012"
    until(lambda: not yard.pods(), "the pod is not left about")
    until(lambda: yard.condition("Ready")["status"] == "False", "not Ready")
    assert yard.condition("Ready")["reason"] == "StartupTimeLimit"
    assert "ImagePullBackOff" in yard.condition("Ready")["message"]
    soon = listener.request(yard.key())
    until(lambda: soon.fate is Fate.REFUSED, "new ones are refused at once")
    assert len(yard.made()) == 1  # no pods while it backs off
    yard.conduct.pulls = True
    until(lambda: listener.pools[yard.key()].told.state == link.PoolState.STARTED, "it is tried again")
    again = listener.request(yard.key())
    until(lambda: again.fate is Fate.RUNS, f"it recovers; {yard.tell()}")
    until(lambda: yard.condition("Ready")["status"] == "True", "Ready")
    until(lambda: yard.condition("Degraded")["status"] == "False", "not Degraded")


def test_a_pod_that_fits_on_no_node_is_told_of_and_starts_when_there_is_room(yard: Yard) -> None:
    yard.pool()
    yard.conduct.fits = False
    waits = yard.garden.listeners[0].request(yard.key())
    until(lambda: "Insufficient memory" in yard.condition("Degraded").get("message", ""), f"the cause; {yard.tell()}")
    assert waits.fate is Fate.WAITS
    yard.conduct.fits = True
    until(lambda: waits.fate is Fate.RUNS, "there is room")
    assert not kinds(yard)


def test_a_worker_that_nobody_answers_in_is_a_failed_start(yard: Yard) -> None:
    yard.pool(processModel=QUICK)
    yard.conduct.answers = False
    waits = yard.garden.listeners[0].request(yard.key())
    until(lambda: waits.fate is Fate.REFUSED, f"the limit; {yard.tell()}")
    (failure,) = yard.status()["failures"]
    assert failure["message"] == "it did not answer on its port"


def test_a_quota_that_allows_no_pod_is_told_of_and_ends_in_503(yard: Yard) -> None:
    quotas = f"/api/v1/namespaces/{yard.namespace}/resourcequotas"
    yard.world.request("POST", quotas, {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    until(
        lambda: (yard.garden.find(f"{quotas}/none") or {}).get("status", {}).get("hard", {}).get("pods") == "0",
        "the quota counts",
    )
    yard.pool(processModel=QUICK)
    waits = yard.garden.listeners[0].request(yard.key())
    until(lambda: waits.fate is Fate.REFUSED, f"it is refused; {yard.tell()}")
    assert waits.reason == "StartupTimeLimit" and waits.retry_after > 0
    assert kinds(yard) == ["StartupTimeLimit"]
    assert "exceeded quota" in yard.status()["failures"][0]["message"]
    until(lambda: "exceeded quota" in yard.condition("Ready").get("message", ""), "the condition names the cause")
    yard.look()
    assert kinds(yard) == ["StartupTimeLimit"]
    assert not yard.made()


def test_a_service_account_that_is_not_there_is_named(yard: Yard) -> None:
    template = {"spec": {"serviceAccountName": "nobody", "containers": []}}
    yard.pool(worker={"image": "shop:1", "template": template}, startMode="AlwaysRunning", processModel=QUICK)
    until(lambda: '"nobody" not found' in yard.condition("Degraded").get("message", ""), f"the cause; {yard.tell()}")
    accounts = f"/api/v1/namespaces/{yard.namespace}/serviceaccounts"
    until(lambda: kinds(yard), "the failed start")
    yard.world.request("POST", accounts, {"metadata": {"name": "nobody"}})
    yard.warm()


def test_a_template_that_is_refused_is_told_of_and_the_old_one_goes_on(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    (old,) = yard.warm()
    broken = {"spec": {"containers": [{"name": "worker", "volumeMounts": [{"name": "nowhere", "mountPath": "/x"}]}]}}
    yard.change({"worker": {"template": broken}})
    until(lambda: yard.condition("Accepted")["status"] == "False", f"it is told; {yard.tell()}")
    assert yard.condition("Accepted")["reason"] == "TemplateRefused"
    assert "nowhere" in yard.condition("Accepted")["message"]
    assert yard.serving() == [old]
    yard.garden.node.crash(yard.namespace, old)
    yard.gone(old)
    (new,) = yard.warm()
    assert yard.condition("Accepted")["status"] == "False"
    yard.change({"worker": {"template": None}})
    until(lambda: yard.condition("Accepted")["status"] == "True", "it is taken back")
    yard.look()
    assert yard.warm() == [new]


def test_a_first_template_that_is_refused_ends_in_503(yard: Yard) -> None:
    broken = {"spec": {"containers": [{"name": "worker", "volumeMounts": [{"name": "nowhere", "mountPath": "/x"}]}]}}
    yard.pool(worker={"template": broken})
    refused = yard.garden.listeners[0].request(yard.key())
    until(lambda: refused.fate is Fate.REFUSED, f"it is refused; {yard.tell()}")
    assert refused.reason == "TemplateRefused"
    yard.change({"worker": {"template": None, "image": "shop:2"}})
    until(lambda: yard.condition("Accepted")["status"] == "True", "it is mended")
    served = yard.garden.listeners[0].request(yard.key())
    until(lambda: served.fate is Fate.RUNS, f"it is served; {yard.tell()}")


def test_a_pod_deleted_by_somebody_else_gets_no_request_from_then_on(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    (old,) = yard.warm()
    yard.conduct.stop = 2
    listener = yard.garden.listeners[0]
    running = listener.request(yard.key())
    assert running.worker == old
    yard.delete("pods", old)
    until(lambda: listener.told(yard.key(), old) is link.WorkerState.DRAINING, "the listeners are told")
    assert running.fate is Fate.RUNS
    fresh = listener.request(yard.key())
    until(lambda: fresh.fate is Fate.RUNS, f"another serves; {yard.tell()}")
    assert fresh.worker != old
    listener.finish(running)
    yard.gone(old)
    yard.warm()
    yard.look()
    assert not kinds(yard)  # a deletion is no failure
