"""What the watches have seen last of each object, and what we have written since.

Every write puts its answer here at once, so the next look sees what this one did, however late the watch is. A watch event
that is older than what is here is dropped: resource versions are numbers that only grow, which Kubernetes promises since
1.35 and etcd has always kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from webgarden.manifests import names
from webgarden.reconcile.naming import bindings_of, pools_of
from webgarden.reconcile.ports import Body, HostPort, Key, Kind


def key_of(kind: Kind, body: Body) -> Key:
    metadata = body["metadata"]
    return Key(kind, metadata.get("namespace", ""), metadata["name"])


def pool_of(body: Body) -> Key | None:
    """The pool whose label a pod or Deployment carries."""
    metadata = body["metadata"]
    name = (metadata.get("labels") or {}).get(names.POOL)
    return Key(Kind.POOL, metadata["namespace"], name) if name else None


def _indexed(kind: Kind, body: Body) -> Iterable[Key | HostPort]:
    """By what an object is found besides its key: there may be thousands, and looks must not search."""
    if kind is Kind.SITE:
        yield from pools_of(body)
        yield from bindings_of(body)
    elif kind in (Kind.POD, Kind.DEPLOYMENT) and (pool := pool_of(body)) is not None:
        yield pool


class MemoryStore:
    def __init__(self) -> None:
        self._objects: dict[Kind, dict[str, dict[Key, Body]]] = {kind: {} for kind in Kind}
        """Kind -> namespace -> key -> body."""
        self._index: dict[tuple[Kind, Key | HostPort], dict[Key, None]] = {}
        self._deleted: dict[Key, int] = {}

    def get(self, key: Key) -> Body | None:
        return self._objects[key.kind].get(key.namespace, {}).get(key)

    def all(self, kind: Kind, namespace: str | None = None) -> list[Body]:
        if namespace is not None:
            return list(self._objects[kind].get(namespace, {}).values())
        return [body for bodies in self._objects[kind].values() for body in bodies.values()]

    def of_pool(self, kind: Kind, pool: Key) -> list[Body]:
        return self._found(kind, pool)

    def claiming(self, binding: HostPort) -> list[Body]:
        return self._found(Kind.SITE, binding)

    def _found(self, kind: Kind, by: Key | HostPort) -> list[Body]:
        return [self._objects[kind][key.namespace][key] for key in self._index.get((kind, by), {})]

    def put(self, kind: Kind, body: Body) -> bool:
        """Returns whether it was news."""
        key = key_of(kind, body)
        known = self.get(key)
        version = _version(body)
        if version < self._deleted.get(key, 0) or (known is not None and version < _version(known)):
            return False
        self._unindex(kind, key)
        self._deleted.pop(key, None)
        self._objects[kind].setdefault(key.namespace, {})[key] = _trimmed(body)
        for by in _indexed(kind, body):
            self._index.setdefault((kind, by), {})[key] = None
        return True

    def drop(self, kind: Kind, body: Body) -> bool:
        """The object is gone, as a watch says, or an answer to a deletion."""
        key = key_of(kind, body)
        known = self.get(key)
        if known is None or _version(known) > _version(body):
            return False
        self._unindex(kind, key)
        siblings = self._objects[kind][key.namespace]
        del siblings[key]
        if not siblings:
            del self._objects[kind][key.namespace]
        self._deleted[key] = _version(body)
        if len(self._deleted) > 10_000:  # only the newest can be overtaken by an older event
            del self._deleted[next(iter(self._deleted))]
        return True

    def replace(self, kind: Kind, bodies: list[Body], *, version: str) -> None:
        """All there were at `version`, as a list says. What was seen or written later stays."""
        for body in bodies:
            self.put(kind, body)
        listed = {key_of(kind, body) for body in bodies}
        for known in self.all(kind):
            if key_of(kind, known) not in listed and _version(known) <= int(version):
                self.drop(kind, {"metadata": {**known["metadata"], "resourceVersion": version}})

    def _unindex(self, kind: Kind, key: Key) -> None:
        known = self.get(key)
        for by in _indexed(kind, known) if known is not None else ():
            keys = self._index[kind, by]
            del keys[key]
            if not keys:
                del self._index[kind, by]

    def __iter__(self) -> Iterator[Key]:
        return iter([key for spaces in self._objects.values() for keys in spaces.values() for key in keys])


def _version(body: Body) -> int:
    text = str(body["metadata"].get("resourceVersion") or "0")
    return int(text) if text.isdecimal() else 0


def _trimmed(body: Body) -> Body:
    """Without managedFields, which are half of an object and of no use here."""
    metadata: dict[str, Any] = {k: v for k, v in body["metadata"].items() if k != "managedFields"}
    return {**body, "metadata": metadata}
