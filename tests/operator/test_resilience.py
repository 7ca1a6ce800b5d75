"""The operator dies, is stopped, or loses the API server, at bad moments: it ends in the same place, and nothing twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from tests.cluster.processes import Processes
from tests.operator.garden import LEASE, Garden, Yard
from tests.operator.played_listener import Fate
from tests.operator.world import MERGE, path, until

Stage = Callable[[Yard, str], object]


def _taken_out(yard: Yard, old: str) -> None:
    until(lambda: yard.get("pods", old)["metadata"]["labels"]["webgarden.dev/rotation"] == "out", "it is taken out")


def _replacement_made(yard: Yard, old: str) -> None:
    until(lambda: len(yard.pods()) == 2, "there is a replacement")


def _replacement_serves(yard: Yard, old: str) -> None:
    until(lambda: len(yard.pods()) == 2, "there is a replacement")
    yard.said(next(name for name in yard.pods() if name != old), "Serving")


def _old_drains(yard: Yard, old: str) -> None:
    yard.told_to_drain(old)


def _old_ends(yard: Yard, old: str) -> None:
    yard.deleted(old)


STAGES = [_taken_out, _replacement_made, _replacement_serves, _old_drains, _old_ends]


def ended_once(yard: Yard, old: str) -> None:
    """The recycle is over, and was one."""
    yard.gone(old)
    (new,) = yard.warm()
    yard.recycled()
    yard.look()
    assert yard.status()["recycles"] == 1
    assert yard.status()["lastRecycle"]["worker"] == old
    assert yard.made() == [old, new]
    assert yard.warm() == [new]
    assert not yard.status()["failures"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_recycle_goes_on_after_the_operator_was_killed(yard: Yard, stage: Stage) -> None:
    yard.pool(startMode="AlwaysRunning")
    (old,) = yard.warm()
    yard.conduct.start = 0.3
    listener = yard.garden.listeners[0]
    running = listener.request(yard.key())
    yard.recycle()
    if stage is _old_ends:
        until(lambda: yard.states().get(old) == "Draining", "it drains")
        yard.conduct.stop = 1
        listener.finish(running)
    stage(yard, old)
    yard.garden.operator.kill()
    if stage is not _old_ends:
        listener.finish(running)
    yard.garden.settle()
    ended_once(yard, old)
    assert running.fate is Fate.DONE


def test_a_crash_while_the_operator_is_away_is_counted_once(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    (old,) = yard.warm()
    until(lambda: "annotations" in yard.get("pods", old)["metadata"], "it is marked")
    yard.garden.operator.kill()
    yard.garden.node.crash(yard.namespace, old)
    yard.garden.settle()
    yard.gone(old)
    yard.warm()
    yard.garden.operator.kill()
    yard.garden.settle()
    yard.look()
    assert [f["worker"] for f in yard.status()["failures"]] == [old]
    assert yard.made() == [old, *yard.warm()]


def test_demand_while_the_operator_is_away_is_served_when_it_is_back(yard: Yard) -> None:
    yard.pool()
    yard.garden.operator.kill()
    waits = yard.garden.every_listener()[0].request(yard.key())
    yard.garden.settle()
    until(lambda: waits.fate is Fate.RUNS, f"it is served; {yard.tell()}")


@pytest.fixture
def standby(garden: Garden) -> Garden:
    """A second operator that is ready to lead."""
    other = garden.another("operator-1")
    garden.add(other)
    until(lambda: other.ask("/readyz")[0] == 200, "the standby is ready")
    assert (garden.operator.metric("webgarden_leader"), other.metric("webgarden_leader")) == (1, 0)
    return garden


def test_when_the_leader_is_killed_the_standby_leads_and_repeats_nothing(standby: Garden, yard: Yard) -> None:
    (other,) = standby.others
    yard.pool(startMode="AlwaysRunning")
    (old,) = yard.warm()
    listener = standby.listeners[0]
    running = listener.request(yard.key())
    yard.recycle()
    until(lambda: yard.states().get(old) == "Draining", "it drains")
    standby.operator.kill()
    began = time.monotonic()
    until(lambda: other.metric("webgarden_leader") == 1, f"the standby leads\n{other.said()[-2000:]}", seconds=20)
    until(lambda: len(standby.listeners) == 2, "the listeners come over")
    print(f"the standby leads {time.monotonic() - began:.1f} s after the leader was killed")
    listener.finish(running)
    ended_once(yard, old)


def test_a_leader_that_is_stopped_hands_over_at_once(standby: Garden, yard: Yard) -> None:
    (other,) = standby.others
    yard.pool(startMode="AlwaysRunning")
    workers = yard.warm()
    standby.operator.signal(signal.SIGTERM)
    until(lambda: other.metric("webgarden_leader") == 1, "the standby leads", seconds=8)  # less than the Lease lasts
    assert standby.operator.wait() == 0
    until(lambda: len(standby.listeners) == 2, "the listeners come over")
    assert yard.warm() == workers
    yard.look()
    assert yard.made() == workers


def test_an_operator_that_is_stopped_gives_its_lease_back_and_ends_soon(garden: Garden) -> None:
    began = time.monotonic()
    garden.operator.signal(signal.SIGTERM)
    assert garden.operator.wait() == 0
    print(f"ended {time.monotonic() - began:.1f} s after SIGTERM")
    assert not (garden.find(LEASE) or {})["spec"].get("holderIdentity")
    assert "Traceback" not in garden.operator.said()


@contextmanager
def frozen_api_server(garden: Garden) -> Iterator[None]:
    (server,) = [p for p in Processes(garden.kubeconfig.parents[1]).recorded() if p.name == "kube-apiserver"]
    os.kill(server.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGCONT)


def test_what_runs_outlives_an_api_server_that_is_away(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    (worker,) = yard.warm()
    listener = yard.garden.listeners[0]
    terms = yard.garden.operator.said().count(" leads\n")
    lost = yard.garden.operator.said().count("is lost")
    with frozen_api_server(yard.garden):
        # Until the leader has given up, since it cannot renew its Lease.
        until(lambda: yard.garden.operator.said().count("is lost") > lost, "the Lease is lost")
        request = listener.request(yard.key())
        assert request.worker == worker  # warm traffic goes on
    until(lambda: yard.garden.operator.said().count(" leads\n") > terms, "it leads again")
    yard.garden.settle()
    listener.finish(request)
    assert yard.warm() == [worker]
    yard.recycle()
    ended_once(yard, worker)


def test_an_api_server_that_is_away_for_a_moment_is_not_noticed(yard: Yard) -> None:
    yard.pool()
    log = yard.garden.operator.said().count("leads")
    listener = yard.garden.listeners[0]
    with frozen_api_server(yard.garden):
        request = listener.request(yard.key())
        until(lambda: len([d for d in listener.demands if d[1] == yard.key()]) >= 3, "demand is repeated")
    until(lambda: request.fate is Fate.RUNS, f"it is served; {yard.tell()}")
    assert yard.garden.operator.said().count("leads") == log
    assert len(yard.made()) == 1


def test_the_status_is_written_only_when_it_differs(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    (worker,) = yard.warm()
    until(lambda: yard.condition("Progressing")["status"] == "False", "it has settled")
    yard.look()
    version = yard.get("applicationpools")["metadata"]["resourceVersion"]
    looks = yard.garden.operator.looks()
    for number in range(10):  # each is a reason to look
        patch = {"metadata": {"annotations": {"example.com/touched": str(number)}}}
        yard.world.request("PATCH", path("pods", yard.namespace, worker), patch, kind=MERGE)
        until(lambda before=looks + number: yard.garden.operator.looks() > before, "a look")  # type: ignore[misc]
    found = yard.world.request("GET", path("applicationpools", yard.namespace, "shop"))
    assert found["metadata"]["resourceVersion"] == version


def test_counters_alone_are_written_seldom(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    yard.warm()
    until(lambda: yard.condition("Progressing")["status"] == "False", "it has settled")
    listener = yard.garden.listeners[0]
    before, began = len(yard.versions()), time.monotonic()
    for _ in range(200):
        listener.finish(listener.request(yard.key()))
    until(lambda: yard.status()["workers"][0]["requests"] == 200, "they are counted")
    until(lambda: yard.status()["workers"][0]["inFlight"] == 0, "all have ended")
    assert len(yard.versions()) - before <= 2 + (time.monotonic() - began) / 5


def test_health_and_metrics_answer(garden: Garden) -> None:
    assert garden.operator.ask("/healthz") == (200, "ok\n")
    assert garden.operator.ask("/readyz") == (200, "ok\n")
    assert garden.operator.metric("webgarden_leader") == 1
    assert garden.operator.metric("webgarden_link_listeners") == 2
    assert garden.operator.metric("webgarden_workqueue_depth") >= 0
    assert 'webgarden_objects{kind="Pod"} ' in garden.operator.ask("/metrics")[1]
