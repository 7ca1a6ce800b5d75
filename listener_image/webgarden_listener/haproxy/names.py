"""How things of the table are called inside HAProxy.

A pool `namespace/name` is the backend `namespace:name`, since a slash separates backend and server in every
command. A worker's server has the pod's name; the gate's name has an underscore, which no pod's name can have.
"""

from __future__ import annotations

GATE = "_gate"


def backend(pool: str) -> str:
    return pool.replace("/", ":", 1)


def pool_of(backend: str) -> str | None:
    """The pool's key, or None for a proxy that is no pool."""
    return backend.replace(":", "/", 1) if ":" in backend else None
