"""What the next rounds have to look at. Everything that happens only leaves a mark here; nothing is done before a round.

A round takes a few marks: first the pools for which somebody waits, then those that the operator has changed, then those
that a whole table concerns, then those whose time has come. A site follows when the pools that came with it are done,
since a path leads to a pool.
"""

from __future__ import annotations

import asyncio
import contextlib

from webgarden_link import Change, LinkError, Listeners, Message, Table
from webgarden_listener.haproxy.names import pool_of
from webgarden_listener.table import Touched

SOME = 20
"""Of each kind in one round: some hundredths of a second of work, for whoever comes next."""
URGENT = 200
MANY = 200
"""As many pools are read together sooner than one by one."""


class News:
    """Pools and sites that the operator has spoken of."""

    def __init__(self) -> None:
        self.pools: dict[str, None] = {}
        self.sites: dict[str, None] = {}

    def add(self, by: Touched) -> None:
        self.pools.update(dict.fromkeys(sorted(by.pools)))
        self.sites.update(dict.fromkeys(sorted(by.sites)))

    def some_sites(self) -> list[str]:
        return taken(self.sites, SOME) if not self.pools else []

    def __bool__(self) -> bool:
        return bool(self.pools or self.sites)


class Marks:
    def __init__(self) -> None:
        self._messages: list[Table | Change | Listeners] = []
        self._urgent: dict[str, None] = {}
        self._changed = News()
        self._whole = News()
        self._routine: dict[str, None] = {}
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

    def changed(self, by: Touched) -> None:
        """By one change."""
        self._changed.add(by)
        self._go_on()

    def all(self, by: Touched) -> None:
        """By something that concerns everything: what is changed meanwhile need not wait for it."""
        self._whole.add(by)
        self._go_on()

    def urgent(self, *pools: str) -> None:
        """Somebody waits for them."""
        self._urgent.update(dict.fromkeys(pools))
        self._go_on()

    def routine(self, *pools: str) -> None:
        self._routine.update(dict.fromkeys(pools))
        self._go_on()

    def rung(self, backend: str) -> None:
        if (pool := pool_of(backend)) is not None:
            self.urgent(pool)

    def noticed(self, backend: str) -> None:
        if (pool := pool_of(backend)) is not None:
            self.routine(pool)

    @property
    def many(self) -> bool:
        """Whether so many pools are to be looked at that they should be read together."""
        return len(self._whole.pools) >= MANY or len(self._changed.pools) >= MANY

    def some_pools(self) -> list[str]:
        """They are taken out."""
        kinds = (self._changed.pools, self._whole.pools, self._routine)
        found = dict.fromkeys(taken(self._urgent, URGENT))
        for kind in kinds:
            found.update(dict.fromkeys(taken(kind, SOME)))
        for key in found:
            for kind in kinds:
                kind.pop(key, None)
        self._go_on()
        return list(found)

    def some_sites(self) -> list[str]:
        """They are taken out."""
        found = [*self._changed.some_sites(), *self._whole.some_sites()]
        self._go_on()
        return found

    @property
    def news(self) -> bool:
        """Whether something is left that the operator has said."""
        return bool(self._messages or self._changed or self._whole)

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
