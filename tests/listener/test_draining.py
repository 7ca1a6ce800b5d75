"""Workers come and go: nobody notices, and `Drained` is true when it is said."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable

import aiohttp
import pytest
from tests.listener.place import Place, Running
from tests.listener.waiting import until


def with_draining(worker: Running, draining: bool) -> Running:
    worker.worker = worker.worker.model_copy(update={"draining": draining})
    return worker


class Load:
    """Clients that ask one request after the other until they are told to stop."""

    def __init__(self, place: Place, *, clients: int = 8, method: str = "GET") -> None:
        self._place = place
        self._clients = clients
        self._method = method
        self._stop = asyncio.Event()
        self.outcomes: Counter[str] = Counter()
        self.by_worker: Counter[str] = Counter()

    async def __aenter__(self) -> Load:
        self._session = self._place.session()
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)
        await self._session.close()
        print(f"{self._method}: {dict(self.outcomes)}, by worker {dict(self.by_worker)}")

    async def _ask(self) -> None:
        body = b"x" * 100 if self._method == "POST" else None
        while not self._stop.is_set():
            try:
                async with self._session.request(self._method, "/", data=body) as answer:
                    said = await answer.json(content_type=None) if answer.status == 200 else {"worker": ""}
                    self.outcomes[str(answer.status)] += 1
                    self.by_worker[said["worker"]] += 1
            except aiohttp.ClientError as error:
                self.outcomes[type(error).__name__] += 1

    async def more(self, count: int = 200) -> None:
        """Until so many more were answered."""
        enough = self.outcomes.total() + count
        await until(lambda: self.outcomes.total() >= enough)


async def test_draining_and_its_end_lose_nothing_under_load(place: Place) -> None:
    workers = (place.worker("w1"), place.worker("w2"))
    await place.up(*workers)
    async with Load(place) as gets, Load(place, method="POST") as posts:
        for _ in range(3):
            for worker in workers:
                await gets.more(100)
                with_draining(worker, True)
                await place.pool(workers=workers)
                await until(lambda worker=worker: place.operator.state(place.key(), worker.worker.name) == "Drained")  # type: ignore[misc]
                with_draining(worker, False)
                await place.pool(workers=workers)
                await place.serving(worker)
    assert set(gets.outcomes) == {"200"}
    assert set(posts.outcomes) == {"200"}
    total = gets.by_worker + posts.by_worker
    await until(
        lambda: all(
            (found := place.operator.worker(place.key(), name)) and found.requests == count
            for name, count in total.items()
        )
    )


async def test_a_recycle_replaces_workers_without_a_failure(place: Place) -> None:
    old = place.worker("w0")
    await place.up(old)
    async with Load(place) as gets, Load(place, method="POST") as posts:
        for number in range(1, 4):
            new = place.worker(f"w{number}")
            await place.pool(workers=(old, new))
            await place.serving(new)
            with_draining(old, True)
            await place.pool(workers=(old, new))
            await until(lambda old=old: place.operator.state(place.key(), old.worker.name) == "Drained")  # type: ignore[misc]
            old.kill()
            await place.pool(workers=(new,))
            await gets.more(100)
            old = new
    assert set(gets.outcomes + posts.outcomes) == {"200"}


async def test_a_request_that_comes_while_the_last_worker_drains_is_held_for_the_next(place: Place) -> None:
    last, following = place.worker("last"), place.worker("next")
    await place.up(last)
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=1.5"))
        await place.runs(last)
        with_draining(last, True)
        await place.pool(workers=(last,))
        held = [asyncio.create_task(session.get("/held")) for _ in range(5)]
        await until(lambda: place.operator.demands[place.key()])
        await place.pool(workers=(last, following))
        said = [await (await request).json() for request in held]
        assert [one["worker"] for one in said] == ["next"] * 5
        assert (await (await slow).json())["worker"] == "last"


async def test_who_was_held_while_a_full_worker_drained_waits_for_its_place_when_it_is_taken_back(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=1.5"))
        await place.runs(worker)
        with_draining(worker, True)
        await place.pool(workers=(worker,))
        held = [asyncio.create_task(session.post("/held", data=b"x")) for _ in range(3)]
        await until(lambda: place.operator.demands[place.key()])
        with_draining(worker, False)
        await place.pool(workers=(worker,))
        assert [(await request).status for request in (slow, *held)] == [200] * 4
    assert (await worker.counters())["most"] == 1


async def test_those_who_queue_when_the_last_worker_drains_are_not_forgotten(place: Place) -> None:
    last, following = place.worker("last"), place.worker("next")
    await place.up(last)
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=4"))
        await place.runs(last)
        held = [asyncio.create_task(session.get("/held")) for _ in range(5)]
        await until(lambda: place.operator.reports[place.key()].queued == 5)
        with_draining(last, True)
        await place.pool(workers=(last,))
        await until(lambda: place.operator.demands[place.key()])
        await place.pool(workers=(last, following))
        said = [await (await request).json() for request in held]
        assert [one["worker"] for one in said] == ["next"] * 5
        assert (await slow).status == 200


async def test_drained_is_said_only_when_the_last_request_has_ended(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=1.5"))
        await place.runs(worker)
        with_draining(worker, True)
        await place.pool(workers=(worker,))
        await until(lambda: place.operator.state(place.key(), "w1") == "Draining")
        await until(lambda: place.operator.state(place.key(), "w1") == "Drained")
        assert slow.done() or (await worker.counters())["running"] == 0
        assert (await slow).status == 200


async def test_drained_is_not_said_while_the_gate_carries_a_request(place: Place) -> None:
    worker = place.worker()
    await place.pool()
    await place.site()
    async with place.session() as session:
        waking = asyncio.create_task(session.ws_connect("/ws"))
        await until(lambda: place.operator.demands[place.key()])
        await place.pool(workers=(worker,))
        async with await waking as socket:
            with_draining(worker, True)
            await place.pool(workers=(worker,))
            await until(lambda: place.operator.state(place.key(), "w1") == "Draining")
            await socket.send_str("still here")
            assert await socket.receive_str() == "w1: still here"
            assert place.operator.state(place.key(), "w1") == "Draining"
        await until(lambda: place.operator.state(place.key(), "w1") == "Drained")


async def test_drained_is_not_said_while_an_older_process_runs_a_request(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    async with place.session() as session:
        slow = asyncio.create_task(session.get("/?seconds=1.5"))
        await place.runs(worker)
        await place.pool("another")  # a new pool needs a reload
        with_draining(worker, True)
        await place.pool(workers=(worker,))
        assert place.operator.state(place.key(), "w1") in ("Serving", "Draining")
        await until(lambda: place.operator.state(place.key(), "w1") == "Drained")
        assert (await worker.counters())["running"] == 0
        assert (await slow).status == 200


async def test_drained_is_not_said_until_the_gate_has_heard_of_it(fresh: Callable[..., Place]) -> None:
    place = fresh()
    worker = place.worker()
    await place.up()
    child = place.node.gate_child()
    os.kill(child, signal.SIGSTOP)
    # What the gate does not hear yet: that it may carry requests to the worker, and then that it may not.
    await place.pool(workers=(worker,))
    await place.serving(worker)
    with_draining(worker, True)
    await place.pool(workers=(worker,))
    await until(lambda: place.operator.state(place.key(), "w1") == "Draining")
    await place.pool("another")  # a reload: time enough to look at the worker several times
    assert place.operator.state(place.key(), "w1") == "Draining"
    os.kill(child, signal.SIGCONT)
    await until(lambda: place.operator.state(place.key(), "w1") == "Drained")


async def answered(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], place: Place, path: str) -> str:
    """What a client that keeps its connection gets: the head, an empty line, the body."""
    streams[1].write(f"GET {path} HTTP/1.1\r\nHost: {place.host}\r\n\r\n".encode())
    head = (await asyncio.wait_for(streams[0].readuntil(b"\r\n\r\n"), 15)).decode().lower()
    size = int(head.partition("content-length: ")[2].split()[0])
    return head + (await streams[0].readexactly(size)).decode()


async def test_a_client_of_an_older_process_does_not_get_to_a_drained_worker(fresh: Callable[..., Place]) -> None:
    place = fresh(access_log="All")
    worker, other = place.worker("a"), place.worker("b")
    await place.up(worker)
    client = await asyncio.open_connection("127.0.0.1", place.node.port)
    assert '"worker": "a"' in await answered(client, place, "/")
    await place.pool("another")  # a new pool needs a reload
    await place.pool("third")
    await place.pool(workers=(worker, other))
    await place.serving(other)
    with_draining(worker, True)
    await place.pool(workers=(worker, other))
    await until(lambda: place.operator.state(place.key(), "a") == "Drained")
    worker.kill()
    said = await answered(client, place, "/Some/../path?x=1")
    assert said.startswith("http/1.1 200")
    assert "connection: close" in said
    assert '"worker": "b", "method": "GET", "path": "/path?x=1"' in said
    assert '"x-forwarded-for": ["127.0.0.1"]' in said
    async with place.session() as session:
        await session.get("/later")
    await until(lambda: "/later" in place.node.log.read_text())
    lines = [line for line in place.node.log.read_text().splitlines() if "path?x=1" in line]
    assert len(lines) == 1
    assert '"client":"127.0.0.1"' in lines[0].replace(" ", "")
    client[1].close()


async def test_a_worker_that_leaves_the_table_loses_the_requests_it_still_runs(place: Place) -> None:
    worker, other = place.worker("w1"), place.worker("w2")
    await place.up(worker)
    async with place.session() as session:
        slow = asyncio.create_task(session.post("/?seconds=30", data=b"a client does not repeat this by itself"))
        await place.runs(worker)
        await place.pool(workers=(other,))
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await slow
        async with session.get("/") as answer:
            assert (await answer.json())["worker"] == "w2"
    inside = f"@!{place.node.pids()[0]} show servers state {place.key().replace('/', ':')}"
    await until(lambda: " w1 " not in place.node.ask(inside))


async def test_a_websocket_through_the_gate_ends_when_its_worker_leaves_the_table(place: Place) -> None:
    worker = place.worker()
    await place.pool()
    await place.site()
    async with place.session() as session:
        waking = asyncio.create_task(session.ws_connect("/ws"))
        await until(lambda: place.operator.demands[place.key()])
        await place.pool(workers=(worker,))
        async with await waking as socket:
            await place.pool(workers=())
            message = await socket.receive()
            assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR, aiohttp.WSMsgType.CLOSE)


async def test_another_address_under_the_same_name_is_another_worker(place: Place) -> None:
    first, second = place.worker("w1"), place.worker("w1")
    await place.up(first)
    await place.pool(workers=(second,))
    async with place.session() as session:
        for _ in range(5):
            async with session.get("/") as answer:
                assert answer.status == 200
    assert (await first.counters())["total"] == 0
    assert (await second.counters())["total"] == 5


async def test_a_worker_that_dies_is_found_out_and_used_again_when_it_is_back(place: Place) -> None:
    worker = place.worker()
    await place.up(worker)
    worker.kill()
    await until(lambda: place.operator.state(place.key(), "w1") == "Waiting")
    async with place.session() as session:
        held = asyncio.create_task(session.get("/"))
        await until(lambda: place.operator.demands[place.key()])
        worker.start()
        assert (await held).status == 200
