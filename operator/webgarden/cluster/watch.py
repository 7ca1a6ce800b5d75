"""kopf as the watch engine, and nothing else of it: every event goes into the store, and names the keys to look at.

`on.event` handlers set no finalizer and no annotation, so a resource is never stuck because the operator is away. Which keys
an object's change touches is `touched_by`: a pod touches its pool, a Site its pools and the Sites that share a host with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

import kopf

from webgarden.cluster.paths import RESOURCES
from webgarden.cluster.store import MemoryStore, key_of, pool_of
from webgarden.manifests import names
from webgarden.reconcile.listeners import DEFAULT
from webgarden.reconcile.naming import bindings_of, pools_of
from webgarden.reconcile.ports import Body, Key, Kind

log = logging.getLogger(__name__)

SELECTOR = f"{names.MANAGED_BY}={names.MANAGER}"
WATCHED: dict[Kind, dict[str, str]] = {
    Kind.POOL: {},
    Kind.SITE: {},
    Kind.WEB_SERVER: {},
    Kind.DEPLOYMENT: {names.MANAGED_BY: names.MANAGER},
    Kind.POD: {names.MANAGED_BY: names.MANAGER},
}
"""Kind -> labels without which an object is none of ours."""

Touch = Callable[[Key], None]


def registry(store: MemoryStore, touch: Touch, started: Callable[[], None]) -> kopf.OperatorRegistry:
    """Handlers that feed the store; one registry, one operator. `started` is called when kopf has begun."""
    made = kopf.OperatorRegistry()
    kopf.on.login(registry=made)(_login)

    async def begun(**_: Any) -> None:  # noqa: ANN401 (kopf's signature)
        started()

    kopf.on.startup(registry=made)(begun)
    for kind, labels in WATCHED.items():
        resource = RESOURCES[kind]
        handler = _handler(kind, store, touch)
        kopf.on.event(
            resource.group, resource.version, resource.plural, id=f"watch-{kind}", labels=labels or None, registry=made
        )(handler)
    return made


def settings() -> kopf.OperatorSettings:
    made = kopf.OperatorSettings()
    made.scanning.disabled = True  # our CRDs are there before us; no rights on CRDs and namespaces are needed
    made.posting.enabled = False
    made.peering.standalone = True
    made.watching.server_timeout = 300
    made.watching.client_timeout = 310
    made.watching.connect_timeout = 30
    made.networking.request_timeout = 30
    made.networking.connect_timeout = 10
    # An API server that comes back is noticed within seconds, however long it was away.
    made.networking.error_backoffs = [1, 2] + [3] * 10_000
    for kind, labels in WATCHED.items():
        if labels:
            resource = RESOURCES[kind]
            made.watching.label_selectors[resource.group, resource.version, resource.plural] = SELECTOR
    return made


def _login(**rest: Any) -> kopf.ConnectionInfo | None:  # noqa: ANN401 (kopf's signature)
    return kopf.login_with_service_account(**rest) or kopf.login_with_kubeconfig(**rest)


def _handler(kind: Kind, store: MemoryStore, touch: Touch) -> Callable[..., Any]:
    async def handle(event: kopf.RawEvent, **_: Any) -> None:  # noqa: ANN401 (kopf's signature)
        body: Body = dict(event["object"])
        before = store.get(key_of(kind, body))
        news = store.drop(kind, body) if event["type"] == "DELETED" else store.put(kind, body)
        if not news:
            return
        for version in (before, body):
            for key in touched_by(store, kind, version) if version else ():
                touch(key)

    return handle


def touched_by(store: MemoryStore, kind: Kind, body: Body) -> Iterable[Key]:
    """Keys that need a look when this object has changed."""
    match kind:
        case Kind.POOL:
            pool = key_of(kind, body)
            yield pool
            yield from (key_of(Kind.SITE, site) for site in store.of_pool(Kind.SITE, pool))
        case Kind.SITE:
            yield key_of(kind, body)
            yield from pools_of(body)
            yield from _rivals_of(store, body)
        case Kind.WEB_SERVER:
            yield from (key for key in store if key.kind in (Kind.POOL, Kind.SITE, Kind.WEB_SERVER))
        case Kind.POD | Kind.DEPLOYMENT:
            if (labels := body["metadata"].get("labels") or {}).get(names.COMPONENT) == "listener":
                yield DEFAULT
            elif labels.get(names.POOL) and (of := pool_of(body)) is not None:
                yield of


def _rivals_of(store: MemoryStore, site: Body) -> Iterable[Key]:
    for binding in bindings_of(site):
        yield from (key_of(Kind.SITE, other) for other in store.claiming(binding))
