"""What the next rounds have to look at. Everything that happens only leaves a mark here; nothing is done before a round.

A round takes a few marks: first the pools for which somebody waits, then those that the operator has changed, then those
whose time has come. A site follows when every changed pool is done, since a path leads to a pool.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from webgarden_link import Change, LinkError, Listeners, Message, Table
from webgarden_listener.haproxy.names import pool_of
from webgarden_listener.table import Touched

SOME = 20
"""Of each kind in one round: some hundredths of a second of work, for whoever comes next."""


class Marks:
    def __init__(self) -> None:
        self._messages: list[Table | Change | Listeners] = []
        self._urgent: dict[str, None] = {}
        self._changed: dict[str, None] = {}
        self._routine: dict[str, None] = {}
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
        self.changed(sorted(by.pools))
        self.sites(sorted(by.sites))

    def urgent(self, *pools: str) -> None:
        """Somebody waits for them."""
        self._urgent.update(dict.fromkeys(pools))
        self._go_on()

    def changed(self, pools: Iterable[str]) -> None:
        self._changed.update(dict.fromkeys(pools))
        self._go_on()

    def routine(self, *pools: str) -> None:
        self._routine.update(dict.fromkeys(pools))
        self._go_on()

    def sites(self, keys: Iterable[str]) -> None:
        self._sites.update(dict.fromkeys(keys))
        self._go_on()

    def rung(self, backend: str) -> None:
        if (pool := pool_of(backend)) is not None:
            self.urgent(pool)

    def noticed(self, backend: str) -> None:
        if (pool := pool_of(backend)) is not None:
            self.routine(pool)

    def some_pools(self) -> list[str]:
        """They are taken out."""
        found = dict.fromkeys(taken(self._urgent, len(self._urgent)))
        found.update(dict.fromkeys(taken(self._changed, SOME)))
        found.update(dict.fromkeys(taken(self._routine, SOME)))
        for key in found:
            self._changed.pop(key, None)
            self._routine.pop(key, None)
        self._go_on()
        return list(found)

    def some_sites(self) -> list[str]:
        """They are taken out."""
        found = taken(self._sites, SOME) if not self._changed else []
        self._go_on()
        return found

    @property
    def news(self) -> bool:
        """Whether something is left that the operator has said."""
        return bool(self._messages or self._changed or self._sites)

    def _go_on(self) -> None:
        if self.news or self._urgent or self._routine:
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
