"""Which applications sites give to a pool."""

from __future__ import annotations

from typing import Any

import pytest

from webgarden.api.site import Site
from webgarden.reconcile.hosting import Hosting
from webgarden.reconcile.ports import Key, Kind

Body = dict[str, Any]
SHOP = Key(Kind.POOL, "a", "shop")
APP = {"kind": "WSGI", "target": "x:y"}


def site(name: str, *applications: Body, version: int = 1, **metadata: str) -> Body:
    spec = {"bindings": [{"host": f"{name}.test"}], "applications": list(applications)}
    about = {"name": name, "namespace": "a", "resourceVersion": str(version), **metadata}
    return {"kind": "Site", "metadata": about, "spec": spec}


def application(path: str = "/", pool: str = "shop", app: Body | None = APP) -> Body:
    return {"path": path, "pool": pool} | ({"app": app} if app else {})


def given(hosting: Hosting, *sites: Body) -> list[tuple[str, str]]:
    return [(a.site, a.path) for a in hosting.given(SHOP, sites)]


def test_a_pool_is_given_the_applications_that_name_it_and_say_what_to_run() -> None:
    one = site("one", application(), application("/other", "other"), application("/plain", app=None))
    assert given(Hosting(), one, site("two", application("/two"))) == [("a/one", "/"), ("a/two", "/two")]


def test_a_site_that_is_invalid_or_on_its_way_out_gives_nothing() -> None:
    broken = site("broken", application(app={"kind": "Juggling"}))
    leaving = site("leaving", application(), deletionTimestamp="2026-01-01T00:00:00Z")
    assert given(Hosting(), broken, leaving, site("well", application())) == [("a/well", "/")]


def test_a_change_of_a_site_is_noticed() -> None:
    hosting = Hosting()
    assert given(hosting, site("one", application("/a"))) == [("a/one", "/a")]
    assert given(hosting, site("one", application("/b"), version=2)) == [("a/one", "/b")]
    assert given(hosting) == []


def test_a_site_is_read_once_a_version(monkeypatch: pytest.MonkeyPatch) -> None:
    hosting = Hosting()
    one = site("one", application())
    assert given(hosting, one) == [("a/one", "/")]
    monkeypatch.setattr(Site, "model_validate", lambda body: pytest.fail("it was read again"))
    assert given(hosting, one) == [("a/one", "/")]
