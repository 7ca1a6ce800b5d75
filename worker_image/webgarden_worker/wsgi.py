"""A WSGI application as an ASGI one, on a2wsgi, with the ends a2wsgi leaves loose tied up.

One thread pool serves all WSGI applications of the process, so one ping through it speaks for all of them.
a2wsgi maps the environment and the calls. What this adds:
- `wsgi.input` is a real buffered reader. (a2wsgi's `readline(n)` reports the end of a body that is still coming.)
- `wsgi.input_terminated`, without which Werkzeug takes a chunked body for an empty one.
- A client that goes away is noticed once its body is read. A cut upload raises `ClientGone` in `read()` instead of
  looking like a short complete one, and an endless response ends at its next chunk instead of keeping a thread.
- An answer the server refuses (longer than its Content-Length) raises in the thread; a2wsgi's queue would block it.
"""

import asyncio
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from a2wsgi.wsgi import WSGIResponder
from a2wsgi.wsgi_typing import Environ, StartResponse, WSGIApp
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose


class ClientGone(ConnectionError):
    """The client closed the connection before its request was answered."""


class WSGIApplication:
    """Serves HTTP; a WebSocket is refused. No lifespan: WSGI knows none."""

    def __init__(self, application: WSGIApp, *, threads: ThreadPoolExecutor) -> None:
        self._application = application
        self._threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        client = _Client(receive, send)
        if not _has_body(scope):
            client.watch()
        try:
            await _Responder(self._application, threads=self._threads, client=client)(scope, receive, send)  # type: ignore[arg-type]
        except ClientGone:
            return  # Nobody is left to answer, and the application has seen the exception.
        finally:
            client.forget()


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


class _Client:
    """The other end of one request. Lives in the event loop."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._gone = False
        self._watch: asyncio.Task[None] | None = None

    async def receive(self) -> Message:
        if self._watch is not None:
            return {"type": "http.request", "body": b"", "more_body": False}
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._gone = True
            raise ClientGone("the client closed the connection in the middle of its request")
        if not message.get("more_body", False):
            self.watch()
        return message

    async def send(self, message: Message) -> None:
        if self._gone:
            raise ClientGone("the client closed the connection before the response was complete")
        await self._send(message)

    def watch(self) -> None:
        """Begin to look for the disconnect. Only once the body is read: both come through the same call, so earlier
        it would take pieces of the body away from the application."""
        self._watch = asyncio.get_running_loop().create_task(self._watch_for_disconnect())

    async def _watch_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._gone = True

    def forget(self) -> None:
        if self._watch is not None:
            self._watch.cancel()


class _Input(io.RawIOBase):
    """The request's body, read from a thread."""

    def __init__(self, client: _Client, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop
        self._rest = memoryview(b"")
        self._more = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 (the buffer protocol has no name before Python 3.12)
        while self._more and not self._rest:
            message = asyncio.run_coroutine_threadsafe(self._client.receive(), self._loop).result()
            self._rest = memoryview(message.get("body", b""))
            self._more = message.get("more_body", False)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count


class _Responder(WSGIResponder):
    """a2wsgi's responder with our input and a direct way to the client."""

    def __init__(self, application: WSGIApp, *, threads: ThreadPoolExecutor, client: _Client) -> None:
        super().__init__(application, threads, 1)
        self._client = client

    def send(self, message: Any) -> None:  # noqa: ANN401 (a2wsgi's types of messages and Starlette's do not agree)
        asyncio.run_coroutine_threadsafe(self._client.send(message), self.loop).result()

    def wsgi(self, environ: Environ, start_response: StartResponse) -> None:
        environ["wsgi.input"] = io.BufferedReader(_Input(self._client, self.loop))
        environ["wsgi.input_terminated"] = True  # type: ignore[typeddict-unknown-key]
        super().wsgi(environ, start_response)
