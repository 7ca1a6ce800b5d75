"""An operator for the tests: serves the link, sends the table it is given, and remembers all it hears.

It lives in a thread of its own, so that listeners may stay linked to it while tests and their event loops come and go.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import WSCloseCode, WSMsgType, web

from webgarden_link import (
    Change,
    Demand,
    Hello,
    Listeners,
    Message,
    Pool,
    PoolReport,
    Refusal,
    Report,
    Site,
    SiteReport,
    Table,
    WorkerReport,
    decode,
    encode,
)

T = TypeVar("T")


class FakeOperator:
    def __init__(self) -> None:
        self.pools: dict[str, Pool] = {}
        self.sites: dict[str, Site] = {}
        self.version = 0
        self.heard: list[Message] = []
        self.reports: dict[str, PoolReport] = {}
        self.site_reports: dict[str, SiteReport] = {}
        self.demands: Counter[str] = Counter()
        self.listeners = 1
        self.hellos: list[Hello] = []
        self.tokens: list[str] = []
        self.refusal: str | None = None
        self.silent = False
        """Whether a listener that says Hello gets no answer."""
        self.port = 0
        self._sockets: set[web.WebSocketResponse] = set()
        self._runner: web.AppRunner | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/link"

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def start(self) -> None:
        self._call(self._start())

    def away(self) -> None:
        """Close every link and refuse new ones, like an operator that is gone."""
        self._call(self._stop())

    def close(self) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def linked(self) -> bool:
        return bool(self._sockets)

    def put(self, *things: Pool | Site) -> int:
        """New or changed pools and sites, with the version that they have from now on."""
        self.version += 1
        versioned = [thing.model_copy(update={"version": self.version}) for thing in things]
        pools = tuple(thing for thing in versioned if isinstance(thing, Pool))
        sites = tuple(thing for thing in versioned if isinstance(thing, Site))
        self.pools.update({pool.key: pool for pool in pools})
        self.sites.update({site.key: site for site in sites})
        self.say(encode(Change(pools=pools, sites=sites)))
        return self.version

    def remove(self, *, pools: tuple[str, ...] = (), sites: tuple[str, ...] = ()) -> None:
        for key in pools:
            self.pools.pop(key, None)
            self.reports.pop(key, None)
        for key in sites:
            self.sites.pop(key, None)
            self.site_reports.pop(key, None)
        self.say(encode(Change(removed_pools=pools, removed_sites=sites)))

    def share(self, listeners: int) -> None:
        """Say among how many listeners limits are divided."""
        self.listeners = listeners
        self.say(encode(Listeners(count=listeners)))

    def has(self, key: str, version: int) -> bool:
        """Whether the listener has said that HAProxy has this version of a pool or site, or a later one."""
        known = (self.reports.get(key), self.site_reports.get(key))
        return any(one is not None and one.version >= version for one in known)

    def say(self, text: str) -> None:
        self._call(self._send(text))

    def worker(self, pool: str, name: str) -> WorkerReport | None:
        found = self.reports.get(pool)
        return next((one for one in found.workers if one.name == name), None) if found else None

    def state(self, pool: str, name: str) -> str:
        found = self.worker(pool, name)
        return found.state if found else ""

    async def _send(self, text: str) -> None:
        for socket in list(self._sockets):
            with contextlib.suppress(ConnectionError):  # a listener that has just ended hears nothing
                await socket.send_str(text)

    async def _start(self) -> None:
        application = web.Application()
        application.router.add_get("/link", self._serve)
        self._runner = web.AppRunner(application, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        for socket in list(self._sockets):
            await socket.close(code=WSCloseCode.GOING_AWAY)
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        self.tokens.append(request.headers.get("Authorization", ""))
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    await self._hear(socket, decode(frame.data))
        finally:  # also when it is cancelled, since all links are being closed
            self._sockets.discard(socket)
        return socket

    async def _hear(self, socket: web.WebSocketResponse, message: Message) -> None:
        self.heard.append(message)
        match message:
            case Hello():
                self.hellos.append(message)
                await self._welcome(socket)
            case Report():
                self.reports.update({one.key: one for one in message.pools})
                self.site_reports.update({one.key: one for one in message.sites})
            case Demand():
                self.demands[message.pool] += 1
            case _:
                raise AssertionError(message)

    async def _welcome(self, socket: web.WebSocketResponse) -> None:
        if self.refusal is not None:
            await socket.send_str(encode(Refusal(reason=self.refusal)))
            await socket.close()
            return
        self._sockets.add(socket)
        if not self.silent:
            await socket.send_str(self._table())

    def greet(self) -> None:
        """The answer to a Hello, after silence."""
        self.say(self._table())

    def _table(self) -> str:
        pools, sites = tuple(self.pools.values()), tuple(self.sites.values())
        return encode(Table(listeners=self.listeners, pools=pools, sites=sites))
