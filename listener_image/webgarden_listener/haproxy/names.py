"""How things of the table are called inside HAProxy.

A pool `namespace/name` is the backend `namespace:name`, since a slash separates backend and server in every command.
What a backend inherits is fixed when it is made, so a pool whose clients keep to their workers has another backend,
`namespace:name:cookie`. A worker's server has the pod's name; the bell's server has an underscore, which no pod's name
can have.
"""

from __future__ import annotations

BELL = "_bell"
NODE = "node"
"""A backend for this listener itself: its one server is in maintenance while no new client is wanted."""
READY = f"{NODE}/ready"
COOKIE = "cookie"
OWN = "sess.own"
"""Variable with the name of a client's own connections to workers, when it must not share any."""


def backend(pool: str, *, affine: bool = False) -> str:
    name = pool.replace("/", ":", 1)
    return f"{name}:{COOKIE}" if affine else name


def defaults(backend: str) -> str:
    """The section from which a backend inherits."""
    return "affine" if backend.endswith(f":{COOKIE}") and backend.count(":") > 1 else "pool"


def variants(pool: str) -> tuple[str, str]:
    """Every backend that a pool may have."""
    return backend(pool), backend(pool, affine=True)


def pool_of(backend: str) -> str | None:
    """The pool's key, or None for a proxy that is no pool."""
    namespace, colon, rest = backend.partition(":")
    return f"{namespace}/{rest.partition(':')[0]}" if colon else None
