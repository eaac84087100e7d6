"""The mixin: a view tells of its pages by itself, and no page is told of twice."""

from typing import Any

import pytest
from django.core.cache import cache

from trackable_tests.contrib.analytics import pages
from trackable_tests.contrib.analytics.pages import Browser
from trackable_tests.tables import for_each

pytestmark = pytest.mark.urls(pages.__name__)

PATHS = ["/view/", "/async/view/", "/template/"]


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = []


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def browser(request: pytest.FixtureRequest) -> Browser:
    return Browser(is_async=request.param)


@for_each("path", PATHS)
def test_page_of_a_view_is_told_of(browser: Browser, path: str) -> None:
    assert browser.get(path).status_code == 200
    assert browser.hit.location == f"http://testserver{path}"
    assert browser.hit.client_id in browser.cookies["vn"]
    browser.get(path)
    assert browser.hit.client_id in browser.cookies["vn"]


@for_each("path", PATHS)
def test_middleware_and_mixin_tell_of_it_once(browser: Browser, settings: Any, path: str) -> None:
    settings.MIDDLEWARE = [pages.MIDDLEWARE]
    browser.get(path)
    assert browser.hit.location == f"http://testserver{path}"


def test_title_of_the_view_is_told(browser: Browser) -> None:
    browser.get("/template/")
    assert browser.hit.title == "Of the view"


@for_each(
    "path, headers",
    [
        ("/redirecting/", {}),
        ("/view/", {"X-Requested-With": "XMLHttpRequest"}),
        ("/view/", {"Sec-Fetch-Dest": "empty"}),
    ],
)
def test_what_is_no_page_is_not_told_of(
    browser: Browser, path: str, headers: dict[str, str]
) -> None:
    browser.get(path, headers=headers)
    assert (browser.hits, browser.cookies) == ([], {})


def test_other_methods_are_not_told_of(browser: Browser) -> None:
    for method in ("head", "options", "post"):
        browser.ask(method, "/view/")
        assert browser.hits == []


def test_excluded_path_is_not_told_of(browser: Browser, settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"pageview_exclude": ["view/"]}
    browser.get("/view/")
    assert browser.hits == []
    browser.get("/template/")
    assert len(browser.hits) == 1


def test_page_that_cannot_be_rendered_is_not_told_of(browser: Browser) -> None:
    assert browser.get("/broken/").status_code == 500
    assert browser.hits == []


def test_cached_page_is_told_of_each_time_by_the_middleware(settings: Any) -> None:
    settings.MIDDLEWARE = [pages.MIDDLEWARE]
    cache.clear()
    browsers = [Browser(), Browser()]
    assert len({browser.get("/cached/view/").content for browser in browsers}) == 1
    assert len({browser.hit.client_id for browser in browsers}) == 2


def test_pages_of_a_view_in_a_cache_are_told_of_when_it_is_called() -> None:
    """A new visitor's page is not kept, so no other gets its cookie."""
    cache.clear()
    browsers = [Browser(), Browser()]
    for browser in browsers:
        browser.get("/cached/view/")
        assert browser.hit.client_id in browser.cookies["vn"]
    assert len({browser.cookies["vn"] for browser in browsers}) == 2
    browsers[0].get("/cached/view/")
    assert len(browsers[0].hits) == 1
    browsers[1].get("/cached/view/")
    assert browsers[1].hits == []
