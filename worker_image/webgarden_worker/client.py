"""The other end of one request. Lives in the event loop.

A client that goes away is noticed once its body is read: both come through the same call, so looking for it earlier
would take pieces of the body away from the application. A cut upload raises `ClientGone` instead of looking like a
short complete one.
"""

import asyncio

from starlette.types import Message, Receive, Scope, Send


class ClientGone(ConnectionError):
    """The client closed the connection before its request was answered."""


class Client:
    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._watch: asyncio.Task[None] | None = None
        self.gone = asyncio.Event()
        self.begun = False
        """Whether it has the answer's head."""
        if not has_body(scope):
            self._begin_to_watch()

    async def receive(self) -> Message:
        if self._watch is not None:
            return {"type": "http.request", "body": b"", "more_body": False}
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.gone.set()
            raise ClientGone("the client closed the connection in the middle of its request")
        if not message.get("more_body", False):
            self._begin_to_watch()
        return message

    async def send(self, message: Message) -> None:
        if self.gone.is_set():
            raise ClientGone("the client closed the connection before the response was complete")
        self.begun = True
        await self._send(message)

    def forget(self) -> None:
        if self._watch is not None:
            self._watch.cancel()

    def _begin_to_watch(self) -> None:
        self._watch = asyncio.get_running_loop().create_task(self._watch_for_disconnect())

    async def _watch_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone.set()


def has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
