"""Dispatch: the site, then the longest path."""

import pytest

from webgarden_worker.routes import Match, Routes

ROUTES = Routes(
    [
        ("ns/shop", "/", "shop"),
        ("ns/shop", "/api", "api"),
        ("ns/shop", "/api/v2", "new api"),
        ("ns/blog", "/", "blog"),
        ("ns/blog", "/Archive", "archive"),
    ]
)


@pytest.mark.parametrize(
    ("path", "application", "root_path"),
    [
        ("/", "shop", ""),
        ("/basket", "shop", ""),
        ("/api", "api", "/api"),
        ("/api/", "api", "/api"),
        ("/api/items", "api", "/api"),
        ("/api/v2/items", "new api", "/api/v2"),
        ("/api/v20", "api", "/api"),
        ("/basket/api", "shop", ""),
        ("//api", "shop", ""),
        ("/api//v2", "api", "/api"),
        ("*", "shop", ""),
    ],
)
def test_the_longest_path_wins(path: str, application: str, root_path: str) -> None:
    assert ROUTES.find("ns/shop", path) == Match(application, root_path)


def test_paths_are_compared_by_whole_segments() -> None:
    assert ROUTES.find("ns/shop", "/apiary") == Match("shop", "")


def test_case_does_not_matter_and_the_client_s_spelling_is_kept() -> None:
    assert ROUTES.find("ns/shop", "/API/Items") == Match("api", "/API")
    assert ROUTES.find("ns/blog", "/archive/1") == Match("archive", "/archive")


def test_a_letter_that_grows_in_lower_case_does_not_shift_the_path() -> None:
    assert Routes([("ns/a", "/İ", "dotted")]).find("ns/a", "/İ/x") == Match("dotted", "/İ")


def test_a_site_sees_its_own_applications_only() -> None:
    assert ROUTES.find("ns/blog", "/api") == Match("blog", "")
    assert ROUTES.find("ns/unknown", "/") is None


def test_a_site_without_an_application_at_the_root_leaves_paths_unanswered() -> None:
    routes = Routes([("ns/api", "/api", "api")])
    assert routes.find("ns/api", "/") is None
    assert routes.find("ns/api", "/apis") is None


def test_without_a_site_the_only_one_is_meant() -> None:
    assert Routes([("ns/api", "/api", "api")]).find(None, "/api/1") == Match("api", "/api")


def test_without_a_site_the_longest_path_over_all_wins_and_the_first_site_a_tie() -> None:
    assert ROUTES.find(None, "/archive") == Match("archive", "/archive")
    assert ROUTES.find(None, "/api") == Match("api", "/api")
    assert ROUTES.find(None, "/") == Match("shop", "")


def test_a_path_of_very_many_segments_costs_no_more_than_the_deepest_application() -> None:
    assert ROUTES.find("ns/shop", "/a" * 100_000) == Match("shop", "")
