"""The agent's side of its conversation with the gate.

It keeps what each last said, so that a connection that breaks costs nothing but the time until the next one: the
agent then repeats everything (`whole`), and the gate tells all that it holds.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from webgarden_listener.gate.views import Hand, Obeyed, Orders, PoolView, ViewError, answer, encode

RETRY = 0.05
PATIENCE = 1.0
"""For a gate that does not confirm what it was told: warm requests must not wait for it."""
LINE = 1024 * 1024
log = logging.getLogger(__name__)


class GateLink:
    def __init__(self, socket: Path, heard: Callable[[Hand | None], None]) -> None:
        """`heard` is called with what the gate says, and with None when it comes or goes."""
        self._socket = socket
        self._heard = heard
        self._writer: asyncio.StreamWriter | None = None
        self._views: Mapping[str, PoolView] | None = None
        self._hands: dict[str, Hand] = {}
        self._number = 0
        self._pending: dict[str, tuple[int, float]] = {}
        """Pools of which the gate has not confirmed the last orders: the number of those, and since when it is asked."""

    def obeys(self, pool: str) -> bool:
        """Whether `hand` is the gate's under all that it was told of the pool."""
        return self._writer is not None and pool not in self._pending

    def deaf(self, pool: str) -> bool:
        """Whether nothing more is to be expected of it: there is none, or it hangs."""
        return self._writer is None or time.monotonic() - self._pending[pool][1] > PATIENCE

    def hand(self, pool: str) -> Hand:
        return self._hands.get(pool) or Hand(pool)

    @property
    def holding(self) -> bool:
        return any(one.waiting for one in self._hands.values())

    def say(self, views: Mapping[str, PoolView]) -> None:
        """How everything is now; what differs from the last time goes out."""
        before = self._views
        self._views = dict(views)
        if before is None:
            self._send(self._views, whole=True)
            return
        differs: dict[str, PoolView | None] = {key: view for key, view in views.items() if before.get(key) != view}
        differs.update({key: None for key in before if key not in views})
        if differs:
            self._send(differs)

    def say_one(self, pool: str, view: PoolView) -> None:
        """One pool's part of it."""
        if self._views is not None and self._views.get(pool) != view:
            self._views = {**self._views, pool: view}
            self._send({pool: view})

    def _send(self, views: Mapping[str, PoolView | None], *, whole: bool = False) -> None:
        self._number += 1
        now = time.monotonic()
        for pool in views:
            self._pending[pool] = (self._number, self._pending[pool][1] if pool in self._pending else now)
        if self._writer is not None:
            self._writer.write(encode(Orders(whole, views, self._number)))

    def _confirmed(self, number: int) -> None:
        done = [pool for pool, (pending, _) in self._pending.items() if pending <= number]
        for pool in done:
            del self._pending[pool]
            self._heard(self.hand(pool))

    async def run(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self._socket), limit=LINE)
            except OSError:
                await asyncio.sleep(RETRY)
                continue
            try:
                await self._converse(reader, writer)
            except (OSError, ValueError, ViewError) as error:
                log.warning("The gate's connection ends: %r", error)
            finally:
                self._part(writer)
            await asyncio.sleep(RETRY)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._send(self._views or {}, whole=self._views is not None)
        self._heard(None)
        while line := await reader.readline():
            said = answer(line)
            if isinstance(said, Obeyed):
                self._confirmed(said.obeyed)
            else:
                self._hands[said.pool] = said
                self._heard(said)

    def _part(self, writer: asyncio.StreamWriter) -> None:
        self._writer = None
        writer.close()
        # The gate's child is gone, and with it what it held; its successor will say what it holds.
        self._hands.clear()
        self._heard(None)
