"""One client's connection to the listener: a request, its answer, and whether the answer is the right one.

HTTP/1.1 is written on sockets, since a library that silently repeats a request would hide what is looked for.
`conversation` is the same for a WebSocket.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import uuid
from dataclasses import dataclass
from typing import Protocol

from tests.e2e.clients import Clients

HELLO = b"hello\n"


class Failed(Exception):
    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


@dataclass(frozen=True)
class Answered:
    process: str
    """The worker that did."""
    kept: bool
    """Whether the connection may be used again."""


class Exchange(Protocol):
    @property
    def identity(self) -> str:
        """What the request that was sent last is called where it is counted; empty: it is not."""
        ...

    async def once(self) -> Answered:
        """A request and its answer. Raises `Failed`, `OSError`, `asyncio.IncompleteReadError`."""
        ...

    async def close(self) -> None:
        """Raises `OSError`."""
        ...


class Http:
    def __init__(self, clients: Clients, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.identity = ""
        self._clients = clients
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, clients: Clients) -> Http:
        """Raises `Failed`."""
        try:
            return cls(clients, *await asyncio.open_connection(clients.address, clients.port))
        except OSError as error:
            raise Failed("connect", repr(error)) from error

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def once(self) -> Answered:
        clients = self._clients
        body = os.urandom(clients.size) if clients.method == "POST" else b""
        self.identity = uuid.uuid4().hex if body else ""
        head = [
            f"{clients.method} {clients.path} HTTP/1.1",
            f"Host: {clients.host}",
            f"Connection: {'keep-alive' if clients.keep_alive else 'close'}",
        ]
        head += [f"Content-Length: {len(body)}", f"X-Id: {self.identity}"] if body else []
        self._writer.write("\r\n".join([*head, "", ""]).encode() + body)
        status, headers = await _head(self._reader)
        content = await _content(self._reader, headers)
        self._check(status, headers, content, body)
        kept = clients.keep_alive and headers.get("connection", "").lower() != "close"
        return Answered(headers.get("x-process", ""), kept)

    def _check(self, status: int, headers: dict[str, str], content: bytes, body: bytes) -> None:
        if status != 200:
            raise Failed(f"{status} {headers.get('x-webgarden-reason', '')}".strip(), repr(content[:80]))
        if not self._expected(content, body):
            raise Failed("body", repr(content[:80]))

    def _expected(self, content: bytes, body: bytes) -> bool:
        if not body:
            return content == HELLO
        digest = hashlib.sha256(body).hexdigest()
        if not self._clients.digest:
            return content.decode(errors="replace") == digest
        return bool(json.loads(content).get(self._clients.digest) == digest)


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    version, _, rest = lines[0].partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdigit():
        raise Failed("malformed", lines[0][:80])
    fields = (line.partition(":") for line in lines[1:] if line)
    return int(rest[:3]), {name.strip().lower(): value.strip() for name, _, value in fields}


async def _content(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    if headers.get("transfer-encoding", "").lower() != "chunked":
        return await reader.read()
    content = b""
    while size := int(await reader.readline(), 16):
        content += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return content
