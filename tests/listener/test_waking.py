"""A pool without a worker: what comes waits, the operator hears of it, and the worker gets all of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.listener.place import Place, Running
from tests.listener.waiting import until


async def cold(place: Place, **fields: object) -> Running:
    """A site whose pool has no worker, and a worker that nobody knows of."""
    await place.pool(**fields)
    await place.site()
    return place.worker(limit=int(str(fields.get("limit", 100))))


async def demanded(place: Place) -> None:
    await until(lambda: place.operator.demands[place.key()] > 0)


async def test_a_get_wakes_the_pool_and_is_served(place: Place) -> None:
    worker = await cold(place)
    async with place.session() as session:
        request = asyncio.create_task(session.get("/hello?a=b"))
        await demanded(place)
        await place.pool(workers=(worker,))
        async with await request as answer:
            said = await answer.json()
    assert (answer.status, said["worker"], said["path"]) == (200, "w1", "/hello?a=b")
    await place.serving(worker)
