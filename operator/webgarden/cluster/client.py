"""Writes to the API server: plain dicts in and out, over the official client's asyncio part.

The official client brings configuration, tokens and TLS; its generated models are not used, since a dict is what server-side
apply wants and what the watches give. Every answer goes into the store (see there). One field manager owns all we write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config

from webgarden.cluster.paths import RESOURCES, path
from webgarden.cluster.store import MemoryStore, key_of
from webgarden.manifests import names
from webgarden.reconcile.ports import Body, Key, Kind, Refused

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON = "application/json"
TIMEOUT = 30.0
POOL_SIZE = 32
_REFUSALS = (400, 403, 422)
STATUS_MANAGER = f"{names.MANAGER}-status"


class ApiError(Exception):
    """The API server said no; `code` is its HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


async def connect() -> ApiClient:
    """A client for the cluster we run in, or for the current context of KUBECONFIG. Raises ConfigException."""
    configuration = Configuration()
    try:
        load_incluster_config(client_configuration=configuration)
    except ConfigException:
        await load_kube_config(client_configuration=configuration)
    configuration.connection_pool_maxsize = POOL_SIZE
    return ApiClient(configuration)


class Client:
    def __init__(self, api: ApiClient, store: MemoryStore) -> None:
        self._api = api
        self._store = store

    async def request(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Body | None = None,
        kind: str = JSON,
    ) -> Body:
        """One call. Raises `ApiError` for an answer of 400 and above."""
        headers = {"Accept": JSON, "Content-Type": kind}
        serialized = await self._api.param_serialize(
            method, url, query_params=list((query or {}).items()), header_params=headers, auth_settings=["BearerToken"]
        )
        method, address, headers, _, _ = serialized
        response = await self._api.call_api(method, address, headers, body, _request_timeout=TIMEOUT)
        data = await response.read()
        if response.status >= 400:
            raise ApiError(response.status, _message(data))
        answer: Body = json.loads(data) if data else {}
        return answer

    async def get(self, key: Key) -> Body | None:
        return await self._unless_gone("GET", path(key))

    async def refresh(self, kind: Kind, *, selector: str = "") -> None:
        """List all objects of a kind into the store: what the watches missed, if they did."""
        query = {"labelSelector": selector} if selector else {}
        answer = await self.request("GET", RESOURCES[kind].collection(), query=query)
        about = {"apiVersion": RESOURCES[kind].api_version, "kind": str(kind)}
        bodies = [{**item, **about} for item in answer.get("items") or []]
        self._store.replace(kind, bodies, version=answer["metadata"]["resourceVersion"])

    async def create(self, manifest: Body) -> Body | None:
        """None when there is one of that name already."""
        kind = Kind(manifest["kind"])
        url = RESOURCES[kind].collection(manifest["metadata"].get("namespace", ""))
        try:
            return await self.request("POST", url, body=manifest)
        except ApiError as error:
            if error.code == 409:
                return None
            if error.code in _REFUSALS:
                raise Refused(error.message) from error
            raise

    async def apply(self, manifest: Body) -> Body:
        """Server-side apply of the whole intent. Raises `Refused` for what is in it."""
        kind = Kind(manifest["kind"])
        query = {"fieldManager": names.MANAGER, "force": "true"}
        url = path(key_of(kind, manifest))
        try:
            answer = await self.request("PATCH", url, query=query, body=manifest, kind=APPLY)
        except ApiError as error:
            if error.code in _REFUSALS:
                raise Refused(error.message) from error
            raise
        self._store.put(kind, answer)
        return answer

    async def patch(self, key: Key, patch: Body) -> Body | None:
        answer = await self._unless_gone(
            "PATCH", path(key), query={"fieldManager": names.MANAGER}, body=patch, kind=MERGE
        )
        if answer is not None:
            self._store.put(key.kind, answer)
        return answer

    async def write_status(self, body: Body, status: Body) -> None:
        kind = Kind(body["kind"])
        metadata = body["metadata"]
        manifest = {
            "apiVersion": body["apiVersion"],
            "kind": body["kind"],
            "metadata": {k: metadata[k] for k in ("name", "namespace") if k in metadata},
            "status": status,
        }
        query = {"fieldManager": STATUS_MANAGER, "force": "true"}
        # Of this object, and as we know it: a status counts, and must not be computed from what is out of date.
        manifest["metadata"] |= {k: metadata[k] for k in ("uid", "resourceVersion")}
        url = f"{path(key_of(kind, body))}/status"
        try:
            answer = await self.request("PATCH", url, query=query, body=manifest, kind=APPLY)
        except ApiError as error:
            if error.code == 404:
                return
            raise
        self._store.put(kind, answer)

    async def delete(self, key: Key, *, uid: str, grace_seconds: int | None = None) -> None:
        options: Body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        try:
            answer = await self._unless_gone("DELETE", path(key), body=options)
        except ApiError as error:
            if error.code == 409:  # another object of that name
                return
            raise
        if answer is not None and answer.get("kind") == key.kind and answer["metadata"].get("deletionTimestamp"):
            self._store.put(key.kind, answer)

    async def _unless_gone(self, method: str, url: str, **rest: Any) -> Body | None:  # noqa: ANN401 (passed on)
        try:
            return await self.request(method, url, **rest)
        except ApiError as error:
            if error.code == 404:
                return None
            raise


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace")[:500] or "no message"
