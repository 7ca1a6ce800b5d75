"""The application of the end-to-end tests, run by the worker image.

Every answer names its process. A POST is written to the ledger, if there is one, before it is answered: what arrives
twice is seen there, whichever worker it came to.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PROCESS = f"{os.environ.get('WEBGARDEN_WORKER', '-')}/{uuid.uuid4().hex[:8]}"
LEDGER = os.environ.get("LEDGER", "")
IDENTITY = (b"x-process", PROCESS.encode())
_ledger: list[socket.socket] = []


def note(identity: bytes) -> None:
    if LEDGER and not _ledger:
        address, _, port = LEDGER.partition(":")
        _ledger.append(socket.create_connection((address, int(port))))
    for ledger in _ledger:
        ledger.sendall(identity + b"\n")


class Request:
    def __init__(self, scope: Message, receive: Receive, send: Send) -> None:
        self.path: str = scope["path"]
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        self.receive = receive
        self.send = send

    async def pause(self, seconds: str = "0") -> None:
        """As long as the query's `s` says, or so long."""
        await asyncio.sleep(float(self.query.get("s", seconds)))

    async def answer(self, body: bytes, *, status: int = 200) -> None:
        length = (b"content-length", str(len(body)).encode())
        headers = [IDENTITY, (b"content-type", b"text/plain"), length]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})


async def app(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "websocket":
        await websocket(receive, send)
    else:
        await HANDLERS.get(scope["path"], hello)(Request(scope, receive, send))


async def lifespan(receive: Receive, send: Send) -> None:
    for _ in range(2):
        message = await receive()
        await send({"type": message["type"] + ".complete"})


async def websocket(receive: Receive, send: Send) -> None:
    """Says who it is, then what it hears."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": PROCESS})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message.get("text") or ""})


async def hello(request: Request) -> None:
    await request.pause()
    await request.answer(b"hello\n")


async def process(request: Request) -> None:
    await request.answer(PROCESS.encode())


async def echo(request: Request) -> None:
    digest = hashlib.sha256()
    more = True
    while more:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            return
        digest.update(message.get("body", b""))
        more = message.get("more_body", False)
    note(request.headers.get(b"x-id", b"-"))
    await request.pause()
    await request.answer(digest.hexdigest().encode())


async def sleep(request: Request) -> None:
    await request.pause("1")
    await request.answer(PROCESS.encode())


async def pieces(request: Request) -> None:
    """`n` pieces, `s` seconds apart, without a length: chunked, or events for those who ask so."""
    kind = b"text/event-stream" if request.path == "/sse" else b"text/plain"
    headers = [IDENTITY, (b"content-type", kind)]
    await request.send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(int(request.query.get("n", "5"))):
        body = f"data: {number}\n\n".encode()
        await request.send({"type": "http.response.body", "body": body, "more_body": True})
        await request.pause("0.1")
    await request.send({"type": "http.response.body", "body": b""})


async def early(request: Request) -> None:
    """An answer before the body was read."""
    await request.answer(b"too large\n", status=413)


async def crash(request: Request) -> None:
    os._exit(7)


HANDLERS: dict[str, Callable[[Request], Awaitable[None]]] = {
    "/process": process,
    "/echo": echo,
    "/sleep": sleep,
    "/chunks": pieces,
    "/sse": pieces,
    "/early": early,
    "/crash": crash,
}
