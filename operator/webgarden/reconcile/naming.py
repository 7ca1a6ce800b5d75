"""What a Site names, as it stands in a body that may be invalid: looked at for all of them, so nothing is parsed."""

from __future__ import annotations

from webgarden.reconcile.ports import Body, HostPort, Key, Kind


def bindings_of(site: Body) -> set[HostPort]:
    return {(b.get("host", ""), b.get("port", 80)) for b in (site.get("spec") or {}).get("bindings") or []}


def pools_of(site: Body) -> set[Key]:
    namespace = site["metadata"]["namespace"]
    applications = (site.get("spec") or {}).get("applications") or []
    return {Key(Kind.POOL, namespace, a.get("pool", "")) for a in applications}
