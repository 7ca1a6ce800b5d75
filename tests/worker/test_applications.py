"""The list of applications as the operator writes it."""

import json
from pathlib import Path
from typing import Any

import pytest

from webgarden_worker.applications import Application, Cgi, Kind, parse, read
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
        ({"kind": "ISAPI"}, "'ISAPI' is not one that this worker can run (ASGI, WSGI, CGI, Static)"),
        ({"cgi": {}}, "cgi is for the kind CGI"),
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
    [({"target": "a:b"}, "target has no meaning for {}"), ({"root": None}, "{} needs a directory")],
)
@pytest.mark.parametrize("kind", ["CGI", "Static"])
def test_files_and_programs_take_a_directory_and_no_target(change: dict[str, Any], complaint: str, kind: str) -> None:
    with pytest.raises(SettingsError, match=complaint.format(kind)):
        parse(json.dumps([{**PAGES, "kind": kind, **change}]))


def test_cgi_has_a_time_limit_and_handlers_or_their_defaults() -> None:
    given = {"timeoutSeconds": 30, "handlers": {".php": "/usr/bin/php-cgi"}}
    plain, told = parse(json.dumps([{**PAGES, "kind": "CGI"}, {**PAGES, "path": "/b", "kind": "CGI", "cgi": given}]))
    assert plain.cgi == Cgi(timeout_seconds=900, handlers={})
    assert told.cgi == Cgi(timeout_seconds=30, handlers={".php": "/usr/bin/php-cgi"})


@pytest.mark.parametrize(
    ("cgi", "complaint"),
    [
        ([], "must be an object"),
        ({"nph": True}, "must be an object with timeoutSeconds and handlers"),
        ({"timeoutSeconds": 0}, "not a number above 0"),
        ({"timeoutSeconds": "15m"}, "not a number above 0"),
        ({"handlers": {".php": "php-cgi"}}, "an absolute path for each extension"),
        ({"handlers": [".php"]}, "an absolute path for each extension"),
    ],
)
def test_cgi_that_cannot_be_followed_is_refused(cgi: object, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse(json.dumps([{**PAGES, "kind": "CGI", "cgi": cgi}]))


def test_the_list_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "applications.json").write_text(json.dumps([SHOP]))
    assert read(str(tmp_path / "applications.json")) == read(json.dumps([SHOP])) == parse(json.dumps([SHOP]))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"WEBGARDEN_APPLICATIONS cannot be read: .*/nothing"):
        read(str(tmp_path / "nothing"))


@pytest.mark.parametrize(("text", "complaint"), [("{", "not JSON"), ("{}", "must be a JSON list"), ("[1]", "object")])
def test_what_is_no_list_of_objects_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        parse(text)


def test_one_path_of_a_site_cannot_have_two_applications() -> None:
    with pytest.raises(SettingsError, match="two applications for site ns/shop, path /Pages"):
        parse(json.dumps([PAGES, {**PAGES, "path": "/Pages"}]))


def test_two_sites_may_have_the_same_path() -> None:
    assert len(parse(json.dumps([PAGES, {**PAGES, "site": "ns/other"}]))) == 2
