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
    ("path", "application", "root_path", "rest"),
    [
        ("/", "shop", "", "/"),
        ("/basket", "shop", "", "/basket"),
        ("/api", "api", "/api", ""),
        ("/api/", "api", "/api", "/"),
        ("/api/items", "api", "/api", "/items"),
        ("/api/v2/items", "new api", "/api/v2", "/items"),
        ("/api/v20", "api", "/api", "/v20"),
        ("/basket/api", "shop", "", "/basket/api"),
        ("*", "shop", "", "*"),
    ],
)
def test_the_longest_path_wins(path: str, application: str, root_path: str, rest: str) -> None:
    assert ROUTES.find("ns/shop", path) == Match(application, root_path, rest)


@pytest.mark.parametrize(
    ("path", "application", "root_path", "rest"),
    [
        ("//api", "api", "/api", ""),
        ("/api//v2", "new api", "/api/v2", ""),
        ("///api///v2///items//1", "new api", "/api/v2", "///items//1"),
        ("//basket", "shop", "", "//basket"),
    ],
)
def test_repeated_slashes_count_as_one_and_stay_in_what_the_application_gets(
    path: str, application: str, root_path: str, rest: str
) -> None:
    assert ROUTES.find("ns/shop", path) == Match(application, root_path, rest)


def test_an_encoded_separator_separates_nothing() -> None:
    assert ROUTES.find("ns/shop", "/api%2Fv2") == Match("shop", "", "/api%2Fv2")
    assert ROUTES.find("ns/shop", "/api/v2%5Citems") == Match("api", "/api", "/v2%5Citems")


def test_paths_are_compared_by_whole_segments() -> None:
    assert ROUTES.find("ns/shop", "/apiary") == Match("shop", "", "/apiary")


def test_case_does_not_matter_and_the_client_s_spelling_is_kept() -> None:
    assert ROUTES.find("ns/shop", "/API/Items") == Match("api", "/API", "/Items")
    assert ROUTES.find("ns/blog", "/archive/1") == Match("archive", "/archive", "/1")


def test_a_site_sees_its_own_applications_only() -> None:
    assert ROUTES.find("ns/blog", "/api") == Match("blog", "", "/api")
    assert ROUTES.find("ns/unknown", "/") is None


def test_a_site_without_an_application_at_the_root_leaves_paths_unanswered() -> None:
    routes = Routes([("ns/api", "/api", "api")])
    assert routes.find("ns/api", "/") is None
    assert routes.find("ns/api", "/apis") is None


def test_without_a_site_the_only_one_is_meant() -> None:
    assert Routes([("ns/api", "/api", "api")]).find(None, "/api/1") == Match("api", "/api", "/1")


def test_without_a_site_the_longest_path_over_all_wins_and_the_first_site_a_tie() -> None:
    assert ROUTES.find(None, "/archive") == Match("archive", "/archive", "")
    assert ROUTES.find(None, "/api") == Match("api", "/api", "")
    assert ROUTES.find(None, "/") == Match("shop", "", "/")


def test_a_path_of_very_many_segments_costs_no_more_than_the_deepest_application() -> None:
    assert ROUTES.find("ns/shop", "/a" * 100_000) == Match("shop", "", "/a" * 100_000)
