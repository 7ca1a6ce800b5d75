"""The listener's end of the link: one WebSocket to the leading operator, opened again for as long as the agent lives.

What is to be said waits by subject, and the newest word on a subject replaces the one before, so a slow link sends
less and never older news. Every address of the operator's service is tried: its standby refuses connections. Losing
the link changes nothing for the requests that this listener serves, and neither does one that cannot be opened: for
whatever reason, it is tried again.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

import aiohttp

from webgarden_link import Demand, Hello, LinkError, Message, PoolReport, Refusal, Report, SiteReport, decode, encode
from webgarden_listener.credentials import Unreadable, authorization, trust
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
        self._missed = ""
        """What kept the last connection from being opened, and was said."""

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
            except Unreadable as error:
                self._miss(str(error))
            except (aiohttp.ClientError, OSError, TimeoutError, LinkError) as error:
                log.warning("No link to the operator at %s: %r", self._settings.url, error)
            if asyncio.get_running_loop().time() - began > LONGEST:
                pause = SHORTEST
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(LONGEST, pause * 2)

    def _miss(self, words: str) -> None:
        """It is the same until somebody mends it."""
        if words != self._missed:
            log.warning("No link to the operator at %s: %s", self._settings.url, words)
        self._missed = words

    async def _connect(self) -> None:
        connector = aiohttp.TCPConnector(use_dns_cache=False, force_close=True)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.ws_connect(
                self._settings.url,
                headers=authorization(self._settings.token),
                ssl=trust(self._settings.ca),
                heartbeat=HEARTBEAT,
                max_msg_size=0,
                timeout=CONNECT,
            ) as socket,
        ):
            await self._converse(socket)

    async def _converse(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        log.info("Linked to the operator at %s.", self._settings.url)
        self._missed = ""
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
