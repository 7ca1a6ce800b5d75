"""What a worker sends piece by piece arrives piece by piece, about as fast as it was sent.

The worker's bytes have the time in them at which they were sent, so nothing is compared but one clock with itself.
"""

from __future__ import annotations

import asyncio
import time

import pytest
from tests.listener.place import Place
from tests.listener.raw import Exchange, acted, client

PIECES, PAUSE, SLOW = 12, 0.05, 0.1
SIZE = 20
ENDS = {
    "events": "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked",
    "chunked": "Transfer-Encoding: chunked",
    "until close": "Connection: close",
    "length": f"Content-Length: {PIECES * SIZE}",
}


def stamped() -> bytes:
    return f"{time.monotonic():{SIZE - 1}.6f}\n".encode()


async def trickle(exchange: Exchange, fields: str) -> None:
    await exchange.say(f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode())
    chunked = "chunked" in fields
    for _ in range(PIECES):
        await asyncio.sleep(PAUSE)  # the worker's own rhythm
        await exchange.say(b"%x\r\n%s\r\n" % (SIZE, stamped()) if chunked else stamped())
    if chunked:
        await exchange.say(b"0\r\n\r\n")
    if "close" in fields:
        exchange.close()


@pytest.mark.parametrize("fields", ENDS.values(), ids=ENDS.keys())
async def test_pieces_arrive_when_they_are_sent(place: Place, fields: str) -> None:
    delays: list[float] = []
    async with acted(place, lambda exchange: trickle(exchange, fields)) as worker, client(place) as reader:
        await place.up(worker.running)
        reader.send(reader.request("/"))
        while len(delays) < PIECES:
            piece = await reader.piece()
            assert piece
            delays += [time.monotonic() - float(line) for line in piece.split() if b"." in line and len(line) > 8]
    print(f"{PIECES} pieces: {min(delays) * 1000:.1f} to {max(delays) * 1000:.1f} ms late")
    assert sorted(delays)[PIECES // 2] < SLOW
