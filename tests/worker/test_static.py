"""Static files on a real worker."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.worker.workers import Worker, running

from webgarden_worker.static import accepts


@dataclass
class Files:
    worker: Worker
    root: Path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Files]:
    root = tmp_path_factory.mktemp("site")
    (root / "index.html").write_text("<h1>garden</h1>")
    (root / "404.html").write_text("<h1>nothing grows here</h1>")
    (root / "docs").mkdir()
    (root / "docs" / "index.html").write_text("<h1>docs</h1>")
    (root / "empty").mkdir()
    (root / "rose.webp").write_bytes(b"0123456789")
    (root / "style.css").write_text("a { color: green }")
    (root / "style.css.gz").write_bytes(gzip.compress(b"a { color: green }"))
    (root / "style.css.br").write_bytes(b"pretend this is brotli")
    (root / "docs" / "index.html.gz").write_bytes(gzip.compress(b"<h1>docs</h1>"))
    (root / "data.tar.gz").write_bytes(gzip.compress(b"archive"))
    (root.parent / "secret.txt").write_text("secret")
    (root / "way-out.txt").symlink_to(root.parent / "secret.txt")
    static = {"site": "test/garden", "kind": "Static", "root": str(root)}
    with running({**static, "path": "/"}, {**static, "path": "/again"}) as worker:
        yield Files(worker, root)


def test_the_default_document_is_served(files: Files) -> None:
    answer = files.worker.get("/")
    assert (answer.status, answer.body) == (200, b"<h1>garden</h1>")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_files_below_an_application_s_path_are_served(files: Files) -> None:
    assert files.worker.get("/again/").body == b"<h1>garden</h1>"
    assert files.worker.get("/AGAIN/docs/").body == b"<h1>docs</h1>"


def test_a_directory_without_its_slash_is_redirected_within_the_application(files: Files) -> None:
    answer = files.worker.get("/again/docs", Host="garden.example", X_Forwarded_Proto="https")
    assert (answer.status, answer.headers["location"]) == (307, "https://garden.example/again/docs/")


def test_an_application_s_path_without_its_slash_is_redirected(files: Files) -> None:
    assert files.worker.get("/again", Host="garden.example").headers["location"] == "http://garden.example/again/"


def test_a_missing_file_shows_the_site_s_own_page(files: Files) -> None:
    answer = files.worker.get("/weeds")
    assert (answer.status, answer.body) == (404, b"<h1>nothing grows here</h1>")


def test_a_directory_is_not_listed(files: Files) -> None:
    assert files.worker.get("/empty/").status == 404


@pytest.mark.parametrize("path", ["/../secret.txt", "/docs/../../secret.txt", "/%2e%2e/secret.txt", "/way-out.txt"])
def test_there_is_no_way_out_of_the_root(files: Files, path: str) -> None:
    answer = files.worker.get(path)
    assert answer.status == 404
    assert b"secret" not in answer.body


def test_a_part_of_a_file_is_served(files: Files) -> None:
    answer = files.worker.get("/rose.webp", Range="bytes=2-4")
    assert (answer.status, answer.body) == (206, b"234")
    assert answer.headers["content-type"] == "image/webp"


def test_a_file_that_the_client_has_is_not_sent_again(files: Files) -> None:
    tag = files.worker.get("/rose.webp").headers["etag"]
    assert files.worker.get("/rose.webp", If_None_Match=tag).status == 304


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br", "br"), ("gzip", "gzip"), ("br;q=0, gzip;q=0.1", "gzip"), ("identity", None), ("", None)],
)
def test_a_compressed_file_is_sent_to_who_takes_it(files: Files, accepted: str, encoding: str | None) -> None:
    answer = files.worker.get("/style.css", Accept_Encoding=accepted)
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["vary"] == "Accept-Encoding"
    suffix = {"br": ".br", "gzip": ".gz", None: ""}[encoding]
    assert answer.body == (files.root / f"style.css{suffix}").read_bytes()


def test_a_default_document_may_be_compressed_too(files: Files) -> None:
    answer = files.worker.get("/docs/", Accept_Encoding="gzip")
    assert gzip.decompress(answer.body) == b"<h1>docs</h1>"
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_a_file_without_a_compressed_one_does_not_vary(files: Files) -> None:
    assert "vary" not in files.worker.get("/rose.webp", Accept_Encoding="gzip").headers


def test_each_variant_has_a_tag_of_its_own(files: Files) -> None:
    tags = {
        encoding: files.worker.get("/style.css", Accept_Encoding=encoding).headers["etag"] for encoding in ("", "gzip")
    }
    assert len(set(tags.values())) == 2
    again = files.worker.get("/style.css", Accept_Encoding="gzip", If_None_Match=tags["gzip"])
    assert (again.status, again.headers["vary"]) == (304, "Accept-Encoding")
    assert files.worker.get("/style.css", Accept_Encoding="gzip", If_None_Match=tags[""]).status == 200


def test_a_part_of_a_compressed_file_is_a_part_of_what_is_sent(files: Files) -> None:
    answer = files.worker.get("/style.css", Accept_Encoding="gzip", Range="bytes=0-1")
    assert (answer.status, answer.body, answer.headers["content-encoding"]) == (206, b"\x1f\x8b", "gzip")


@pytest.mark.parametrize("path", ["/data.tar.gz", "/style.css.gz"])
def test_an_archive_that_is_asked_for_by_its_name_is_not_unpacked(files: Files, path: str) -> None:
    answer = files.worker.get(path, Accept_Encoding="gzip")
    assert answer.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("path", ["/docs%2Findex.html", "/..%2fsecret.txt", "/docs%2f"])
def test_an_encoded_separator_names_no_directory(files: Files, path: str) -> None:
    assert files.worker.get(path).status == 404


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip", True),
        ("GZIP ; q=1", True),
        ("*", True),
        ("*;q=0", False),
        ("*;q=0, gzip", True),
        ("gzip;q=0.000", False),
        ("gzip;q=0.001", True),
        ("identity", False),
        ("", False),
    ],
)
def test_a_client_takes_what_it_names_with_a_weight(header: str, taken: bool) -> None:
    assert accepts(header, "gzip") is taken


def test_only_reading_is_allowed(files: Files) -> None:
    assert files.worker.ask("POST", "/index.html", body=b"x").status == 405
    assert files.worker.ask("HEAD", "/index.html").headers["content-length"] == "15"


def test_a_config_map_s_update_shows_at_once(tmp_path: Path) -> None:
    for name in ("..1", "..2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "index.html").write_text(name)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "index.html").symlink_to("..data/index.html")
    with running({"site": "test/map", "path": "/", "kind": "Static", "root": str(tmp_path)}) as worker:
        assert worker.get("/").body == b"..1"
        (tmp_path / "..next").symlink_to("..2")
        (tmp_path / "..next").rename(tmp_path / "..data")
        assert worker.get("/").body == b"..2"
