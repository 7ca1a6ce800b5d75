"""The two sides of trust in the link, as kept by the cluster: our certificates, and who a listener's token belongs to."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from datetime import datetime

from aiohttp import ClientError

from webgarden.cluster.client import ApiError, Client
from webgarden.link.authority import Authority, AuthorityError
from webgarden.link.server import Unknown
from webgarden.manifests import names
from webgarden.reconcile import release
from webgarden.reconcile.ports import Body, Key, Kind

log = logging.getLogger(__name__)

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
POD_NAME = "authentication.kubernetes.io/pod-name"


class Credentials:
    def __init__(self, client: Client, *, namespace: str, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._namespace = namespace
        self._clock = clock

    async def authority(self) -> Authority:
        """The authority in the Secret; made when there is none, or it cannot be read, or it ends within a year."""
        key = Key(Kind.SECRET, self._namespace, names.AUTHORITY)
        secret = await self._client.get(key)
        authority = _read(secret) if secret else None
        metadata: Body = {
            "name": names.AUTHORITY,
            "namespace": self._namespace,
            "labels": names.labels("link"),
            "ownerReferences": await release.owners(self._client),
        }
        if authority is None or authority.stale(self._clock()):
            authority = Authority.make(self._clock())
            await self._client.apply(_secret(metadata, authority))
        await self._client.apply(_config_map(metadata, authority))
        return authority

    async def authenticate(self, token: str) -> str:
        """The listener pod whose token this is. Raises `Unknown` for anybody else's."""
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [names.TOKEN_AUDIENCE]},
        }
        try:
            status = (await self._client.request("POST", REVIEWS, body=review)).get("status") or {}
        except (ApiError, ClientError, TimeoutError) as error:
            raise Unknown(f"the token could not be checked: {error or type(error).__name__}") from error
        if not status.get("authenticated"):
            raise Unknown(f"the token is not valid for the link: {status.get('error') or 'unknown'}")
        user = status.get("user") or {}
        if user.get("username") != f"system:serviceaccount:{self._namespace}:{names.LISTENER}":
            raise Unknown(f"{user.get('username')} is no listener")
        pods = (user.get("extra") or {}).get(POD_NAME) or []
        if len(pods) != 1:
            raise Unknown("the token is bound to no pod")
        return str(pods[0])


def _secret(metadata: Body, authority: Authority) -> Body:
    data = {"tls.crt": authority.certificate_pem, "tls.key": authority.key_pem}
    encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls", "data": encoded}


def _config_map(metadata: Body, authority: Authority) -> Body:
    data = {"ca.crt": authority.certificate_pem.decode()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def _read(secret: Body) -> Authority | None:
    data = secret.get("data") or {}
    try:
        return Authority.read(base64.b64decode(data.get("tls.crt", "")), base64.b64decode(data.get("tls.key", "")))
    except (AuthorityError, ValueError) as error:
        log.warning("a new authority of the link is made: %s", error)
        return None
