"""A worker whose node is gone swallows packets: a request that was not sent yet goes elsewhere, soon.

Played by a listening socket that nobody accepts from: once its backlog is full, the kernel drops what else comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator

from tests.listener.place import Place, Running

SOON = 3.0
PATIENT = 0.2
"""Seconds after which a connection over loopback counts as swallowed."""


class Node:
    def __init__(self, worker: Running) -> None:
        self.worker = worker
        self._listener = socket.create_server(("127.0.0.1", worker.worker.port), backlog=0)
        self._listener.setblocking(False)
        self._well = asyncio.create_task(self._accept())
        self._filling: list[socket.socket] = []

    async def _accept(self) -> None:
        """What answers a port is well, as far as HAProxy's checks go."""
        while True:
            accepted, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            accepted.close()

    async def swallow(self) -> None:
        self._well.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._well
        loop = asyncio.get_running_loop()
        with contextlib.suppress(TimeoutError):
            while True:
                self._filling.append(socket.socket())
                self._filling[-1].setblocking(False)
                async with asyncio.timeout(PATIENT):
                    await loop.sock_connect(self._filling[-1], ("127.0.0.1", self.worker.worker.port))

    def close(self) -> None:
        self._well.cancel()
        for one in (*self._filling, self._listener):
            one.close()


@contextlib.asynccontextmanager
async def node(place: Place, name: str) -> AsyncIterator[Node]:
    made = Node(place.worker(name, start=False))
    try:
        yield made
    finally:
        made.close()


async def took(place: Place, count: int) -> tuple[list[int], float]:
    """The statuses of so many requests at once, and the seconds until the last was answered."""
    began = time.monotonic()
    async with place.session() as session:
        answers = await asyncio.gather(*(session.get("/") for _ in range(count)))
    return [answer.status for answer in answers], time.monotonic() - began


async def test_requests_for_a_node_that_is_gone_go_to_another_worker(place: Place) -> None:
    async with node(place, "gone") as gone:
        other = place.worker("other")
        await place.up(gone.worker, other)
        await gone.swallow()
        statuses, seconds = await took(place, 10)
    print(f"10 requests, one of two nodes gone: the last was answered after {seconds:.2f} s")
    assert statuses == [200] * 10
    assert seconds < SOON


async def test_requests_for_the_only_node_which_is_gone_go_to_the_worker_that_comes(place: Place) -> None:
    async with node(place, "gone") as gone:
        await place.up(gone.worker)
        await gone.swallow()
        waiting = asyncio.create_task(took(place, 10))
        await place.demanded()
        began = time.monotonic()
        await place.pool(workers=(gone.worker, place.worker("next")))
        statuses, _ = await waiting
        seconds = time.monotonic() - began
    print(f"10 requests, the only node gone: answered {seconds:.2f} s after another worker was made known")
    assert statuses == [200] * 10
    assert seconds < SOON
