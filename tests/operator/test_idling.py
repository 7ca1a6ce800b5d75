"""`idleTimeout`: a worker with nothing to do leaves, and no request notices."""

from __future__ import annotations

import time

import pytest
from tests.operator.garden import SYSTEM, Yard, tells_to_drain, was_id
from tests.operator.played_listener import Fate, Request
from tests.operator.world import Moment, until

IDLE = {"idleTimeout": "3s"}  # demand is over 2.5 s after it was heard last


def warmed(yard: Yard) -> str:
    """A worker with an idle timeout, which has just answered a request."""
    yard.pool(processModel=IDLE)
    listener = yard.garden.listeners[0]
    request = listener.request(yard.key())
    until(lambda: request.fate is Fate.RUNS, "it runs")
    (worker,) = yard.warm()
    listener.finish(request)
    return worker


def served(yard: Yard, request: Request) -> str:
    until(lambda: request.fate is not Fate.WAITS, f"the request is served; {yard.tell()}")
    assert request.fate is Fate.RUNS, request
    yard.garden.listeners[0].finish(request)
    return request.worker


def test_an_idle_worker_is_drained_confirmed_and_deleted(yard: Yard) -> None:
    worker = warmed(yard)
    yard.gone(worker)
    assert yard.told_to_drain(worker) < yard.said(worker, "Drained") < yard.deleted(worker)
    assert yard.garden.node.graces[worker] > 90  # it may finish by itself
    (event,) = until(lambda: yard.events("IdleTimeout"), "the Event")
    assert was_id(event) == "5186"
    until(lambda: yard.status()["reason"] == "Idle", "the status says so")
    assert yard.made() == [worker]


def test_a_long_request_is_activity(yard: Yard) -> None:
    worker = warmed(yard)
    listener = yard.garden.listeners[0]
    long = listener.request(yard.key())
    looks = yard.garden.operator.looks()
    until(lambda: yard.garden.operator.looks() > looks + 5, "more looks")
    assert yard.serving() == [worker]
    listener.finish(long)
    yard.gone(worker)


def test_idle_time_begins_when_a_request_ends_however_long_it_took(yard: Yard) -> None:
    worker = warmed(yard)
    listener = yard.garden.listeners[0]
    began = time.monotonic()
    long = listener.request(yard.key())
    until(lambda: time.monotonic() - began > 4, "it takes longer than idleTimeout")
    ended = time.monotonic()
    listener.finish(long)
    drains = yard.world.moments[yard.told_to_drain(worker) - 1]
    assert drains.at - ended >= 3
    yard.gone(worker)


def test_a_request_that_comes_while_a_worker_drains_puts_it_back(yard: Yard) -> None:
    worker = warmed(yard)
    one, two = yard.garden.listeners
    two.hush()  # it cannot confirm, so the drain lasts
    until(lambda: one.state(yard.key(), worker) == "Drained", "it is to drain")
    request = one.request(yard.key())
    assert served(yard, request) == worker
    two.wake()
    assert yard.made() == [worker]
    until(lambda: yard.serving() == [worker] or not yard.pods(), "it serves on, or is idle again")


def _drained(yard: Yard, worker: str) -> None:
    yard.said(worker, "Drained")


def _told(yard: Yard, worker: str) -> None:
    yard.told_to_drain(worker)


def _lowered(yard: Yard, worker: str) -> None:
    def lowered(moment: Moment) -> bool:
        body = moment.body
        if moment.source != "deployments" or body["metadata"]["namespace"] != yard.namespace:
            return False
        return moment.what == "MODIFIED" and body["metadata"]["generation"] > 2 and body["spec"]["replicas"] == 0

    yard.moment(lowered, "the replicas are lowered")


def _ending(yard: Yard, worker: str) -> None:
    yard.deleted(worker)


def _gone(yard: Yard, worker: str) -> None:
    yard.gone(worker)


@pytest.mark.parametrize("stage", [_told, _drained, _lowered, _ending, _gone])
def test_a_request_at_any_stage_of_an_idle_stop_is_served(yard: Yard, stage: object) -> None:
    assert callable(stage)
    worker = warmed(yard)
    stage(yard, worker)
    request = yard.garden.listeners[0].request(yard.key())
    by = served(yard, request)
    if stage is _gone:
        assert by != worker
    assert request.fate is Fate.DONE
    assert len(yard.made()) <= 2
    assert not yard.status()["failures"]


@pytest.mark.parametrize("agent", ["alive", "dead"])
def test_a_listener_that_is_alive_and_not_connected_blocks_the_idle_stop(yard: Yard, agent: str) -> None:
    worker = warmed(yard)
    one, two = yard.garden.listeners
    two.disconnect()
    if agent == "dead":  # so the pod is not ready, and HAProxy gives out requests of kept connections all the same
        yard.garden.node.stop_container(SYSTEM, two.name, "agent")
    until(lambda: yard.garden.operator.metric("webgarden_link_listeners") == 1, "it is missed")
    looks = yard.garden.operator.looks()
    until(lambda: yard.garden.operator.looks() > looks + 4, "more looks")
    assert not any(tells_to_drain(m, worker) for m in list(yard.world.moments))
    assert not yard.get("pods", worker)["metadata"].get("deletionTimestamp")
    two.connect()
    yard.gone(worker)
    assert one.connected and two.connected
