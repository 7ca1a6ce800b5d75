"""Which applications the sites of a namespace give to a pool to host.

A Site is read once a version: a pool is looked at much more often than its sites change, and may have a thousand of them.
"""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from webgarden.api.site import Site
from webgarden.manifests.applications import HostedApplication
from webgarden.reconcile.ports import Body, Key

Known = dict[str, tuple[str, tuple[HostedApplication, ...]]]
"""Site -> its version, and what it gives to one pool."""


class Hosting:
    def __init__(self) -> None:
        self._known: dict[Key, Known] = {}

    def given(self, pool: Key, sites: Iterable[Body]) -> list[HostedApplication]:
        """By those that are valid and not being deleted."""
        before = self._known.get(pool, {})
        now: Known = {}
        for body in sites:
            if not _names(body, pool.name) or body["metadata"].get("deletionTimestamp"):
                continue
            name, version = body["metadata"]["name"], body["metadata"]["resourceVersion"]
            known = before.get(name)
            now[name] = known if known and known[0] == version else (version, _read(body, pool.name))
        self._known[pool] = now
        return [application for _, applications in now.values() for application in applications]

    def forget(self, pool: Key) -> None:
        self._known.pop(pool, None)


def _names(site: Body, pool: str) -> bool:
    """Whether a Site gives the pool something to run; asked of the body, since parsing every Site would be slow."""
    applications = (site.get("spec") or {}).get("applications") or []
    return any(a.get("pool") == pool and a.get("app") for a in applications)


def _read(body: Body, pool: str) -> tuple[HostedApplication, ...]:
    try:
        site = Site.model_validate(body)
    except ValidationError:
        return ()
    return tuple(
        HostedApplication(site=site.key, path=a.path, app=a.app)
        for a in site.spec.applications
        if a.app is not None and a.pool == pool
    )
