"""Which listeners there are: the wish of the `WebServer`, and the pods that are alive.

A listener is alive while its HAProxy may run, since that gives out requests, of kept connections too, whether its agent
lives or the pod is Ready. What tells is the state of its container, which the kubelet keeps until the pod is gone. A node
that died tells nothing any more: Kubernetes then evicts its pods, after the time that they tolerate it, and they stay in
deletion for good, since nobody ends them. So a pod that is still there when its grace is over is taken for dead: a kubelet
that lives would have ended it. Nodes themselves are not watched; one that is removed takes its pods with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from pydantic import ValidationError

from webgarden.api.webserver import NAME, WebServer, WebServerSpec
from webgarden.manifests import names
from webgarden.manifests.listener import HAPROXY
from webgarden.reconcile.observing import over, time
from webgarden.reconcile.ports import Body, Clock, Key, Kind, Store

DEFAULT = Key(Kind.WEB_SERVER, "", NAME)
OVERDUE = timedelta(seconds=30)
"""What a kubelet may need beyond a pod's grace, and clocks may differ."""


class Listeners:
    def __init__(self, store: Store, namespace: str, clock: Clock) -> None:
        self._store = store
        self._namespace = namespace
        self._clock = clock

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
        """Those that are being deleted: they finish what they have."""
        return _names(pod for pod in self._pods() if pod["metadata"].get("deletionTimestamp"))

    def alive(self) -> frozenset[str]:
        """Those that may be giving out requests."""
        now = self._clock()
        return _names(pod for pod in self._pods() if _alive(pod, now))

    def key(self, name: str) -> Key:
        return Key(Kind.POD, self._namespace, name)

    def _pods(self) -> Iterable[Body]:
        for pod in self._store.all(Kind.POD, self._namespace):
            if (pod["metadata"].get("labels") or {}).get(names.COMPONENT) == "listener":
                yield pod


def _names(pods: Iterable[Body]) -> frozenset[str]:
    return frozenset(pod["metadata"]["name"] for pod in pods)


def _alive(pod: Body, now: datetime) -> bool:
    ends = time(pod["metadata"].get("deletionTimestamp"))  # its grace is in it
    if over(pod) or (ends is not None and now - ends > OVERDUE):
        return False
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return any(s["name"] == HAPROXY and "running" in (s.get("state") or {}) for s in statuses)
