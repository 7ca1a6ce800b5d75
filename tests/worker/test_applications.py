"""The list of applications as the operator writes it."""

import json
from typing import Any

import pytest

from webgarden_worker.applications import Application, Kind, parse
from webgarden_worker.errors import SettingsError

SHOP = {"site": "ns/shop", "path": "/", "kind": "ASGI", "target": "shop.main:app", "root": "/srv/shop"}
PAGES = {"site": "ns/shop", "path": "/pages", "kind": "Static", "root": "/srv/pages"}


def test_a_list_is_read() -> None:
    shop, pages = parse(json.dumps([SHOP, PAGES]))
    assert shop == Application(site="ns/shop", path="/", kind=Kind.ASGI, target="shop.main:app", root="/srv/shop")
    assert pages == Application(site="ns/shop", path="/pages", kind=Kind.STATIC, root="/srv/pages")


def test_a_factory_has_parentheses() -> None:
    assert parse(json.dumps([{**SHOP, "target": "shop.main:make.app()"}]))[0].target == "shop.main:make.app()"


def test_nothing_is_no_applications() -> None:
    assert parse("") == parse("[]") == ()


def test_null_counts_as_absent() -> None:
    assert parse(json.dumps([{**PAGES, "target": None}])) == parse(json.dumps([PAGES]))


def test_a_program_may_be_installed_in_the_image_and_need_no_root() -> None:
    assert parse(json.dumps([{**SHOP, "root": None}]))[0].root is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"kind": "CGI"}, "'CGI' is not one that this worker can run (ASGI, WSGI, Static)"),
        ({"site": "shop"}, "namespace/name"),
        ({"site": None}, "lacks site"),
        ({"path": "shop"}, "must begin with /"),
        ({"path": "/shop/"}, "no empty"),
        ({"path": "/a/../b"}, "'..' segment"),
        ({"target": None}, "package.module:attribute"),
        ({"target": "shop.main"}, "package.module:attribute"),
        ({"target": "shop:create('x')"}, "package.module:attribute"),
        ({"target": "shop:create()()"}, "package.module:attribute"),
        ({"path": "/caf%C3%A9"}, "may have letters, digits and . _ ~ @ + , = -"),
        ({"root": "srv"}, "must be an absolute path"),
        ({"port": "80"}, "unknown keys: port"),
        ({"path": 7}, "path must be a string"),
        ({"root": ""}, "root must be a string that is not empty"),
    ],
)
def test_what_cannot_be_followed_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        parse(json.dumps([{**SHOP, **change}]))
    assert complaint in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [({"target": "a:b"}, "target has no meaning for static files"), ({"root": None}, "static files need a directory")],
)
def test_static_files_take_a_directory_and_no_target(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse(json.dumps([{**PAGES, **change}]))


@pytest.mark.parametrize(("text", "complaint"), [("{", "not JSON"), ("{}", "must be a JSON list"), ("[1]", "object")])
def test_what_is_no_list_of_objects_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse(text)


def test_one_path_of_a_site_cannot_have_two_applications() -> None:
    with pytest.raises(SettingsError, match="two applications for site ns/shop, path /Pages"):
        parse(json.dumps([PAGES, {**PAGES, "path": "/Pages"}]))


def test_two_sites_may_have_the_same_path() -> None:
    assert len(parse(json.dumps([PAGES, {**PAGES, "site": "ns/other"}]))) == 2
