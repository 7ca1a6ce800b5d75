"""The listener's end of the link: one WebSocket to the leading operator, opened again for as long as the agent lives.

What is to be said waits by subject, and the newest word on a subject replaces the one before, so a slow link sends
less and never older news. Every address of the operator's service is tried: its standby refuses connections. Losing
the link changes nothing for the requests that this listener serves.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Callable

import aiohttp

from webgarden_link import Demand, Hello, LinkError, Message, PoolReport, Refusal, Report, SiteReport, decode, encode
from webgarden_listener.settings import LinkSettings

HEARTBEAT = 10.0
SHORTEST, LONGEST = 0.2, 5.0
AFTER_REFUSAL = 5.0
TOGETHER = 500
"""Most subjects in one frame."""
CONNECT = aiohttp.ClientWSTimeout(ws_close=2.0)
log = logging.getLogger(__name__)


class Refused(Exception):
    """The operator does not want this listener, in its words."""


class Link:
    def __init__(self, settings: LinkSettings, *, heard: Callable[[Message], None], opened: Callable[[], None]) -> None:
        """`opened` is called after each Hello, before anything is heard; what it says goes out next."""
        self._settings = settings
        self._heard = heard
        self._opened = opened
        self._demands: dict[str, None] = {}
        self._reports: dict[tuple[type, str], PoolReport | SiteReport] = {}
        self._news = asyncio.Event()

    def demand(self, pool: str) -> None:
        self._demands[pool] = None
        self._news.set()

    def report(self, one: PoolReport | SiteReport) -> None:
        self._reports[type(one), one.key] = one
        self._news.set()

    async def run(self) -> None:
        pause = SHORTEST
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._connect()
                log.warning("The operator closed the link.")
            except Refused as error:
                log.error("The operator refuses this listener: %s", error)
                pause = AFTER_REFUSAL
            except (aiohttp.ClientError, OSError, TimeoutError, LinkError) as error:
                log.warning("No link to the operator at %s: %r", self._settings.url, error)
            if asyncio.get_running_loop().time() - began > LONGEST:
                pause = SHORTEST
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(LONGEST, pause * 2)

    async def _connect(self) -> None:
        connector = aiohttp.TCPConnector(use_dns_cache=False, force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.ws_connect(
                self._settings.url,
                headers=self._authorization(),
                ssl=self._tls(),
                heartbeat=HEARTBEAT,
                max_msg_size=0,
                timeout=CONNECT,
            ) as socket,
        ):
            await self._converse(socket)

    def _authorization(self) -> dict[str, str]:
        if self._settings.token is None:
            return {}
        return {"Authorization": f"Bearer {self._settings.token.read_text().strip()}"}

    def _tls(self) -> ssl.SSLContext | bool:
        if self._settings.ca is None or not self._settings.url.startswith("wss:"):
            return True
        return ssl.create_default_context(cafile=str(self._settings.ca))

    async def _converse(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        log.info("Linked to the operator at %s.", self._settings.url)
        self._demands.clear()
        self._reports.clear()
        await socket.send_str(encode(Hello(listener=self._settings.listener)))
        self._opened()
        speaking = asyncio.create_task(self._speak(socket))
        try:
            async for frame in socket:
                if frame.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                    self._hear(decode(frame.data))
        finally:
            speaking.cancel()
            await asyncio.wait([speaking])

    def _hear(self, message: Message) -> None:
        if isinstance(message, Refusal):
            raise Refused(message.reason)
        self._heard(message)

    async def _speak(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while message := self._next():
                try:
                    await socket.send_str(encode(message))
                except (aiohttp.ClientError, OSError):
                    return  # the reading side ends as well, and the next connection says it all again

    def _next(self) -> Demand | Report | None:
        """The next frame: somebody waits for a demand, and reports go together."""
        if self._demands:
            return Demand(pool=self._demands.popitem()[0])
        taken = [self._reports.pop(key) for key in list(self._reports)[:TOGETHER]]
        if not taken:
            return None
        return Report(
            pools=tuple(one for one in taken if isinstance(one, PoolReport)),
            sites=tuple(one for one in taken if isinstance(one, SiteReport)),
        )
