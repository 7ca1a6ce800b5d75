"""The operator, put together: watch, elect, and while leading: work and serve the link.

Both replicas watch, so the standby's store is warm. Only the leader looks at keys and lets listeners in, and lets them in
only when every key has been looked at once, so that the first table they get is complete.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import kopf
from kopf._core.engines.peering import Identity
from kubernetes.aio.client import ApiClient

from webgarden import metrics
from webgarden.cluster import watch
from webgarden.cluster.client import Client
from webgarden.cluster.credentials import Credentials
from webgarden.cluster.election import Election
from webgarden.cluster.events import EventRecorder
from webgarden.cluster.store import MemoryStore
from webgarden.health import HealthServer
from webgarden.link.authority import ServerCertificate
from webgarden.link.hub import Hub
from webgarden.link.server import PATH, LinkServer
from webgarden.manifests.listener import Place
from webgarden.manifests.worker import Images
from webgarden.reconcile.listeners import DEFAULT, Listeners
from webgarden.reconcile.pool import PoolReconciler
from webgarden.reconcile.ports import Key, Kind
from webgarden.reconcile.site import SiteReconciler
from webgarden.reconcile.webserver import WebServerReconciler
from webgarden.settings import Settings
from webgarden.working import Workers
from webgarden.workqueue import WorkQueue

log = logging.getLogger(__name__)

LOOKED_AT = (Kind.POOL, Kind.SITE, Kind.WEB_SERVER)
FIRST_LOOKS_WITHIN = 30.0
CERTIFICATE_CHECK = 3600.0


def utc_now() -> datetime:
    return datetime.now(UTC)


class Operator:
    def __init__(self, settings: Settings, api: ApiClient) -> None:
        self._settings = settings
        self._store = MemoryStore()
        self._queue: WorkQueue[Key] = WorkQueue()
        self._client = Client(api, self._store)
        self._hub = Hub(clock=utc_now, touched=self._touch_pool, changed=lambda: self._queue.add(DEFAULT))
        self._credentials = Credentials(self._client, namespace=settings.namespace, clock=utc_now)
        self._server = LinkServer(self._hub, self._credentials.authenticate)
        self._election = Election(
            api, namespace=settings.namespace, identity=settings.identity, lease_seconds=settings.lease_seconds
        )
        self._workers = self._assemble()
        self._health = HealthServer(alive=self._not_alive, ready=self._not_ready)
        self._watching: asyncio.Task[None] | None = None
        self._filled = asyncio.Event()

    def _touch_pool(self, path: str) -> None:
        namespace, _, name = path.partition("/")
        self._queue.add(Key(Kind.POOL, namespace, name))

    def _assemble(self) -> Workers:
        settings = self._settings
        listeners = Listeners(self._store, settings.namespace)
        recorder = EventRecorder(self._client, identity=settings.identity, namespace=settings.namespace, clock=utc_now)
        pools = PoolReconciler(
            store=self._store,
            writer=self._client,
            link=self._hub,
            recorder=recorder,
            listeners=listeners,
            images=Images(worker=settings.worker_image, pull_policy=settings.image_pull_policy),
            clock=utc_now,
        )
        sites = SiteReconciler(
            store=self._store, writer=self._client, link=self._hub, listeners=listeners, clock=utc_now
        )
        servers = WebServerReconciler(
            store=self._store,
            writer=self._client,
            link=self._hub,
            place=Place(
                namespace=settings.namespace,
                image=settings.listener_image,
                pull_policy=settings.image_pull_policy,
                link_url=f"wss://{self._link_host}:{settings.link_port}{PATH}",
            ),
            initial=settings.web_server,
            clock=utc_now,
        )
        looks = {Kind.POOL: pools.reconcile, Kind.SITE: sites.reconcile, Kind.WEB_SERVER: servers.reconcile}
        return Workers(queue=self._queue, reconcilers=looks, clock=utc_now)

    @property
    def _link_host(self) -> str:
        return f"{self._settings.link_service}.{self._settings.namespace}.svc"

    async def run(self, stop: asyncio.Event) -> int:
        """Until `stop` is set or the Lease is lost. Returns the exit code."""
        await self._health.start(self._settings.health_port)
        watching_ends = asyncio.Event()
        self._watching = asyncio.create_task(self._watch(watching_ends), name="watch")
        filling = asyncio.create_task(self._fill(), name="fill")
        leading = asyncio.create_task(self._election.run(self._lead), name="lead")
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
        registry = watch.registry(self._store, self._queue.add)
        await kopf.operator(
            registry=registry,
            settings=watch.settings(),
            identity=Identity(self._settings.identity),  # else kopf asks for a user's name, and a container has none
            clusterwide=True,
            standalone=True,
            stop_flag=ends,
        )

    async def _fill(self) -> None:
        """List everything now, and again every few minutes: the net under a watch that has missed something."""
        while True:
            try:
                for kind, labels in watch.WATCHED.items():
                    await self._client.refresh(kind, selector=watch.SELECTOR if labels else "")
            except Exception as error:
                log.warning("the cluster could not be listed: %s", error)
                await asyncio.sleep(2.0)
                continue
            self._filled.set()
            for kind in Kind:
                metrics.WATCHED.labels(kind).set(len(self._store.all(kind)))
            self._look_at_everything()
            await asyncio.sleep(self._settings.resync * (0.9 + 0.2 * random.random()))

    def _look_at_everything(self) -> None:
        for key in list(self._store):
            if key.kind in LOOKED_AT:
                self._queue.add(key)
        self._queue.add(DEFAULT)

    async def _lead(self) -> None:
        log.info("%s leads", self._settings.identity)
        metrics.LEADER.set(1)
        await self._filled.wait()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate = await self._renew_certificate(context)
        self._look_at_everything()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._workers.run(self._settings.workers))
            group.create_task(self._keep_certificate(context, certificate))
            await self._first_looks()
            await self._server.start(host="", port=self._settings.link_port, context=context)
            log.info("listeners may come in at %s:%d", self._link_host, self._settings.link_port)
            try:
                await asyncio.Event().wait()
            finally:
                await self._server.stop()

    async def _first_looks(self) -> None:
        """A key that keeps failing must not keep the listeners out: what is known by then is served."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOKS_WITHIN):
                await self._queue.settled()

    async def _renew_certificate(self, context: ssl.SSLContext) -> ServerCertificate:
        authority = await self._credentials.authority()
        certificate = authority.issue((self._link_host, f"{self._link_host}.cluster.local"), utc_now())
        certificate.load_into(context)
        return certificate

    async def _keep_certificate(self, context: ssl.SSLContext, certificate: ServerCertificate) -> None:
        while True:
            await asyncio.sleep(CERTIFICATE_CHECK)
            if certificate.due(utc_now()):
                certificate = await self._renew_certificate(context)

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
