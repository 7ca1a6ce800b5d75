"""Pools come and go: what one of them does is no other's concern."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiohttp
from tests.listener.load import Load
from tests.listener.place import Place
from tests.listener.raw import OK, Exchange, acted
from tests.listener.waiting import until, until_async

from webgarden_link import Application, Binding, Site, WorkerStatus


async def test_a_waiting_request_does_not_delay_another_sites_route(place: Place) -> None:
    worker = place.worker()
    await place.pool("other", workers=(worker,))
    await place.serving(worker, pool="other")
    await place.pool()
    await place.site()
    async with place.session() as session, aiohttp.ClientSession(headers={"Host": f"new.{place.host}"}) as stranger:
        held = asyncio.create_task(session.get("/"))
        await place.demanded()
        began = time.monotonic()
        place.operator.put(
            Site(
                key=place.key("new"),
                bindings=(Binding(port=80, host=f"new.{place.host}"),),
                applications=(Application(path="/", pool=place.key("other")),),
            )
        )

        async def live() -> bool:
            async with stranger.get(place.url("/")) as answer:
                return answer.status == 200

        await until_async(live)
        took = time.monotonic() - began
        print(f"a site was live after {took * 1000:.0f} ms while a request waited")
        held.cancel()
    assert took < 1


async def test_the_servers_of_a_removed_pool_are_gone(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    await until(lambda: place.servers() == {"_bell", "w1"})
    place.operator.remove(pools=(place.key(),))
    await until(lambda: not place.servers())


async def test_pools_that_are_made_and_removed_at_once_leave_nothing_and_keep_nobody_busy(place: Place) -> None:
    worker = place.worker()
    names = [f"short{number}" for number in range(20)]
    for name in names:
        place.operator.put(place.described(name, (worker,), {}))
        place.operator.remove(pools=(place.key(name),))
    await place.pool("last")
    await until(lambda: not any(place.servers(name) for name in names))
    before, began = place.node.cpu("agent"), time.monotonic()
    await until(lambda: time.monotonic() - began >= 2)
    spent = place.node.cpu("agent") - before
    print(f"the agent at rest: {spent:.2f} s of a core in 2 s")
    assert spent < 0.4


async def test_a_removed_pool_gives_back_those_who_wait_in_it(place: Place) -> None:
    await place.pool()
    await place.site()
    async with place.session() as session:
        held = [asyncio.create_task(session.get("/")) for _ in range(5)]
        await until(lambda: place.waiting() == 5)
        place.operator.remove(pools=(place.key(),))
        answers = [await request for request in held]
    assert {answer.status for answer in answers} == {503}
    assert {answer.headers["X-Webgarden-Reason"] for answer in answers} == {"PoolMissing"}


async def test_traffic_does_not_feel_other_pools(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    async with Load(place) as gets, Load(place, method="POST") as posts:
        for number in range(5):
            await place.pool(f"new{number}", workers=(worker,))
            await gets.more(50)
            place.operator.remove(pools=(place.key(f"new{number}"),))
    assert set(gets.outcomes + posts.outcomes) == {"200"}
    await place.counted(worker, (gets.outcomes + posts.outcomes).total())


async def test_a_comma_in_what_haproxy_says_of_a_worker_makes_it_no_stranger(place: Place) -> None:
    """A worker whose address were misread would be taken for another one, and its requests cut.

    The only text in HAProxy's table that others write is an agent check's, so the test adds the worker with one.
    """
    opinion, over = [b"up\n"], asyncio.Event()

    async def tell(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(opinion[0])
        writer.close()

    async def slow(exchange: Exchange) -> None:
        await over.wait()
        await exchange.say(OK)

    await place.pool()
    await place.site()
    async with await asyncio.start_server(tell, "127.0.0.1", 0) as checker, acted(place, slow) as worker:
        server, at = f"{place.backend()}/w1", f"127.0.0.1:{worker.running.worker.port} maxconn 100 check"
        check = f"agent-check agent-port {checker.sockets[0].getsockname()[1]} agent-inter 100ms"
        with place.node.paused("agent"):
            place.node.ask(f"add server {server} {at} {check};enable agent {server};set server {server} state ready")
            place.operator.put(place.described("pool", (worker.running,), {}))
        await place.serving(worker.running)
        async with place.session() as session:
            request = asyncio.create_task(session.post("/", data=b"x"))
            await place.in_flight(worker.running, 1)
            opinion[0] = b"down #no, not now, really\n"
            await place.state(worker.running, WorkerStatus.DOWN)
            assert "not now, really" in place.node.ask(f"show stat {place.backend()} 4 -1")
            over.set()
            assert (await request).status == 200


async def test_a_pool_that_is_made_again_while_it_goes_is_served(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=3"))
        await place.runs(worker)

        async def missing() -> bool:
            async with session.get("/") as answer:
                return answer.headers.get("X-Webgarden-Reason") == "PoolMissing"

        place.operator.remove(pools=(place.key(),))
        await until_async(missing)
        await place.pool(workers=(worker,))
        await place.serving(worker)
        async with await slow as ended, session.get("/") as answer:
            assert (ended.status, answer.status) == (200, 200)


async def test_a_backend_that_was_made_half_is_made_whole(fresh: Callable[..., Place]) -> None:
    place = fresh(ready=False)
    place.node.start("haproxy")
    await until(lambda: place.node.status("/healthz") == 200)
    place.node.ask(f"add backend {place.key().replace('/', ':')} from pool")  # and then its agent was killed
    place.node.start("agent")
    await until(lambda: place.operator.linked)
    await place.pool()
    await place.site()
    async with place.session() as session:
        request = asyncio.create_task(session.get("/"))
        await until(lambda: place.operator.demands[place.key()] > 0)
        await place.pool(workers=(place.worker(),))
        async with await request as answer:
            assert answer.status == 200


async def test_an_agent_that_hears_of_no_table_is_at_rest(fresh: Callable[..., Place]) -> None:
    place = fresh(ready=False)
    place.operator.silent = True
    place.node.start()
    await until(lambda: place.operator.linked)
    before, began = place.node.cpu("agent"), time.monotonic()
    await until(lambda: time.monotonic() - began >= 2)
    assert place.node.cpu("agent") - before < 0.4
