"""Events of events.k8s.io/v1: created on a transition, counted up when the same one comes again within ten minutes.

An Event is a courtesy. That it could not be written is logged, and stops nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from aiohttp import ClientError

from webgarden.cluster.client import MERGE, ApiError, Client
from webgarden.manifests import names
from webgarden.reconcile.ports import Body, Event

log = logging.getLogger(__name__)

ROOT = "/apis/events.k8s.io/v1/namespaces"
SAME_WITHIN = timedelta(minutes=10)
LONGEST = 1024
CLUSTER_SCOPED = "default"
"""Namespace of Events about what has none: the API server takes them nowhere else."""
REMEMBERED = 4096


class EventRecorder:
    def __init__(self, client: Client, *, identity: str, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._identity = identity
        self._clock = clock
        self._seen: dict[str, tuple[str, datetime, int]] = {}

    async def record(self, about: Body, event: Event) -> None:
        event = replace(event, message=event.message[:LONGEST])
        try:
            await self._write(about, event)
        except (ApiError, ClientError, TimeoutError) as error:
            log.warning("the Event %s of %s could not be written: %s", event.reason, about["metadata"]["name"], error)

    async def _write(self, about: Body, event: Event) -> None:
        now = self._clock()
        url = f"{ROOT}/{_namespace(about)}/events"
        token = "|".join((about["metadata"].get("uid", ""), event.reason, event.message))
        name, since, count = self._seen.get(token, ("", now, 0))
        if name and now - since < SAME_WITHIN:
            series = {"series": {"count": count + 1, "lastObservedTime": _micro(now)}}
            try:
                await self._client.request("PATCH", f"{url}/{name}", body=series, kind=MERGE)
            except ApiError as error:
                if error.code != 404:
                    raise
            else:
                self._seen[token] = (name, since, count + 1)
                return
        body = self._body(about, event, now)
        await self._client.request("POST", url, body=body)
        self._seen.pop(token, None)
        self._seen[token] = (body["metadata"]["name"], now, 1)
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def _body(self, about: Body, event: Event, now: datetime) -> Body:
        metadata = about["metadata"]
        digest = hashlib.sha256(f"{event.reason}{event.message}{now.timestamp()}".encode()).hexdigest()[:16]
        annotations = {names.WAS_EVENT_ID: str(event.was_id)} if event.was_id else {}
        regarding = {k: metadata[k] for k in ("name", "namespace", "uid", "resourceVersion") if metadata.get(k)}
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name'][:200]}.{digest}",
                "namespace": _namespace(about),
                "annotations": annotations,
            },
            "regarding": {"apiVersion": about["apiVersion"], "kind": about["kind"], **regarding},
            "type": "Warning" if event.warning else "Normal",
            "reason": event.reason,
            "note": event.message,
            "action": event.reason,
            "reportingController": f"{names.PREFIX}/operator",
            "reportingInstance": self._identity,
            "eventTime": _micro(now),
        }


def _namespace(about: Body) -> str:
    return str(about["metadata"].get("namespace") or CLUSTER_SCOPED)


def _micro(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
