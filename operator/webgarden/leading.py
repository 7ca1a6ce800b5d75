"""One term of leadership: looking at keys, and serving the link. What it remembers ends with it.

Listeners are let in only when every key has been looked at once, so that the first table they get is complete.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from contextlib import suppress
from datetime import UTC, datetime

from webgarden import metrics
from webgarden.cluster.client import Client
from webgarden.cluster.credentials import Credentials
from webgarden.cluster.events import EventRecorder
from webgarden.cluster.store import MemoryStore
from webgarden.link.authority import ServerCertificate
from webgarden.link.hub import Hub
from webgarden.link.server import PATH, LinkServer
from webgarden.manifests.listener import Place
from webgarden.manifests.worker import Images
from webgarden.reconcile.listeners import DEFAULT, Listeners
from webgarden.reconcile.pool import PoolReconciler
from webgarden.reconcile.ports import Key, Kind, Outside
from webgarden.reconcile.silence import Silence
from webgarden.reconcile.site import SiteReconciler
from webgarden.reconcile.webserver import WebServerReconciler
from webgarden.settings import Settings
from webgarden.working import Workers
from webgarden.workqueue import WorkQueue

log = logging.getLogger(__name__)

FIRST_LOOKS_WITHIN = 120.0
CERTIFICATE_CHECK = 3600.0


def utc_now() -> datetime:
    return datetime.now(UTC)


class Term:
    def __init__(self, settings: Settings, *, store: MemoryStore, queue: WorkQueue[Key], client: Client) -> None:
        self._settings = settings
        self._store = store
        self._queue = queue
        self._client = client
        self._hub = Hub(clock=utc_now, touched=self._touch, changed=self._listeners_changed)
        self._credentials = Credentials(client, namespace=settings.namespace, clock=utc_now)
        self._server = LinkServer(self._hub, self._credentials.authenticate)
        self._workers = self._assemble()

    def _touch(self, kind: Kind, path: str) -> None:
        namespace, _, name = path.partition("/")
        self._queue.add(Key(kind, namespace, name))

    def _listeners_changed(self) -> None:
        metrics.LISTENERS.set(len(self._hub.connected()))
        self._queue.add(DEFAULT)

    def _assemble(self) -> Workers:
        settings, store, client, hub = self._settings, self._store, self._client, self._hub
        recorder = EventRecorder(client, identity=settings.identity, clock=utc_now)
        outside = Outside(store=store, writer=client, link=hub, recorder=recorder, clock=utc_now)
        listeners = Listeners(store, settings.namespace, utc_now)
        silence = Silence(listeners=listeners, connected=hub.connected, monotonic=time.monotonic)
        images = Images(worker=settings.worker_image, pull_policy=settings.image_pull_policy)
        pools = PoolReconciler(outside, listeners=listeners, silence=silence, images=images)
        sites = SiteReconciler(outside, listeners=listeners)
        servers = WebServerReconciler(
            outside, listeners=listeners, silence=silence, place=self._place(), initial=settings.web_server
        )
        looks = {Kind.POOL: pools.reconcile, Kind.SITE: sites.reconcile, Kind.WEB_SERVER: servers.reconcile}
        return Workers(queue=self._queue, reconcilers=looks, clock=utc_now)

    @property
    def _host(self) -> str:
        return f"{self._settings.link_service}.{self._settings.namespace}.svc"

    def _place(self) -> Place:
        return Place(
            namespace=self._settings.namespace,
            image=self._settings.listener_image,
            pull_policy=self._settings.image_pull_policy,
            pull_secrets=self._settings.image_pull_secrets,
            link_url=f"wss://{self._host}:{self._settings.link_port}{PATH}",
        )

    async def serve(self) -> None:
        """Until cancelled."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate = await self._renew_certificate(context)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._workers.run(self._settings.workers))
                group.create_task(self._keep_certificate(context, certificate))
                await self._first_looks()
                await self._server.start(host="", port=self._settings.link_port, context=context)
                log.info("listeners may come in at %s:%d", self._host, self._settings.link_port)
        finally:
            # When all looks have ended: closing takes time, in which another may lead.
            await self._server.stop()

    async def _first_looks(self) -> None:
        """A key that keeps failing must not keep the listeners out: what is known by then is served."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_LOOKS_WITHIN):
                await self._queue.settled()

    async def _renew_certificate(self, context: ssl.SSLContext) -> ServerCertificate:
        authority = await self._credentials.authority()
        certificate = authority.issue((self._host, f"{self._host}.cluster.local"), utc_now())
        certificate.load_into(context)
        return certificate

    async def _keep_certificate(self, context: ssl.SSLContext, certificate: ServerCertificate) -> None:
        while True:
            await asyncio.sleep(CERTIFICATE_CHECK)
            if certificate.due(utc_now()):
                certificate = await self._renew_certificate(context)
