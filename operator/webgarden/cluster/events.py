"""Events of events.k8s.io/v1: created on a transition, counted up when the same one comes again within ten minutes.

An Event is a courtesy. That it could not be written is logged, and stops nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from aiohttp import ClientError

from webgarden.cluster.client import MERGE, ApiError, Client
from webgarden.manifests import names
from webgarden.reconcile.ports import Body

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

    async def record(self, about: Body, *, reason: str, message: str, warning: bool = False, was_id: int = 0) -> None:
        namespace = about["metadata"].get("namespace") or CLUSTER_SCOPED
        message = message[:LONGEST]
        token = "|".join((about["metadata"].get("uid", ""), reason, message))
        try:
            await self._write(about, namespace, token, reason=reason, message=message, warning=warning, was_id=was_id)
        except (ApiError, ClientError, TimeoutError) as error:
            log.warning("the Event %s of %s could not be written: %s", reason, about["metadata"]["name"], error)

    async def _write(
        self, about: Body, namespace: str, token: str, *, reason: str, message: str, warning: bool, was_id: int
    ) -> None:
        now = self._clock()
        name, since, count = self._seen.get(token, ("", now, 0))
        if name and now - since < SAME_WITHIN:
            series = {"series": {"count": count + 1, "lastObservedTime": _micro(now)}}
            try:
                await self._client.request("PATCH", f"{ROOT}/{namespace}/events/{name}", body=series, kind=MERGE)
            except ApiError as error:
                if error.code != 404:
                    raise
            else:
                self._seen[token] = (name, since, count + 1)
                return
        event = self._event(about, namespace, now, reason=reason, message=message, warning=warning, was_id=was_id)
        await self._client.request("POST", f"{ROOT}/{namespace}/events", body=event)
        self._seen.pop(token, None)
        self._seen[token] = (event["metadata"]["name"], now, 1)
        if len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]

    def _event(
        self, about: Body, namespace: str, now: datetime, *, reason: str, message: str, warning: bool, was_id: int
    ) -> dict[str, Any]:
        metadata = about["metadata"]
        digest = hashlib.sha256(f"{reason}{message}{now.timestamp()}".encode()).hexdigest()[:16]
        annotations = {names.WAS_EVENT_ID: str(was_id)} if was_id else {}
        regarding = {k: metadata[k] for k in ("name", "namespace", "uid", "resourceVersion") if metadata.get(k)}
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "name": f"{metadata['name'][:200]}.{digest}",
                "namespace": namespace,
                "annotations": annotations,
            },
            "regarding": {"apiVersion": about["apiVersion"], "kind": about["kind"], **regarding},
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "note": message,
            "action": reason,
            "reportingController": f"{names.PREFIX}/operator",
            "reportingInstance": self._identity,
            "eventTime": _micro(now),
        }


def _micro(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
