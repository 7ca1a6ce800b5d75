"""How many listeners there are for the limits, and what becomes of one that does not hear of the operator."""

from __future__ import annotations

import time

from tests.operator.garden import LISTENERS, SYSTEM, Garden, Yard
from tests.operator.world import MERGE, Body, path, until

import webgarden_link as link


def scale(garden: Garden, count: int) -> None:
    patch = {"spec": {"listener": {"replicas": count}}}
    garden.world.request("PATCH", path("webservers", name="default"), patch, kind=MERGE)
    until(lambda: len(garden.listeners) == count, f"{count} listeners")


def test_a_listener_more_is_told_to_all_in_one_message_and_no_pool_is_told_anew(yard: Yard) -> None:
    garden = yard.garden
    yard.pool(worker={"image": "shop:1", "maxConcurrentRequests": 6})
    before, known = len(garden.world.moments), garden.listeners
    try:
        scale(garden, LISTENERS + 1)
        until(lambda: all(one.count == LISTENERS + 1 for one in garden.listeners), "all are told")
        heard = [m for m in garden.world.moments[before:] if m.source == "heard" and m.what == known[0].name]
        assert [m.body for m in heard] == [link.Listeners(count=LISTENERS + 1)]
        assert {one.pools[yard.key()].told.worker_limit for one in garden.listeners} == {6}
    finally:
        scale(garden, LISTENERS)
    assert all(one.count == LISTENERS + 1 for one in garden.listeners)  # for a while: another may come


def replaced(garden: Garden) -> list[Body]:
    return [e for e in garden.world.objects["events"].values() if e["reason"] == "ListenerSilent"]


def test_a_listener_that_stays_silent_while_a_worker_must_go_is_replaced(yard: Yard) -> None:
    yard.pool(startMode="AlwaysRunning")
    (old,) = yard.warm()
    one, two = yard.garden.listeners
    began = time.monotonic()
    two.disconnect()
    yard.garden.node.stop_container(SYSTEM, two.name, "agent")
    yard.recycle()
    pods = yard.world.objects["pods"]
    until(lambda: (SYSTEM, two.name) not in pods, f"it is replaced; {yard.tell()}", seconds=60)
    assert time.monotonic() - began >= 30
    assert yard.garden.node.graces[two.name] > 120  # it finishes what it has
    (event,) = until(lambda: replaced(yard.garden), "the Event")
    assert two.name in event["note"] and event["regarding"]["kind"] == "WebServer"
    until(lambda: len(yard.garden.listeners) == LISTENERS, "there is another")
    assert one in yard.garden.listeners
    yard.recycled()
    yard.gone(old)
