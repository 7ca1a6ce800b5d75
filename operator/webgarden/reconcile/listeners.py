"""Which listeners there are: the wish of the `WebServer`, and the pods that are alive."""

from __future__ import annotations

from pydantic import ValidationError

from webgarden.api.webserver import NAME, WebServer, WebServerSpec
from webgarden.manifests import names
from webgarden.reconcile.ports import Body, Key, Kind, Store

DEFAULT = Key(Kind.WEB_SERVER, "", NAME)


class Listeners:
    def __init__(self, store: Store, namespace: str) -> None:
        self._store = store
        self._namespace = namespace

    def spec(self) -> WebServerSpec:
        """The WebServer's, or the built-in defaults when there is none or it cannot be read."""
        body = self._store.get(DEFAULT)
        try:
            return WebServer.model_validate(body).spec if body else WebServerSpec()
        except ValidationError:
            return WebServerSpec()

    def wanted(self) -> int:
        return self.spec().listener.replicas

    def ports(self) -> frozenset[int]:
        return frozenset(self.spec().listener.ports)

    def leaving(self) -> frozenset[str]:
        """Pods that are being deleted: they finish what they have."""
        return frozenset(
            pod["metadata"]["name"]
            for pod in self._store.all(Kind.POD, self._namespace)
            if pod["metadata"].get("deletionTimestamp")
        )

    def alive(self) -> frozenset[str]:
        """Pods that may be giving out requests: running, and ready or on their way out."""
        return frozenset(
            pod["metadata"]["name"]
            for pod in self._store.all(Kind.POD, self._namespace)
            if (pod["metadata"].get("labels") or {}).get(names.COMPONENT) == "listener" and _alive(pod)
        )


def _alive(pod: Body) -> bool:
    status = pod.get("status") or {}
    if status.get("phase") != "Running":
        return False
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or [])
    return ready or bool(pod["metadata"].get("deletionTimestamp"))
