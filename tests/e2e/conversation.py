"""A WebSocket of the load: each word that is said is a request, and its echo is the answer.

After some words it says goodbye, so that a worker or a listener that leaves need not wait for it without end. One that the
other side ends has kinds of failure of its own: `closed` with the code of that side's goodbye, or `cut` without one.
"""

from __future__ import annotations

import uuid

from tests.e2e.clients import Clients
from tests.e2e.exchange import Answered, Failed
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

GOODBYE = 2.0
"""Seconds that the other side has to answer it."""


class Conversation:
    identity = ""

    def __init__(self, clients: Clients, wire: ClientConnection, process: str) -> None:
        self._left = clients.words
        self._wire = wire
        self._process = process

    @classmethod
    async def open(cls, clients: Clients) -> Conversation:
        """Raises `Failed`."""
        wire = await _shake(clients)
        try:
            return cls(clients, wire, str(await wire.recv()))
        except ConnectionClosed as error:
            raise _ended(error) from error

    async def once(self) -> Answered:
        word = uuid.uuid4().hex
        try:
            await self._wire.send(word)
            echo = await self._wire.recv()
        except ConnectionClosed as error:
            raise _ended(error) from error
        if echo != word:
            raise Failed("body", repr(echo[:80]))
        self._left -= 1
        return Answered(self._process, kept=self._left > 0)

    async def close(self) -> None:
        await self._wire.close()


async def _shake(clients: Clients) -> ClientConnection:
    """Nothing is tried twice, and no time-out but that of the client counts."""
    try:
        return await connect(
            f"ws://{clients.host}/ws",
            host=clients.address,
            port=clients.port,
            proxy=None,
            compression=None,
            open_timeout=None,
            ping_interval=None,
            close_timeout=GOODBYE,
        )
    except InvalidStatus as error:
        answer = error.response
        reason = answer.headers.get("X-Webgarden-Reason", "")
        raise Failed(f"{answer.status_code} {reason}".strip(), repr((answer.body or b"")[:80])) from error
    except (InvalidHandshake, EOFError) as error:
        raise Failed("reset", repr(error)) from error
    except OSError as error:
        raise Failed("connect", repr(error)) from error


def _ended(error: ConnectionClosed) -> Failed:
    return Failed(f"closed {error.rcvd.code}" if error.rcvd else "cut", repr(error))
