"""What the next rounds have to look at. Everything that happens only leaves a mark here; nothing is done before a round."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection

from webgarden_link import Change, LinkError, Listeners, Message, Table
from webgarden_listener.haproxy.names import pool_of
from webgarden_listener.table import Touched

SOME = 50
"""Pools or sites in one round: a tenth of a second of work, for whoever comes next."""


class Marks:
    def __init__(self) -> None:
        self._messages: list[Table | Change | Listeners] = []
        self._urgent: dict[str, None] = {}
        self._pools: dict[str, None] = {}
        self._sites: dict[str, None] = {}
        self._wake = asyncio.Event()

    def heard(self, message: Message) -> None:
        """The operator says something. Raises `LinkError` when a listener has no use for it."""
        if not isinstance(message, Table | Change | Listeners):
            raise LinkError(f"{message.kind} is not for a listener")
        self._messages.append(message)
        self._wake.set()

    def messages(self) -> list[Table | Change | Listeners]:
        """Those that nobody has taken in yet; they are taken out."""
        found, self._messages = self._messages, []
        return found

    def drop_messages(self) -> None:
        """A new connection: what the one before said counts no more."""
        self._messages.clear()

    def touched(self, by: Touched) -> None:
        self._pools.update(dict.fromkeys(sorted(by.pools)))
        self._sites.update(dict.fromkeys(sorted(by.sites)))
        self._wake.set()

    def pools(self, keys: Collection[str]) -> None:
        self._pools.update(dict.fromkeys(keys))
        self._wake.set()

    def urgent(self, pool: str) -> None:
        """Somebody waits for it."""
        self._urgent[pool] = None
        self._wake.set()

    def rung(self, backend: str) -> None:
        if (pool := pool_of(backend)) is not None:
            self.urgent(pool)

    def noticed(self, backend: str) -> None:
        if (pool := pool_of(backend)) is not None:
            self.pools((pool,))

    def sites(self, keys: Collection[str]) -> None:
        self._sites.update(dict.fromkeys(keys))
        self._wake.set()

    def some_pools(self) -> list[str]:
        """Those for which somebody waits, and some of the others; they are taken out."""
        found = list(self._urgent)
        self._urgent.clear()
        for key in found:
            self._pools.pop(key, None)
        found += taken(self._pools, max(1, SOME - len(found)))
        self._go_on()
        return found

    def some_sites(self) -> list[str]:
        """Once no pool is left, since a path leads to a pool; they are taken out."""
        found = taken(self._sites, SOME) if not self._pools else []
        self._go_on()
        return found

    @property
    def any(self) -> bool:
        """Whether something is left for the next round."""
        return bool(self._messages or self._urgent or self._pools or self._sites)

    def _go_on(self) -> None:
        if self.any:
            self._wake.set()

    async def wait(self, seconds: float) -> None:
        """Until there is a mark, or the time is over."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._wake.wait()
        self._wake.clear()


def taken(marks: dict[str, None], most: int) -> list[str]:
    found = list(marks)[:most]
    for key in found:
        del marks[key]
    return found
