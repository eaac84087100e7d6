"""Exclusions: by path and by status, and one's own visits."""

from typing import Any

import pytest

from trackable.contrib.analytics import cookies
from trackable_tests.contrib.analytics import pages
from trackable_tests.contrib.analytics.pages import Browser
from trackable_tests.tables import for_each

pytestmark = pytest.mark.urls(pages.__name__)


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = [pages.MIDDLEWARE]


@pytest.fixture
def browser() -> Browser:
    return Browser()


@for_each(
    "prefixes, path, is_told",
    [
        (None, "/admin/", False),
        (None, "/admin/users/3/", False),
        (None, "/administer/", True),
        (None, "/page/admin/", True),
        ((), "/admin/", True),
        (["shop/", "/private/"], "/private/room/", False),
        (["shop/", "/private/"], "/admin/", True),
        (["shop/", "/private/"], "/%2Fprivate/", False),
        (["sch%C3%B6n"], "/sch%C3%B6n/", True),
        (["schön"], "/sch%C3%B6n/", False),
        ("private/", "/private/", False),
        ([""], "/page/", False),
    ],
)
def test_paths_are_excluded_by_how_they_begin(
    settings: Any, browser: Browser, prefixes: Any, path: str, is_told: bool
) -> None:
    if prefixes is not None:
        settings.SERVER_SIDE_TRACKING = {"pageview_exclude": prefixes}
    assert browser.get(path).status_code == 200
    assert len(browser.hits) == is_told
    assert ("vn" in browser.cookies) == is_told


def test_prefix_of_the_server_is_no_part_of_the_path(settings: Any, browser: Browser) -> None:
    browser.get("/page/", SCRIPT_NAME="/admin")
    assert browser.hit.location == "http://testserver/admin/page/"


def test_statuses_are_excluded(settings: Any, browser: Browser) -> None:
    settings.SERVER_SIDE_TRACKING = {
        "pageview_server_exceptions": True,
        "pageview_exclude_statuses": [203, 503],
    }
    told = []
    for code in (200, 203, 500, 503):
        browser.get(f"/status/{code}/")
        told += [code] * len(browser.hits)
    assert told == [200, 500]


def test_failures_of_excluded_paths_are_not_told_of(settings: Any, browser: Browser) -> None:
    settings.SERVER_SIDE_TRACKING = {
        "pageview_server_exceptions": True,
        "pageview_exclude": ["fail/"],
    }
    browser.get("/fail/")
    assert browser.hits == []


# one's own visits


def test_own_visits_are_not_told_of(browser: Browser) -> None:
    response = browser.get("/analytics/own/")
    assert (response.status_code, response.content) == (204, b"")
    assert "no-store" in response["Cache-Control"]
    for path in ("/page/", "/call/", "/counted/", "/view/"):
        browser.get(path)
        assert browser.hits == []
    assert set(browser.cookies) == {"its_me"}


def test_own_cookie_outlasts_the_browser_and_is_out_of_reach(browser: Browser) -> None:
    morsel = browser.get("/analytics/own/").cookies["its_me"]
    assert morsel["max-age"] == 63_072_000
    assert (morsel["httponly"], morsel["secure"], morsel["samesite"]) == (True, True, "Lax")
    browser.close()
    browser.get()
    assert browser.hits == []


def test_own_cookie_can_be_ended(browser: Browser) -> None:
    browser.get("/analytics/own/")
    browser.get("/analytics/own/end/")
    assert browser.cookies == {}
    browser.get()
    assert len(browser.hits) == 1


@pytest.mark.parametrize("path", ["/analytics/own/", "/analytics/own/end/"])
def test_no_other_site_sets_or_ends_it(browser: Browser, path: str) -> None:
    response = browser.get(path, headers={"Sec-Fetch-Site": "cross-site"})
    assert (response.status_code, response.cookies) == (204, {})
    assert browser.post(path).status_code == 405


@for_each("value", ["1", "", "1:x:y", "é", "a" * 5000, "\x00"])
def test_own_cookie_cannot_be_made_up(browser: Browser, value: str) -> None:
    browser.client.cookies["its_me"] = value
    assert browser.get().status_code == 200
    assert len(browser.hits) == 1


def test_another_cookie_of_ours_is_not_taken_for_it(browser: Browser) -> None:
    browser.client.cookies["its_me"] = cookies.sign("cookie_name", "1")
    browser.get()
    assert len(browser.hits) == 1


def test_own_cookie_s_name_is_chosen(settings: Any, browser: Browser) -> None:
    settings.SERVER_SIDE_TRACKING = {"own_cookie_name": "myself"}
    browser.get("/analytics/own/")
    browser.get()
    assert (browser.hits, set(browser.cookies)) == ([], {"myself"})
