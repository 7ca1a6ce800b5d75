"""The operator, put together: watch always, stand for election always, and lead term by term.

Both replicas watch, so the standby's store is warm; only the leader looks at keys and serves the link. A Lease that is lost
(the API server was away, say) ends the term and not the process: the watches go on, and the next election decides.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

import kopf
from aiohttp import ClientError
from kopf._core.engines.peering import Identity
from kubernetes.aio.client import ApiClient

from webgarden import metrics
from webgarden.cluster import watch
from webgarden.cluster.client import ApiError, Client
from webgarden.cluster.election import Election
from webgarden.cluster.store import MemoryStore
from webgarden.health import HealthServer
from webgarden.leading import Term
from webgarden.reconcile.listeners import DEFAULT
from webgarden.reconcile.ports import Key, Kind
from webgarden.settings import Settings
from webgarden.workqueue import WorkQueue

log = logging.getLogger(__name__)

LOOKED_AT = (Kind.POOL, Kind.SITE, Kind.WEB_SERVER)
RETRY_SECONDS = 2.0


class Operator:
    def __init__(self, settings: Settings, api: ApiClient) -> None:
        self._settings = settings
        self._store = MemoryStore()
        self._queue: WorkQueue[Key] = WorkQueue()
        self._client = Client(api, self._store)
        self._election = Election(
            api, namespace=settings.namespace, identity=settings.identity, lease_seconds=settings.lease_seconds
        )
        self._health = HealthServer(alive=self._not_alive, ready=self._not_ready)
        self._watching: asyncio.Task[None] | None = None
        self._filled = asyncio.Event()
        self.started = asyncio.Event()
        """kopf has begun, and with it its handlers of signals."""

    async def run(self, stop: asyncio.Event) -> int:
        """Until `stop` is set. Returns the exit code, which is not 0 when the watches ended before."""
        await self._health.start(self._settings.health_port)
        watching_ends = asyncio.Event()
        self._watching = asyncio.create_task(self._watch(watching_ends), name="watch")
        filling = asyncio.create_task(self._fill(), name="fill")
        leading = asyncio.create_task(self._stand_forever(), name="lead")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({self._watching, leading, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Ours first: kopf would take them for hung tasks of its own, and wait for them.
            await _end(filling, leading, stopping)
            await self._election.give_back(self._client)
            watching_ends.set()
            await _end(self._watching) if self._watching.done() else await self._watching
            await self._health.stop()
        return 0 if stop.is_set() else 1

    async def _watch(self, ends: asyncio.Event) -> None:
        await kopf.operator(
            registry=watch.registry(self._store, self._queue.add, self.started.set),
            settings=watch.settings(),
            clusterwide=True,
            standalone=True,
            identity=Identity(self._settings.identity),  # else kopf asks for a user's name, and a container has none
            stop_flag=ends,
        )

    async def _fill(self) -> None:
        """List everything now, and again every few minutes: the net under a watch that has missed something."""
        while True:
            await self._list_everything()
            self._filled.set()
            for kind in watch.WATCHED:
                metrics.WATCHED.labels(kind).set(len(self._store.all(kind)))
            self._look_at_everything()
            await asyncio.sleep(self._settings.resync * (0.9 + 0.2 * random.random()))

    async def _list_everything(self) -> None:
        while True:
            try:
                for kind, labels in watch.WATCHED.items():
                    await self._client.refresh(kind, selector=watch.SELECTOR if labels else "")
            except (ApiError, ClientError, TimeoutError) as error:
                log.warning("the cluster could not be listed: %s", error or type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def _look_at_everything(self) -> None:
        for key in self._store:
            if key.kind in LOOKED_AT:
                self._queue.add(key)
        self._queue.add(DEFAULT)

    async def _stand_forever(self) -> None:
        while True:
            await self._election.run(self._lead)
            metrics.LEADER.set(0)
            await asyncio.sleep(RETRY_SECONDS)

    async def _lead(self) -> None:
        log.info("%s leads", self._settings.identity)
        metrics.LEADER.set(1)
        await self._list_everything()  # what the leader before us wrote last, however late our watch is
        self._look_at_everything()
        await Term(self._settings, store=self._store, queue=self._queue, client=self._client).serve()

    def _not_alive(self) -> str:
        if self._watching is not None and self._watching.done():
            return "the watches have ended"
        return ""

    def _not_ready(self) -> str:
        return "" if self._filled.is_set() else "the cluster has not been listed yet"


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    for error in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(error, Exception):
            log.error("ended with an error", exc_info=error)
