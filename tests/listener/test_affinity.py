"""Sites whose clients keep to their workers by a cookie."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp
from tests.listener.load import Load
from tests.listener.place import Place, Running
from tests.listener.waiting import until

from webgarden_link import WorkerStatus

COOKIE = "WebgardenWorker"


async def kept(place: Place) -> tuple[Running, Running]:
    workers = (place.worker("w1"), place.worker("w2"))
    await place.pool(workers=workers)
    await place.affine_site()
    await place.serving(*workers)
    return workers


def browser(place: Place) -> aiohttp.ClientSession:
    """A client that keeps its cookies, though it asks an address."""
    jar = aiohttp.CookieJar(unsafe=True)
    return aiohttp.ClientSession(place.url(), headers={"Host": place.host}, cookie_jar=jar)


async def asked(session: aiohttp.ClientSession, times: int = 10) -> Counter[str]:
    """The workers that answered."""
    found: Counter[str] = Counter()
    for _ in range(times):
        async with session.get("/") as answer:
            found[(await answer.json())["worker"]] += 1
    return found


async def test_a_client_stays_on_its_worker(place: Place) -> None:
    await kept(place)
    used: set[str] = set()
    for _ in range(4):
        async with browser(place) as session:
            found = await asked(session)
            assert len(found) == 1
            used |= set(found)
    assert used == {"w1", "w2"}


async def test_the_cookie_is_out_of_reach_for_scripts_and_never_seen_by_the_worker(place: Place) -> None:
    await kept(place)
    async with browser(place) as session:
        async with session.get("/") as first:
            cookie = first.cookies[COOKIE]
        async with session.get("/", headers={"X-Mine": "1"}) as second:
            headers = (await second.json())["headers"]
    assert cookie["httponly"]
    assert "cookie" not in headers


async def test_a_client_whose_worker_drains_goes_to_another_and_stays_there(place: Place) -> None:
    workers = await kept(place)
    async with browser(place) as session:
        (first,) = await asked(session, 3)
        leaving = next(one for one in workers if one.worker.name == first)
        staying = next(one for one in workers if one.worker.name != first)
        await place.drain(leaving, staying)
        (second,) = await asked(session, 3)
        assert second == staying.worker.name
        await place.drained(leaving)
        await place.take_back(leaving, staying)
        await place.serving(leaving)
        assert await asked(session) == {second: 10}


async def test_a_site_that_turns_it_on_and_off_under_load_loses_nothing(place: Place) -> None:
    workers = (place.worker("w1"), place.worker("w2"))
    await place.up(*workers)
    async with Load(place) as gets, Load(place, method="POST") as posts:
        for change in (place.affine_site, place.site, place.affine_site, place.site):
            await change()
            await gets.more(50)
    assert set(gets.outcomes + posts.outcomes) == {"200"}
    total = gets.by_worker + posts.by_worker
    for worker in workers:
        await place.counted(worker, total[worker.worker.name])


async def test_a_sleeping_pool_wakes_and_its_client_keeps_to_the_worker_that_came(place: Place) -> None:
    await place.pool()
    await place.affine_site()
    async with browser(place) as session:
        waking = asyncio.create_task(session.get("/"))
        await place.demanded()
        await place.pool(workers=(place.worker("w1"),))
        assert (await waking).cookies[COOKIE].value
        assert await asked(session, 3) == {"w1": 3}


async def test_without_it_no_cookie_is_set(place: Place) -> None:
    await place.up(place.worker())
    async with browser(place) as session, session.get("/") as answer:
        assert not answer.cookies


async def test_a_request_that_runs_while_its_pool_changes_is_waited_for(place: Place) -> None:
    worker, other = place.worker("w1"), place.worker("w2")
    await place.up(worker)
    async with place.session() as session:
        slow = asyncio.create_task(session.post("/?seconds=2", data=b"x"))
        await place.runs(worker)
        await place.affine_site()
        await place.drain(worker, other)
        await place.state(worker, WorkerStatus.DRAINING)
        assert not slow.done()
        await place.drained(worker)
        async with await slow as answer:
            assert (answer.status, (await answer.json())["worker"]) == (200, "w1")


async def test_those_who_wait_while_their_pool_changes_are_served(place: Place) -> None:
    worker = place.worker()
    await place.pool()
    await place.site()
    async with place.session() as session:
        waiting = [asyncio.create_task(session.get("/")) for _ in range(3)]
        await until(lambda: place.waiting() == 3)
        await place.affine_site()
        before = place.operator.demands[place.key()]
        await until(lambda: place.operator.demands[place.key()] > before)
        await place.pool(workers=(worker,))
        answers = await asyncio.gather(*waiting)
    assert [answer.status for answer in answers] == [200] * 3
