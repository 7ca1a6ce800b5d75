"""Clients that ask one request after the other, and count what they get."""

from __future__ import annotations

import asyncio
from collections import Counter

import aiohttp
from tests.listener.place import Place
from tests.listener.waiting import until


class Load:
    """Until the context is left."""

    def __init__(self, place: Place, *, clients: int = 8, method: str = "GET", path: str = "/") -> None:
        self._place = place
        self._clients = clients
        self._method = method
        self._path = path
        self._stop = asyncio.Event()
        self.outcomes: Counter[str] = Counter()
        self.by_worker: Counter[str] = Counter()

    async def __aenter__(self) -> Load:
        self._session = self._place.session()
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(self._clients)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)
        await self._session.close()
        print(f"{self._method}: {dict(self.outcomes)}, by worker {dict(self.by_worker)}")

    async def _ask(self) -> None:
        body = b"x" * 100 if self._method == "POST" else None
        while not self._stop.is_set():
            try:
                async with self._session.request(self._method, self._path, data=body) as answer:
                    said = await answer.json(content_type=None) if answer.status == 200 else {"worker": ""}
                    self.outcomes[str(answer.status)] += 1
                    self.by_worker[said["worker"]] += 1
            except aiohttp.ClientError as error:
                self.outcomes[type(error).__name__] += 1

    async def more(self, count: int = 200) -> None:
        """Until so many more were answered."""
        enough = self.outcomes.total() + count
        await until(lambda: self.outcomes.total() >= enough)
