"""A listener that is deleted while clients keep their connections: they are told, and lose nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from tests.listener.place import Place
from tests.listener.test_draining import answered
from tests.listener.waiting import until

Fresh = Callable[..., Place]


async def test_leaving_under_keep_alive_load_loses_nothing(fresh: Fresh) -> None:
    place = fresh(linger="1", keep_alive="3", grace="30")
    worker = place.worker()
    await place.up(worker)
    outcomes: list[int] = []
    stop = asyncio.Event()

    async def ask() -> None:
        async with place.session() as session:
            while not stop.is_set():
                async with session.post("/", data=b"x") as answer:
                    outcomes.append(answer.status)
                    if answer.headers.get("Connection") == "close":
                        return  # the next connection would go to another listener

    clients = [asyncio.create_task(ask()) for _ in range(10)]
    await until(lambda: len(outcomes) > 100)
    hooks = [place.node.spawn("leave") for _ in range(3)]
    await until(lambda: place.node.status("/readyz") == 503)
    seen = len(outcomes)
    await until(lambda: len(outcomes) > seen)
    await asyncio.gather(*clients)
    await until(lambda: place.node.processes["haproxy"].poll() is not None, seconds=20)
    assert [hook.wait(10) for hook in hooks] == [0, 0, 0]
    print(f"{len(outcomes)} requests while leaving, {outcomes.count(200)} x 200")
    assert outcomes == [200] * len(outcomes)


async def test_leaving_waits_for_a_slow_request(fresh: Fresh) -> None:
    place = fresh(linger="0.2", keep_alive="1", grace="30")
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=3"))
        await place.runs(worker)
        hook = place.node.spawn("leave")
        async with await slow as answer:
            assert answer.status == 200
        await until(lambda: hook.poll() == 0)


async def test_clients_of_older_processes_are_served_while_leaving(fresh: Fresh) -> None:
    place = fresh(linger="0.2", keep_alive="3", grace="30")
    worker = place.worker()
    await place.up(worker)
    clients = [await asyncio.open_connection("127.0.0.1", place.node.port) for _ in range(4)]
    for client in clients:
        assert "200 ok" in await answered(client, place, "/")
    await place.pool("another")
    assert "200 ok" in await answered(clients[0], place, "/")  # passed on
    hook = place.node.spawn("leave")
    await until(lambda: place.node.status("/readyz") == 503)
    assert "200 ok" in await answered(clients[1], place, "/")
    await until(lambda: place.node.status("/healthz") == 0)
    for client in clients[2:]:
        assert "200 ok" in await answered(client, place, "/")
    await until(lambda: hook.poll() == 0)
    for client in clients:
        client[1].close()


async def test_what_is_held_while_leaving_is_still_served(fresh: Fresh) -> None:
    place = fresh(linger="0.2", keep_alive="1", grace="30")
    await place.pool()
    await place.site()
    async with place.session() as session:
        held = [asyncio.create_task(session.get("/")) for _ in range(5)]
        await until(lambda: (found := place.operator.reports.get(place.key())) and found.queued == 5)
        hook = place.node.spawn("leave")
        await until(lambda: (place.node.run / "stopping").exists())
        worker = place.worker()
        place.operator.put(place.described("pool", (worker,), {}))
        assert [(await request).status for request in held] == [200] * 5
    await until(lambda: hook.poll() == 0)


async def test_leaving_gives_up_when_its_grace_is_over(fresh: Fresh) -> None:
    place = fresh(linger="0.1", grace="1")
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=30"))
        await place.runs(worker)
        began = time.monotonic()
        hook = place.node.spawn("leave")
        await until(lambda: hook.poll() == 0)
        assert time.monotonic() - began < 10
        slow.cancel()


async def test_a_listener_that_knows_no_table_is_not_ready(fresh: Fresh) -> None:
    place = fresh(ready=False)
    place.operator.away()
    place.node.start()
    await until(lambda: place.node.status("/healthz") == 200)
    assert place.node.status("/readyz") == 503
    place.operator.start()
    await until(lambda: place.node.status("/readyz") == 200)
    assert place.node.status("/metrics") == 200
