"""What requests do to a pool: it starts, stays, and grows."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from tests.operator.garden import Yard
from tests.operator.played_listener import Fate
from tests.operator.world import MERGE, path, until


def test_a_request_of_a_cold_pool_starts_a_worker(yard: Yard) -> None:
    yard.pool()
    assert yard.replicas() == 0
    began = time.monotonic()
    request = yard.garden.listeners[0].request(yard.key())
    until(lambda: yard.replicas() == 1, "the Deployment grows")
    scaled = time.monotonic()
    until(lambda: request.fate is Fate.RUNS, "the request reaches a worker")
    print(
        f"demand to scaled {1000 * (scaled - began):.0f} ms, to the worker {1000 * (time.monotonic() - began):.0f} ms"
    )
    (worker,) = yard.warm()
    assert request.worker == worker
    assert yard.made() == [worker]


def test_a_worker_that_answers_is_marked_and_told_of(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    (worker,) = yard.warm()
    annotations = until(lambda: yard.get("pods", worker)["metadata"].get("annotations"), "the mark")
    since = datetime.fromisoformat(annotations["webgarden.dev/running-since"])
    created = datetime.fromisoformat(yard.get("pods", worker)["metadata"]["creationTimestamp"])
    assert 0 <= (since - created).total_seconds() < 60
    assert annotations["webgarden.dev/restarts"] == "0"
    (event,) = until(lambda: yard.events("WorkerStarted"), "the Event")
    assert worker in event["note"]
    until(lambda: yard.condition("Ready")["status"] == "True", "Ready")
    assert yard.status()["state"] == "Started"
    assert yard.status()["readyReplicas"] == 1
    (shown,) = yard.status()["workers"]
    assert shown["address"] == yard.get("pods", worker)["status"]["podIP"]


def test_an_always_running_pool_has_all_its_workers_without_a_request(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning", processModel={"maxProcesses": 3, "idleTimeout": "1s"})
    workers = yard.warm(3)
    request = yard.garden.listeners[0].request(yard.key())
    yard.garden.listeners[0].finish(request)
    looks = yard.garden.operator.looks()
    until(lambda: yard.garden.operator.looks() > looks + 3, "more looks")
    assert yard.serving() == workers


def test_a_web_garden_grows_while_every_worker_is_full_and_shrinks_when_they_idle(yard: Yard) -> None:
    yard.pool(
        worker={"image": "shop:1", "maxConcurrentRequests": 2},
        processModel={"maxProcesses": 3, "idleTimeout": "1s"},
    )
    one, two = yard.garden.listeners
    requests = [(listener, listener.request(yard.key())) for listener in (one, two) for _ in range(3)]
    workers = yard.warm(3)
    until(lambda: all(r.fate is Fate.RUNS for _, r in requests), "all are served")
    assert {r.worker for _, r in requests} == set(workers)
    for listener, request in requests:
        listener.finish(request)
    until(lambda: not yard.pods(), "all idle workers go", seconds=60)
    assert yard.replicas() == 0
    assert all(r.fate is Fate.DONE for _, r in requests)
    until(lambda: yard.status()["reason"] == "Idle", "it says so")
    assert yard.condition("Ready")["status"] == "True"
    assert not yard.status()["failures"]


def test_more_requests_than_the_web_garden_takes_make_no_more_workers_than_allowed(yard: Yard) -> None:
    yard.pool(worker={"image": "shop:1", "maxConcurrentRequests": 2}, processModel={"maxProcesses": 2})
    listener = yard.garden.listeners[0]
    requests = [listener.request(yard.key()) for _ in range(8)]
    yard.warm(2)
    until(lambda: yard.status()["queue"]["length"] > 0, "some wait")
    while running := [r for r in requests if r.fate is Fate.RUNS]:
        for request in running:
            listener.finish(request)
    assert [r.fate for r in requests] == [Fate.DONE] * 8
    assert len(yard.made()) == 2


def test_kubectl_scale_sets_the_size_of_the_web_garden(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    (first,) = yard.warm()
    born = datetime.fromisoformat(yard.get("pods", first)["metadata"]["creationTimestamp"])
    until(lambda: datetime.now(UTC) - born > timedelta(seconds=2), "ages are told in whole seconds")

    def scale(count: int) -> None:
        url = f"{path('applicationpools', yard.namespace, 'shop')}/scale"
        yard.world.request("PATCH", url, {"spec": {"replicas": count}}, kind=MERGE)

    scale(3)
    assert yard.warm(3)[0] == first
    held = yard.garden.listeners[0].request(yard.key())
    scale(1)
    until(lambda: len(yard.serving()) == 1, "it shrinks")
    (left,) = yard.serving()
    assert left == first  # the youngest have the least in hand
    if held.worker != first:
        until(lambda: yard.states().get(held.worker) == "Draining", "the busy one is waited for")
    yard.garden.listeners[0].finish(held)
    assert yard.warm(1) == [first]
    assert held.fate is Fate.DONE

    def shown() -> dict[str, object]:
        found = yard.world.request("GET", f"{path('applicationpools', yard.namespace, 'shop')}/scale")
        return dict(found["status"])

    until(lambda: shown() == {"replicas": 1, "selector": "webgarden.dev/pool=shop"}, "it says so")
