"""Where listeners come in: one WebSocket each, authenticated before anything is said.

A listener shows its projected service account token; `authenticate` asks the API server who that is. A token that is not a
listener's is answered 401 or 403 and logged; a listener that speaks another version of the messages is sent a `Refusal`. One
that does not read what it is sent is disconnected when its queue is full: it will come back and get the whole table.

Only the leader serves. The standby does not listen at all, so that a listener tries the next address.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import WSMsgType, web

import webgarden_link as link
from webgarden.link.hub import Hub

log = logging.getLogger(__name__)

PATH = "/link"
HEARTBEAT = 5.0
HELLO_WITHIN = 10.0
QUEUE = 10_000
LARGEST = 64 * 2**20


class Unknown(Exception):
    """Who knocks is no listener; the message says why."""


Authenticate = Callable[[str], Awaitable[str]]
"""Token -> name of the listener's pod. Raises `Unknown`."""


class Connection:
    """One listener that is connected."""

    def __init__(self, name: str, socket: web.WebSocketResponse) -> None:
        self.name = name
        self._socket = socket
        self._outbox: asyncio.Queue[link.Message] = asyncio.Queue(QUEUE)
        self.over = asyncio.Event()
        self.why = ""

    def tell(self, message: link.Message) -> None:
        try:
            self._outbox.put_nowait(message)
        except asyncio.QueueFull:
            self.dismiss("does not read what it is sent")

    def dismiss(self, why: str) -> None:
        self.why = why
        self.over.set()

    async def send_forever(self) -> None:
        while True:
            await self._socket.send_str(link.encode(await self._outbox.get()))


class LinkServer:
    def __init__(self, hub: Hub, authenticate: Authenticate) -> None:
        self._hub = hub
        self._authenticate = authenticate
        self._runner: web.AppRunner | None = None
        self._sockets: set[web.WebSocketResponse] = set()

    async def start(self, *, host: str, port: int, context: ssl.SSLContext | None) -> int:
        """Listen. Returns the port, which matters when 0 was asked for."""
        application = web.Application()
        application.router.add_get(PATH, self._handle)
        self._runner = web.AppRunner(application, access_log=None, handle_signals=False, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port, ssl_context=context)
        await site.start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        await asyncio.gather(*(socket.close() for socket in self._sockets))
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            log.warning("link: %s came without a token and was refused", request.remote)
            return web.Response(status=401, text="a listener's service account token is needed\n")
        try:
            name = await self._authenticate(token)
        except Unknown as reason:
            log.warning("link: %s was refused: %s", request.remote, reason)
            return web.Response(status=403, text=f"{reason}\n")
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=LARGEST)
        try:
            await socket.prepare(request)
        except ConnectionError:
            log.info("link: %s was gone before it could be let in", name)
            return socket
        self._sockets.add(socket)
        try:
            await self._welcome(name, socket)
        finally:
            self._sockets.discard(socket)
        return socket

    async def _welcome(self, name: str, socket: web.WebSocketResponse) -> None:
        try:
            await self._hello(socket)
        except (link.LinkError, TimeoutError) as error:
            log.warning("link: %s was refused: %s", name, error or "it said nothing")
            with suppress(ConnectionError):
                await socket.send_str(link.encode(link.Refusal(reason=str(error) or "no Hello came")))
                await socket.close()
            return
        connection = Connection(name, socket)
        log.info("link: listener %s has come in", name)
        self._hub.join(connection)
        try:
            await self._converse(connection, socket)
        finally:
            self._hub.leave(connection)
            log.info("link: listener %s has gone", name)

    async def _hello(self, socket: web.WebSocketResponse) -> None:
        """Raises `LinkError` unless the first frame is the greeting of a listener that speaks as we do."""
        frame = await socket.receive(timeout=HELLO_WITHIN)
        if frame.type is not WSMsgType.TEXT:
            raise link.LinkError("the first frame must be a Hello")
        message = link.decode(frame.data)
        if not isinstance(message, link.Hello):
            raise link.LinkError(f"the first message must be a Hello, not {message.kind}")
        if message.protocol != link.PROTOCOL:
            raise link.LinkError(
                f"this operator speaks version {link.PROTOCOL} of the link, the listener {message.protocol}:"
                " use images of one release"
            )

    async def _converse(self, connection: Connection, socket: web.WebSocketResponse) -> None:
        """Until either side ends it, or the connection is dismissed."""
        tasks = {
            asyncio.create_task(connection.send_forever()),
            asyncio.create_task(self._hear_forever(connection, socket)),
            asyncio.create_task(connection.over.wait()),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        for error in results:
            if isinstance(error, link.LinkError):
                log.warning("link: %s is disconnected: %s", connection.name, error)
            elif isinstance(error, Exception) and not isinstance(error, ConnectionError):
                log.error("link: %s is disconnected by a fault of ours", connection.name, exc_info=error)
        if connection.over.is_set():
            log.warning("link: %s %s and is disconnected", connection.name, connection.why)
        with suppress(ConnectionError):
            await socket.close()

    async def _hear_forever(self, connection: Connection, socket: web.WebSocketResponse) -> None:
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                self._hub.hear(connection, link.decode(frame.data))
