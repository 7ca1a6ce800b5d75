"""The form in which a request's path is compared."""

import pytest

from webgarden_worker.paths import beginnings, normalised


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/a/b", "/a/b"),
        ("/%61%2Db%7e", "/a-b~"),
        ("/a/%2e%2E/b", "/b"),
        ("/x/..//api", "//api"),
        ("/../../x", "/x"),
        ("/a/./b/.", "/a/b/"),
        ("/a/..", "/"),
        ("/a//../b", "/a/b"),
        ("/.hidden/...", "/.hidden/..."),
        ("*", "*"),
    ],
)
def test_dot_segments_and_needless_encodings_are_resolved(path: str, form: str) -> None:
    assert normalised(path) == form


@pytest.mark.parametrize("path", ["/a%2Fb", "/a%5cb", "/a%20b", "/%c3%a9", "/100%", "/%zz", "/a//b/", "/%252e%252e/"])
def test_everything_else_is_left_as_it_came(path: str) -> None:
    assert normalised(path) == path


def test_what_is_resolved_once_is_not_resolved_again() -> None:
    assert normalised(normalised("/%2525/%252E./x")) == normalised("/%2525/%252E./x") == "/%2525/%252E./x"


def test_a_path_is_offered_segment_by_segment_with_what_follows() -> None:
    assert list(beginnings("//a//b/", depth=3)) == [("", "//a//b/"), ("/a", "//b/"), ("/a/b", "/")]
    assert list(beginnings("/a/b/c", depth=1)) == [("", "/a/b/c"), ("/a", "/b/c")]
