"""The file with what a pool's workers host."""

from __future__ import annotations

import json
from typing import Any

from webgarden.api.pool import ApplicationPool
from webgarden.api.site import App
from webgarden.manifests.applications import FILE, LARGEST, HostedApplication, config_map, too_large

Body = dict[str, Any]


def pool(name: str = "shop") -> ApplicationPool:
    return ApplicationPool.model_validate(
        {"metadata": {"name": name, "namespace": "a", "uid": "u1"}, "kind": "x", "spec": {}}
    )


def hosted(site: str, path: str = "/", **app: Any) -> HostedApplication:  # noqa: ANN401 (fields of an app)
    return HostedApplication(site=site, path=path, app=App.model_validate(app))


WSGI = hosted("a/one", kind="WSGI", target="x:y")
STATIC = hosted("a/two", "/s", kind="Static", root="/srv")
CGI = hosted(
    "a/two",
    "/cgi",
    kind="CGI",
    root="/srv/cgi",
    cgi={"handlers": [{"path": "*.php", "scriptProcessor": "/bin/php-cgi"}]},
)


def made(*applications: HostedApplication, name: str = "shop") -> Body:
    found = config_map(pool(name), applications)
    assert found is not None
    return found


def test_the_worker_is_told_all_that_it_needs() -> None:
    assert json.loads(made(CGI, STATIC, WSGI)["data"][FILE]) == [
        {"site": "a/one", "path": "/", "kind": "WSGI", "target": "x:y"},
        {
            "site": "a/two",
            "path": "/cgi",
            "kind": "CGI",
            "root": "/srv/cgi",
            "cgi": {"timeoutSeconds": 900, "handlers": {".php": "/bin/php-cgi"}},
        },
        {"site": "a/two", "path": "/s", "kind": "Static", "root": "/srv"},
    ]


def test_it_is_named_by_what_is_in_it_and_by_nothing_else() -> None:
    assert made(WSGI, STATIC) == made(STATIC, WSGI)
    assert made(WSGI)["metadata"]["name"] != made(WSGI, STATIC)["metadata"]["name"]


def test_it_belongs_to_the_pool_and_never_changes() -> None:
    body = made(WSGI)
    assert body["immutable"] is True
    (owner,) = body["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("x", "shop", "u1")
    assert body["metadata"]["labels"]["webgarden.dev/pool"] == "shop"


def test_a_pool_with_a_long_name_has_one_too() -> None:
    assert len(made(WSGI, name="a" * 63)["metadata"]["name"]) <= 63


def test_nine_hundred_sites_fit_and_twelve_thousand_are_told_of() -> None:
    def sites(count: int) -> Body:
        return made(
            *(hosted(f"tenant/site-{i:05}", kind="WSGI", target="shop.wsgi:app", root="/srv") for i in range(count))
        )

    assert too_large(sites(900)) == ""
    many = sites(12_000)
    assert len(many["data"][FILE]) > LARGEST
    assert f"{len(many['data'][FILE])} bytes" in too_large(many)
    assert "several pools" in too_large(many)
