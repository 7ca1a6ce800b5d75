"""What passes through (A28): WebSocket, events, chunks, 100-continue, large bodies, early answers; cold and in a recycle."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

import pytest
from tests.e2e.asking import Answer
from tests.e2e.tenant import Pool, Tenant

PATIENCE = 60.0
LARGE = 10 * 1024 * 1024


@contextmanager
def _conversation(pool: Pool, head: str) -> Iterator[tuple[socket.socket, IO[bytes]]]:
    """A connection on which the head of a request has been sent, and what comes back."""
    place = pool.place
    with socket.create_connection((place.address, place.port), PATIENCE) as wire, wire.makefile("rb") as answers:
        wire.sendall(head.replace("\n", "\r\n").format(host=pool.host).encode())
        yield wire, answers


def _head(answers: IO[bytes]) -> list[str]:
    """Lines up to the empty one."""
    lines = []
    while line := answers.readline().strip():
        lines.append(line.decode())
    return lines


def _websocket(pool: Pool, *, during: Callable[[], None]) -> str:
    """Talk, let something happen, talk on. Returns the process at the other end."""
    head = (
        "GET /ws HTTP/1.1\nHost: {host}\nUpgrade: websocket\nConnection: Upgrade\n"
        "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n\n"
    )
    with _conversation(pool, head) as (wire, answers):
        assert _head(answers)[0].startswith("HTTP/1.1 101")
        process = _frame(answers)
        for word in ("before", "after"):
            wire.sendall(_masked(word))
            assert _frame(answers) == word
            if word == "before":
                during()
        wire.sendall(b"\x88\x80\0\0\0\0")
        assert answers.read(1) == b"\x88", "the other end says goodbye, too"
    return process


def _masked(text: str) -> bytes:
    """One short text frame, masked with zeros."""
    return bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text.encode()


def _frame(answers: IO[bytes]) -> str:
    kind, length = answers.read(2)
    assert kind == 0x81 and length < 126
    return answers.read(length).decode()


def _pieces(pool: Pool, path: str, *, during: Callable[[], None]) -> list[str]:
    """Chunks one by one, as they come."""
    with _conversation(pool, f"GET {path} HTTP/1.1\nHost: {{host}}\nConnection: close\n\n") as (_, answers):
        head = _head(answers)
        assert head[0].startswith("HTTP/1.1 200") and "transfer-encoding: chunked" in map(str.lower, head)
        found = []
        while size := int(answers.readline(), 16):
            found.append(answers.read(size).decode())
            assert answers.readline() == b"\r\n"
            if len(found) == 1:
                during()
    return found


def _continued(pool: Pool) -> str:
    """A client that waits for 100 before it sends its body."""
    head = "POST /echo HTTP/1.1\nHost: {host}\nContent-Length: 5\nExpect: 100-continue\nConnection: close\n\n"
    with _conversation(pool, head) as (wire, answers):
        assert _head(answers)[0].startswith("HTTP/1.1 100")
        wire.sendall(b"12345")
        assert _head(answers)[0].startswith("HTTP/1.1 200")
        return answers.read().decode()


def _chunked_upload(pool: Pool) -> str:
    head = "POST /echo HTTP/1.1\nHost: {host}\nTransfer-Encoding: chunked\nConnection: close\n\n"
    with _conversation(pool, head) as (wire, answers):
        for piece in (b"one", b"two"):
            wire.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        wire.sendall(b"0\r\n\r\n")
        assert _head(answers)[0].startswith("HTTP/1.1 200")
        return answers.read().decode()


def _large(pool: Pool) -> tuple[Answer, str]:
    body = os.urandom(LARGE)
    return pool.ask("/echo", method="POST", body=body, patience=PATIENCE), hashlib.sha256(body).hexdigest()


def _early(pool: Pool) -> str:
    """Half of a body, and the answer is there: the client reads it although it has not sent all."""
    head = f"POST /early HTTP/1.1\nHost: {{host}}\nContent-Length: {LARGE}\nConnection: close\n\n"
    with _conversation(pool, head) as (wire, answers):
        wire.sendall(b"x" * 1000)
        return _head(answers)[0]


def _nothing() -> None:
    pass


def _check_websocket(pool: Pool) -> None:
    assert "/" in _websocket(pool, during=_nothing)


def _check_events(pool: Pool) -> None:
    assert _pieces(pool, "/sse?n=4&s=0.1", during=_nothing) == [f"data: {n}\n\n" for n in range(4)]


def _check_chunks(pool: Pool) -> None:
    assert _pieces(pool, "/chunks?n=4&s=0.1", during=_nothing) == [f"data: {n}\n\n" for n in range(4)]
    assert _chunked_upload(pool) == hashlib.sha256(b"onetwo").hexdigest()


def _check_continue(pool: Pool) -> None:
    assert _continued(pool) == hashlib.sha256(b"12345").hexdigest()


def _check_large(pool: Pool) -> None:
    answer, digest = _large(pool)
    assert (answer.status, answer.body.decode()) == (200, digest)


def _check_early(pool: Pool) -> None:
    assert _early(pool).startswith("HTTP/1.1 413")


CHECKS = {
    "a WebSocket": _check_websocket,
    "server-sent events": _check_events,
    "chunks both ways": _check_chunks,
    "100-continue": _check_continue,
    "a body of 10 MB": _check_large,
    "an early answer": _check_early,
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=list(CHECKS))
def test_passes_through_a_cold_start_and_through_a_warm_pool(tenant: Tenant, check: Callable[[Pool], None]) -> None:
    pool = tenant.garden()
    assert not tenant.pods("garden")
    check(pool)  # wakes it
    pool.running(1)
    check(pool)


def test_a_websocket_and_a_stream_of_events_outlive_the_recycle_of_their_worker(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning")
    (old,) = pool.running(1)

    def recycle() -> None:
        pool.recycle()
        pool.until(lambda: pool.workers("Draining") == [old] and len(pool.workers()) == 1, "the new one beside the old")

    process = _websocket(pool, during=recycle)
    assert process.startswith(old)
    pool.settled(1, 1)
    (old,) = pool.running(1)
    events = _pieces(pool, "/sse?n=60&s=0.1", during=recycle)
    print(f"{process} answered to its end; {len(events)} events to the end")
    assert len(events) == 60
    pool.settled(2, 1)


def test_large_bodies_pass_while_their_workers_are_recycled(tenant: Tenant) -> None:
    pool = tenant.garden(startMode="AlwaysRunning", model={"maxProcesses": 2})
    pool.running(2)
    answers: list[tuple[Answer, str]] = []
    pool.recycle()
    while pool.recycles < 2 or not answers:
        answers.append(_large(pool))
    print(f"{len(answers)} bodies of 10 MB in the meantime")
    assert [str(a) for a, digest in answers if (a.status, a.body.decode()) != (200, digest)] == []


def test_an_open_websocket_keeps_an_idle_pool_awake(tenant: Tenant) -> None:
    pool = tenant.garden(model={"idleTimeout": "3s"})
    other = tenant.garden("other", model={"idleTimeout": "3s"})
    assert other.ask().status == 200

    def idle() -> None:
        other.asleep()  # it had nothing to do since before, so the time is up by then

    process = _websocket(pool, during=idle)
    assert pool.workers() == [process.partition("/")[0]]
    pool.asleep()
