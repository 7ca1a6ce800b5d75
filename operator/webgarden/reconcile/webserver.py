"""One look at the `WebServer` named `default`: the listener's objects are as it says.

Here is also decided what concerns all pools alike: among how many listeners limits are divided (`sharing`), and whether a
listener that does not hear of us is replaced (`silence`).

The chart's values are the operator's to keep there (`initial`): a release cannot hold a resource of a kind that it
brings itself. That WebServer is owned by the release, and the listener's objects by the WebServer, so uninstalling
takes them all.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from webgarden.api.conditions import Finding, Truth, merge
from webgarden.api.resource import API_VERSION
from webgarden.api.webserver import NAME, WebServer, WebServerStatus
from webgarden.manifests import names
from webgarden.manifests.listener import Place, objects
from webgarden.reconcile import events, invalid, release
from webgarden.reconcile.listeners import DEFAULT, Listeners
from webgarden.reconcile.ports import Body, Key, Kind, Outside, Refused
from webgarden.reconcile.sharing import Sharing
from webgarden.reconcile.silence import PATIENCE, Silence

AGAIN = timedelta(minutes=5)
"""What was applied is applied again after this long: somebody may have changed or deleted it."""
SOON = timedelta(seconds=5)
"""While a listener is silent."""


class WebServerReconciler:
    def __init__(
        self,
        outside: Outside,
        *,
        listeners: Listeners,
        silence: Silence,
        place: Place,
        initial: dict[str, Any] | None,
    ) -> None:
        """`initial`: the spec that the chart wants, or None when somebody else keeps the WebServer."""
        self._store = outside.store
        self._writer = outside.writer
        self._link = outside.link
        self._recorder = outside.recorder
        self._clock = outside.clock
        self._listeners = listeners
        self._silence = silence
        self._sharing = Sharing()
        self._place = place
        self._initial = initial
        self._applied: dict[str, tuple[str, datetime]] = {}
        """Kind -> what was applied, and when."""
        self._kept = ""

    async def reconcile(self, key: Key) -> datetime | None:
        if key != DEFAULT:
            return None
        self._share()
        silent = await self._replace_silent()
        await self._keep()
        if (body := self._body()) is not None:
            await self._install(body)
        return min(filter(None, (self._clock() + (SOON if silent else AGAIN), self._sharing.next_look)))

    def _body(self) -> Body | None:
        """None also while it is being deleted, and the listeners with it."""
        body = self._store.get(DEFAULT)
        return None if body is None or body["metadata"].get("deletionTimestamp") else body

    async def _install(self, body: Body) -> None:
        try:
            server = WebServer.model_validate(body)
        except ValidationError as error:
            return await invalid.say(self._writer, body, error, self._clock())  # the listener goes on as it is
        refused = await self._apply(server)
        status = self._status(server, refused)
        if status != server.status:
            await self._writer.write_status(body, status.as_dict())
        return None

    def _share(self) -> None:
        """Before a listener may come in, and whether there is a WebServer or not."""
        wanted, connected = self._listeners.wanted(), len(self._link.connected())
        self._link.publish_listeners(self._sharing.count(wanted=wanted, connected=connected, now=self._clock()))

    async def _replace_silent(self) -> bool:
        """Whatever the WebServer says: drains wait for it. Returns whether a listener is alive and has no link."""
        silent = self._silence.look()
        name, body = self._silence.due(), self._body()
        if name and body and (pod := self._store.get(self._listeners.key(name))) is not None:
            await self._writer.delete(self._listeners.key(name), uid=pod["metadata"]["uid"])
            await self._recorder.record(body, events.listener_silent(name, PATIENCE))
        return silent

    async def _keep(self) -> None:
        """The chart's spec, applied once for each life of the WebServer and of the operator."""
        if self._initial is None:
            return
        body = self._store.get(DEFAULT)
        if body is not None and body["metadata"]["uid"] == self._kept:
            return
        owners = await release.owners(self._writer)
        metadata: Body = {"name": NAME, "labels": names.labels("webserver"), "ownerReferences": owners}
        manifest = {"apiVersion": API_VERSION, "kind": "WebServer", "metadata": metadata, "spec": self._initial}
        self._kept = (await self._writer.apply(manifest))["metadata"]["uid"]

    async def _apply(self, server: WebServer) -> str:
        """Apply what differs from what was applied before, is gone, or was applied long ago. Returns the API server's
        words if it refuses."""
        now = self._clock()
        deployed = self._store.get(Key(Kind.DEPLOYMENT, self._place.namespace, names.LISTENER))
        for manifest in objects(server, self._place):
            digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
            before, at = self._applied.get(manifest["kind"], ("", now))
            if before == digest and deployed is not None and now - at < AGAIN:
                continue
            try:
                await self._writer.apply(manifest)
            except Refused as refusal:
                return f"{manifest['kind']}: {refusal}"
            self._applied[manifest["kind"]] = (digest, now)
        return ""

    def _status(self, server: WebServer, refused: str) -> WebServerStatus:
        connected = len(self._link.connected())
        wanted = server.spec.listener.replicas
        checks = [
            (bool(refused), "ListenerRefused", f"the API server refuses the listener: {refused}"),
            (
                connected < wanted,
                "ListenersMissing",
                f"{connected} of {wanted} listeners are connected to the operator",
            ),
        ]
        found = next(((Truth.FALSE, r, m) for wrong, r, m in checks if wrong), (Truth.TRUE, "Ready", ""))
        ready = Finding(
            type="Ready",
            status=found[0],
            reason=found[1],
            message=found[2],
            observed_generation=server.metadata.generation,
        )
        return WebServerStatus(
            observed_generation=server.metadata.generation,
            listeners=connected,
            conditions=merge(server.status.conditions, [ready], self._clock()),
        )
