"""More clients than connections: those who only wait must not take the places of those who can be served."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from tests.listener.load import Load
from tests.listener.place import Place
from tests.listener.raw import Answer, Client, client
from tests.listener.waiting import until

Fresh = Callable[..., Place]
CONNECTIONS = 200


async def crowded(fresh: Fresh) -> Place:
    """A listener with few connections, a warm pool and ten that sleep."""
    place = fresh(connections=str(CONNECTIONS))
    worker = place.worker()
    cold = {f"cold{number}": f"/cold{number}" for number in range(10)}
    for name in cold:
        await place.pool(name)
    await place.pool(workers=(worker,))
    await place.site(pool="/", **cold)
    await place.serving(worker)
    return place


async def healthy(place: Place) -> bool:
    found = [await asyncio.to_thread(place.node.status, path) for path in ("/healthz", "/readyz")]
    return found == [200, 200]


async def test_full_queues_of_sleeping_pools_leave_room_for_warm_ones(fresh: Fresh) -> None:
    place = await crowded(fresh)
    refused: list[Answer] = []

    async def wait(number: int) -> None:
        async with client(place) as waiting:
            with contextlib.suppress(asyncio.IncompleteReadError, TimeoutError):
                refused.append(await waiting.ask(f"/cold{number % 10}"))

    crowd = [asyncio.create_task(wait(number)) for number in range(300)]
    await until(lambda: refused)
    async with Load(place) as warm:
        await warm.more()
        assert await healthy(place)
    for one in crowd:
        one.cancel()
    assert set(warm.outcomes) == {"200"}
    assert {(answer.status, answer.reason, answer.headers["connection"]) for answer in refused} == {
        (503, "Crowded", "close")
    }
    print(f"{len(refused)} of 300 who would wait were refused")
    assert len(refused) >= 300 - CONNECTIONS


async def test_kept_connections_that_do_nothing_leave_room_for_others(fresh: Fresh) -> None:
    place = await crowded(fresh)
    async with contextlib.AsyncExitStack() as kept:
        idle: list[Client] = []
        for _ in range(300):
            idle.append(await kept.enter_async_context(client(place)))
            assert (await idle[-1].ask()).status == 200
        async with Load(place) as warm:
            await warm.more()
            assert await healthy(place)
    assert set(warm.outcomes) == {"200"}
