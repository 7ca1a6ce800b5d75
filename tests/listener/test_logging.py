"""What the listener logs of requests: those that failed, or all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from tests.listener.place import Place
from tests.listener.raw import Exchange, acted, client
from tests.listener.waiting import until

from webgarden_link import PoolState


def logged(place: Place) -> dict[str, dict[str, Any]]:
    """Requests in the log, by their paths."""
    lines = place.node.log.read_text().splitlines()
    return {line["uri"]: line for line in (json.loads(text) for text in lines if text.startswith("{"))}


async def asked(place: Place) -> None:
    """One request of each kind, and a last one that is always logged."""
    worker = place.worker()
    await place.up(worker)
    await place.pool("off", state=PoolState.STOPPED, reason="Disabled")
    await place.site(pool="/", off="/off")
    async with place.session() as session:
        for path in ("/fine", "/?status=404", "/?status=500", "/off"):
            await session.get(path)
    async with aiohttp.ClientSession() as stranger:
        await stranger.get(place.url("/nowhere"), headers={"Host": "nobody.example.com"})
    await until(lambda: "/nowhere" in logged(place))


async def test_by_default_what_failed_is_logged_with_its_reason(fresh: Callable[..., Place]) -> None:
    place = fresh()
    await asked(place)
    found = logged(place)
    assert found.keys() == {"/?status=500", "/off", "/nowhere"}
    assert (found["/off"]["status"], found["/off"]["reason"]) == (503, "Disabled")
    assert (found["/nowhere"]["status"], found["/nowhere"]["reason"]) == (404, "NoSite")
    assert (found["/?status=500"]["server"], found["/?status=500"]["reason"]) == ("w1", "")


async def test_a_request_that_its_worker_lost_is_logged_with_pool_and_worker(fresh: Callable[..., Place]) -> None:
    place = fresh()

    async def close(exchange: Exchange) -> None:
        exchange.close()

    async with acted(place, close) as worker, client(place) as asking:
        await place.up(worker.running)
        assert (await asking.ask("/lost")).status == 502
    await until(lambda: "/lost" in logged(place))
    line = logged(place)["/lost"]
    assert (line["reason"], line["pool"], line["server"]) == ("WorkerLost", place.backend(), "w1")


async def test_what_is_no_request_is_logged_with_its_reason(fresh: Callable[..., Place]) -> None:
    place = fresh()
    async with client(place) as asking:
        asking.send(b"nonsense\r\n\r\n")
        await asking.rest()
    await until(lambda: any(line["reason"] == "BadRequest" for line in logged(place).values()))


async def test_everything_is_logged_when_that_is_wanted(fresh: Callable[..., Place]) -> None:
    place = fresh(access_log="All")
    await asked(place)
    found = logged(place)
    assert found.keys() == {"/fine", "/?status=404", "/?status=500", "/off", "/nowhere"}
    assert (found["/fine"]["pool"], found["/fine"]["status"]) == (place.key().replace("/", ":"), 200)


@pytest.mark.parametrize("access_log", ["All", "Failed"])
async def test_no_request_is_logged_twice(fresh: Callable[..., Place], access_log: str) -> None:
    place = fresh(access_log=access_log)
    await asked(place)
    async with place.session() as session:
        given_up = asyncio.create_task(session.get("/given-up?seconds=5"))
        await place.runs(place.running[0])
        given_up.cancel()
        await until(lambda: "/given-up?seconds=5" in logged(place))
        await session.get("/?status=500&last")
    await until(lambda: "/?status=500&last" in logged(place))
    lines = [line for line in place.node.log.read_text().splitlines() if line.startswith("{")]
    assert len(lines) == len(logged(place))
