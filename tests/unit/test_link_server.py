"""The link's server on loopback: what it makes of peers that go at bad moments, and of faults of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import aiohttp
import pytest

import webgarden_link as link
from webgarden.link.hub import Hub
from webgarden.link.server import PATH, LinkServer

KNOCK = (
    f"GET {PATH} HTTP/1.1\r\nHost: o\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nAuthorization: Bearer t\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Door:
    """A server whose answer about a token waits for the test."""

    def __init__(self) -> None:
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        self.hub = Hub(clock=lambda: datetime.now(UTC), touched=lambda _kind, _key: None, changed=lambda: None)
        self.server = LinkServer(self.hub, self._authenticate)
        self.port = 0

    async def _authenticate(self, token: str) -> str:
        self.asked.set()
        await self.answer.wait()
        return "one"

    @property
    def deserted(self) -> bool:
        """The peer's end has been noticed."""
        assert self.server._runner is not None and self.server._runner.server is not None
        return all(connection.transport is None for connection in self.server._runner.server.connections)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    made = Door()
    made.port = await made.server.start(host="127.0.0.1", port=0, context=None)
    yield made
    await made.server.stop()


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not check():  # noqa: ASYNC110 (aiohttp tells nobody)
            await asyncio.sleep(0.01)


def faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


async def test_who_goes_away_while_its_token_is_looked_at_is_no_fault(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(KNOCK.encode())
    await door.asked.wait()
    writer.transport.abort()
    await until(lambda: door.deserted)
    caplog.set_level(logging.INFO)
    door.answer.set()
    await until(lambda: "one was gone before it could be let in" in caplog.text)
    await door.server.stop()
    assert faults(caplog) == []


async def test_a_fault_of_ours_is_told_and_ends_that_connection_alone(
    door: Door, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(door.hub, "hear", fail)
    door.answer.set()
    url, token = f"ws://127.0.0.1:{door.port}{PATH}", {"Authorization": "Bearer t"}
    async with aiohttp.ClientSession(trust_env=False) as session, session.ws_connect(url, headers=token) as socket:
        await socket.send_str(link.encode(link.Hello(listener="one")))
        assert isinstance(link.decode((await socket.receive(timeout=5)).data), link.Table)
        await socket.send_str(link.encode(link.Demand(pool="a/shop")))
        assert (await socket.receive(timeout=5)).type is aiohttp.WSMsgType.CLOSE
    assert faults(caplog) == ["link: one is disconnected by a fault of ours"]
    await until(lambda: not door.hub.connected())
