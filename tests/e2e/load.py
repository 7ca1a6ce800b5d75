"""The load client: keeps connections busy, checks every body, and counts every failure by its kind.

A program of its own (`python -m tests.e2e.load '[{...}, ...]'`), so that neither the test nor the client slows the other.
It is written on sockets: a library that silently repeats a request would hide what is looked for. Bounded in connections,
requests and time; ends at once when its standard input does. It prints one JSON line twice a second and a last one.

Kinds of failure: `connect` (no connection), `reset` (it ended before the answer did), `timeout`, `body` (another one than
was asked for), `malformed`, and the status with the listener's reason for everything that is not 200.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

HELLO = b"hello\n"
KEPT_EXAMPLES = 10
KEPT_LATENCIES = 200_000


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Some clients that all do the same."""

    address: str
    port: int = 80
    host: str
    method: str = "GET"
    path: str = "/"
    connections: int = 4
    keep_alive: bool = True
    size: int = 1000
    """Bytes of a POST's body."""
    digest: str = ""
    """The answer to a POST is a JSON object with the body's SHA-256 under this name; empty: it is the digest itself."""
    rate: float = 0
    """Requests a second, over all connections; 0: as fast as answers come."""
    requests: int = 1_000_000
    seconds: float = 600
    patience: float = 60
    """Seconds after which an answer counts as a timeout."""

    @property
    def label(self) -> str:
        return f"{self.method} {'keep-alive' if self.keep_alive else 'close'}"


@dataclass
class Counts:
    label: str
    ok: int = 0
    sent: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    processes: Counter[str] = field(default_factory=Counter)
    """Answers by the worker that gave them."""
    latencies: list[float] = field(default_factory=list)

    def fail(self, kind: str, detail: str) -> None:
        self.failures[kind] += 1
        if len(self.examples) < KEPT_EXAMPLES:
            self.examples.append(f"{time.strftime('%H:%M:%S')} {self.label} {kind}: {detail}")

    def as_dict(self) -> dict[str, Any]:
        ordered = sorted(self.latencies)
        marks = {name: _quantile(ordered, q) for name, q in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))}
        failures, processes = dict(self.failures), dict(self.processes)
        said = {"label": self.label, "ok": self.ok, "failures": failures, "processes": processes}
        return {**said, "examples": self.examples, **marks}


def _quantile(ordered: list[float], q: float) -> float:
    return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 4) if ordered else 0.0


class Failed(Exception):
    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Run:
    """All connections of one `Clients`."""

    def __init__(self, clients: Clients, stop: asyncio.Event) -> None:
        self.counts = Counts(clients.label)
        self._clients = clients
        self._stop = stop
        self._deadline = time.monotonic() + clients.seconds
        self._next = time.monotonic()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self._clients.connections):
                tasks.create_task(self._connection())

    def _more(self) -> bool:
        left = self.counts.sent < self._clients.requests and time.monotonic() < self._deadline
        return left and not self._stop.is_set()

    async def _pace(self) -> None:
        """Wait for the next slot; slots are given out over all connections."""
        if not self._clients.rate:
            return
        now = time.monotonic()
        self._next = max(self._next, now - 1.0) + 1.0 / self._clients.rate
        if self._next > now:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), self._next - now)

    async def _connection(self) -> None:
        streams: Streams | None = None
        while self._more():
            await self._pace()
            if not self._more():
                break
            self.counts.sent += 1
            began = time.monotonic()
            try:
                async with asyncio.timeout(self._clients.patience):
                    streams = streams or await self._connect()
                    kept = await self._request(*streams)
            except Failed as failure:
                self.counts.fail(failure.kind, f"{failure.detail} after {time.monotonic() - began:.3f} s")
                kept = False
            except TimeoutError:
                self.counts.fail("timeout", f"no answer in {self._clients.patience:g} s")
                kept = False
            except (OSError, asyncio.IncompleteReadError) as error:
                self.counts.fail("reset", f"{error!r} after {time.monotonic() - began:.3f} s")
                kept = False
            else:
                self._answered(time.monotonic() - began)
            streams = await self._keep(streams, kept=kept)
        await self._keep(streams, kept=False)

    async def _keep(self, streams: Streams | None, *, kept: bool) -> Streams | None:
        if streams is None or kept:
            return streams
        streams[1].close()
        with contextlib.suppress(OSError):
            await streams[1].wait_closed()
        return None

    def _answered(self, seconds: float) -> None:
        self.counts.ok += 1
        if len(self.counts.latencies) < KEPT_LATENCIES:
            self.counts.latencies.append(seconds)

    async def _connect(self) -> Streams:
        try:
            return await asyncio.open_connection(self._clients.address, self._clients.port)
        except OSError as error:
            raise Failed("connect", repr(error)) from error

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send one, read its answer and check it. Whether the connection may be used again."""
        clients = self._clients
        body = os.urandom(clients.size) if clients.method == "POST" else b""
        head = [
            f"{clients.method} {clients.path} HTTP/1.1",
            f"Host: {clients.host}",
            f"Connection: {'keep-alive' if clients.keep_alive else 'close'}",
        ]
        head += [f"Content-Length: {len(body)}", f"X-Id: {uuid.uuid4().hex}"] if body else []
        writer.write("\r\n".join([*head, "", ""]).encode() + body)
        status, headers = await _head(reader)
        content = await _content(reader, headers)
        self._check(status, headers, content, body)
        return clients.keep_alive and headers.get("connection", "").lower() != "close"

    def _check(self, status: int, headers: dict[str, str], content: bytes, body: bytes) -> None:
        if status != 200:
            raise Failed(f"{status} {headers.get('x-webgarden-reason', '')}".strip(), repr(content[:80]))
        if not self._expected(content, body):
            raise Failed("body", repr(content[:80]))
        self.counts.processes[headers.get("x-process", "")] += 1

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


async def main(specification: str) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin.fileno(), stop.set)
    runs = [Run(Clients(**clients), stop) for clients in json.loads(specification)]
    reporting = asyncio.create_task(_report(runs))
    await asyncio.gather(*(run.run() for run in runs))
    reporting.cancel()
    print(json.dumps({"final": True, "counts": [run.counts.as_dict() for run in runs]}), flush=True)


async def _report(runs: list[Run]) -> None:
    while True:
        totals = {"ok": sum(r.counts.ok for r in runs), "failed": sum(r.counts.failures.total() for r in runs)}
        print(json.dumps({"final": False, **totals}), flush=True)
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
