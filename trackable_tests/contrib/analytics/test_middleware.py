"""The middleware: which responses are told of, as what, and that nothing comes of its faults."""

from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from trackable.contrib.analytics import exclusions, observing, sending
from trackable.contrib.analytics.exceptions import HitError
from trackable.contrib.analytics.middleware import PageViewMiddleware
from trackable.contrib.analytics.testing import capture
from trackable_tests.contrib.analytics import pages
from trackable_tests.contrib.analytics.pages import CRAWLER, Browser
from trackable_tests.tables import for_each

pytestmark = pytest.mark.urls(pages.__name__)

EXCEPTIONS = {"pageview_na_exceptions": True, "pageview_server_exceptions": True}


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = [pages.MIDDLEWARE]


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def browser(request: pytest.FixtureRequest) -> Browser:
    return Browser(is_async=request.param)


# pages


def test_page_is_told_of(browser: Browser) -> None:
    response = browser.get("/titled/?q=1")
    assert response.content == b"<title>Of tides</title>"
    assert (browser.hit.kind, browser.hit.title) == ("pageview", "tides")
    assert browser.hit.location == "http://testserver/titled/?q=1"
    assert browser.hit.client_id in browser.cookies["vn"]
    assert browser.hit.values == {}


@for_each("path", ["/page/", "/async/page/", "/view/", "/async/view/"])
def test_views_of_each_kind_are_told_of_once(browser: Browser, path: str) -> None:
    browser.get(path)
    assert browser.hit.location == f"http://testserver{path}"


def test_visitor_is_the_same_at_each_page(browser: Browser) -> None:
    browser.get()
    first = browser.hit
    browser.get("/titled/")
    assert browser.hit.client_id == first.client_id
    assert browser.hit.session_id == first.session_id
    assert Browser().get().cookies["vn"].value != browser.cookies["vn"]


@pytest.mark.parametrize("path", ["/stream/", "/async/stream/"])
def test_page_that_is_streamed_is_told_of(browser: Browser, path: str) -> None:
    response = browser.get(path)
    assert response.streaming
    assert browser.hit.location == f"http://testserver{path}"
    assert "vn" in browser.cookies


@for_each("code", [204, 205, 206, 301, 302, 304, 400, 404, 500])
def test_status_that_brings_no_page_is_not_told_of(browser: Browser, code: int) -> None:
    assert browser.get(f"/status/{code}/").status_code == code
    assert (browser.hits, browser.cookies) == ([], {})


@for_each("method", ["post", "put", "delete", "head", "options", "patch"])
def test_other_methods_are_not_told_of(browser: Browser, method: str) -> None:
    browser.ask(method, "/page/")
    assert (browser.hits, browser.cookies) == ([], {})


@for_each(
    "content_type, is_told",
    [
        ("text/html", True),
        ("text/html; charset=utf-8", True),
        ("Text/HTML;charset=latin-1", True),
        ("application/xhtml+xml", True),
        ("application/json", False),
        ("text/plain", False),
        ("image/png", False),
    ],
)
def test_only_html_is_told_of(browser: Browser, content_type: str, is_told: bool) -> None:
    browser.get("/content/", query_params={"type": content_type})
    assert len(browser.hits) == is_told


def test_content_types_are_chosen(browser: Browser, settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"pageview_content_types": ("text/plain",)}
    browser.get("/content/?type=text/plain")
    assert browser.hit.kind == "pageview"
    browser.get()
    assert browser.hits == []


# AJAX, and what browsers do ahead


@for_each(
    "headers",
    [
        {"X-Requested-With": "XMLHttpRequest"},
        {"Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Dest": "script"},
    ],
)
def test_ajax_is_told_of_if_wanted(
    browser: Browser, settings: Any, headers: dict[str, str]
) -> None:
    browser.get(headers=headers)
    assert browser.hits == []
    settings.SERVER_SIDE_TRACKING = {"pageview_ajax_responses": True}
    browser.get(headers=headers)
    assert browser.hit.kind == "pageview"


@for_each("dest", ["document", "iframe", "frame"])
def test_page_in_a_frame_is_one(browser: Browser, dest: str) -> None:
    browser.get(headers={"Sec-Fetch-Dest": dest})
    assert browser.hit.kind == "pageview"


@for_each(
    "headers",
    [
        {"Sec-Purpose": "prefetch"},
        {"Sec-Purpose": "prefetch;prerender"},
        {"Purpose": "prefetch"},
    ],
)
def test_page_that_is_fetched_ahead_is_not_told_of(
    browser: Browser, headers: dict[str, str]
) -> None:
    browser.get(headers=headers)
    assert (browser.hits, browser.cookies) == ([], {})


# failures


@for_each("path", ["/missing/", "/status/404/", "/fail/", "/status/503/"])
def test_failures_are_not_told_of_unless_wanted(browser: Browser, path: str) -> None:
    browser.get(path)
    assert browser.hits == []


@pytest.mark.parametrize(
    ("path", "status", "values"),
    [
        ("/missing/", 404, {"description": "Not Found", "fatal": False}),
        ("/status/404/", 404, {"description": "Not Found", "fatal": False}),
        ("/fail/", 500, {"description": "ZeroDivisionError", "fatal": True}),
        ("/async/fail/", 500, {"description": "ZeroDivisionError", "fatal": True}),
        ("/forbidden/", 403, {"description": "PermissionDenied", "fatal": False}),
        ("/status/503/", 503, {"description": "Service Unavailable", "fatal": True}),
        ("/status/599/", 599, {"description": "599", "fatal": True}),
    ],
)
def test_failure_is_told_of_by_its_class(
    browser: Browser, settings: Any, path: str, status: int, values: dict[str, Any]
) -> None:
    settings.SERVER_SIDE_TRACKING = EXCEPTIONS
    assert browser.get(path).status_code == status
    assert (browser.hit.kind, browser.hit.values) == ("exception", values)
    assert browser.hit.location == f"http://testserver{path}"
    assert "jane" not in str(browser.hit)


@pytest.mark.parametrize(("key", "told"), [("na", [404]), ("server", [403, 500])])
def test_missing_pages_and_failures_are_wanted_apart(
    browser: Browser, settings: Any, key: str, told: list[int]
) -> None:
    settings.SERVER_SIDE_TRACKING = {f"pageview_{key}_exceptions": True}
    found = []
    for code in (404, 403, 500):
        browser.get(f"/status/{code}/")
        found += [code] * len(browser.hits)
    assert found == told


def test_failures_of_ajax_are_told_of_if_wanted(browser: Browser, settings: Any) -> None:
    headers = {"X-Requested-With": "XMLHttpRequest"}
    settings.SERVER_SIDE_TRACKING = EXCEPTIONS
    browser.get("/fail/", headers=headers)
    assert browser.hits == []
    settings.SERVER_SIDE_TRACKING = {**EXCEPTIONS, "pageview_ajax_exceptions": True}
    browser.get("/fail/", headers=headers)
    assert browser.hit.kind == "exception"


def test_failure_of_any_method_is_told_of(browser: Browser, settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = EXCEPTIONS
    browser.post("/fail/")
    assert browser.hit.kind == "exception"


# caches


def whole_site_cache(settings: Any) -> None:
    cache.clear()
    settings.MIDDLEWARE = [pages.UPDATE_CACHE, pages.MIDDLEWARE, pages.FETCH_FROM_CACHE]


def test_new_visitor_s_page_is_not_for_caches(browser: Browser) -> None:
    response = browser.get()
    assert (response["Vary"], response["Cache-Control"]) == ("Cookie", "private")
    response = browser.get()
    assert not response.cookies
    assert not response.has_header("Vary")
    assert not response.has_header("Cache-Control")


def test_no_visitor_gets_another_s_cookie_from_a_cache(settings: Any) -> None:
    whole_site_cache(settings)
    browsers = [Browser() for _ in range(4)]
    for each in browsers[2:]:
        each.client.cookies["language"] = "de"
    for _ in range(3):
        for each in browsers:
            each.get("/page/")
            assert each.hit.client_id in each.cookies["vn"]
    assert len({each.hit.client_id for each in browsers}) == 4


def test_page_from_a_cache_is_told_of(settings: Any) -> None:
    whole_site_cache(settings)
    known, new = Browser(), Browser()
    known.get("/fresh/")
    made = known.get("/fresh/").content
    assert known.get("/fresh/").content == new.get("/fresh/").content == made
    assert (len(known.hits), len(new.hits)) == (1, 1)


def test_page_of_a_cached_view_is_told_of() -> None:
    cache.clear()
    contents = set()
    for browser in (Browser(), Browser()):
        for _ in range(2):
            contents.add(browser.get("/cached/").content)
            assert browser.hit.client_id in browser.cookies["vn"]
    assert len(contents) == 1


# what is not told of


@pytest.mark.django_db
def test_crawlers_are_not_told_of(settings: Any) -> None:
    crawler = Browser(**{"User-Agent": CRAWLER})
    crawler.get()
    assert len(crawler.hits) == 1
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    crawler.client.cookies.clear()
    crawler.get()
    assert (crawler.hits, crawler.cookies) == ([], {})
    person = Browser()
    person.get()
    assert len(person.hits) == 1


def test_host_that_is_none_of_ours_is_passed_over_in_silence(
    browser: Browser, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALLOWED_HOSTS = ["example.com"]
    assert browser.get(headers={"Host": "evil.example"}).status_code == 200
    assert (browser.hits, browser.cookies) == ([], {})
    assert caplog.records == []


# faults


@for_each(
    "owner, name",
    [(exclusions, "is_page"), (observing, "address_of"), (exclusions, "is_own")],
)
def test_page_comes_whatever_fails_and_it_is_logged_once(
    browser: Browser,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    owner: Any,
    name: str,
) -> None:
    def fail(request: HttpRequest, *_: Any) -> None:
        raise ValueError(request.headers["Referer"])

    monkeypatch.setattr(owner, name, fail)
    for _ in range(3):
        page = browser.get(headers={"Referer": "jane@example.com"})
        assert page.content == b"<title>Plain</title>"
    (record,) = caplog.records
    assert "A visit was not told of: ValueError" in record.getMessage()
    assert "jane" not in caplog.text


@for_each(
    "keys",
    [
        {"pageview_exclude": 7},
        {"pageview_exclude": [None]},
        {"pageview_exclude_statuses": None},
        {"pageview_content_types": 1.5},
        {"cookie_name": None},
        {"cookie_name": "not a name"},
        {"cookie_max_age": "long"},
        {"redact_parameters": 3},
    ],
)
def test_page_comes_whatever_the_settings_say(
    browser: Browser, settings: Any, keys: dict[str, Any]
) -> None:
    settings.SERVER_SIDE_TRACKING = keys
    assert browser.get("/page/?a=1").status_code == 200


def test_error_of_the_program_shows_in_development(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise HitError("The hit has no such value.")

    monkeypatch.setattr(observing, "hit_of_request", fail)
    assert Browser().get().status_code == 200
    settings.DEBUG = True
    assert Browser().get().status_code == 500


def test_service_is_not_waited_for_in_the_loop(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is sent at once is sent by another thread."""
    import threading

    settings.SERVER_SIDE_TRACKING = {"defer": None}
    threads: list[str] = []
    monkeypatch.setattr(
        sending.deferring, "route", lambda hit: threads.append(threading.current_thread().name)
    )

    async def get_response(request: HttpRequest) -> HttpResponse:
        threads.append(threading.current_thread().name)
        return HttpResponse("")

    middleware: Any = PageViewMiddleware(get_response)
    assert iscoroutinefunction(middleware)
    assert async_to_sync(middleware)(RequestFactory().get("/")).status_code == 200
    assert len(set(threads)) == len(threads) == 2


def test_middleware_works_without_a_site_around_it() -> None:
    with capture() as hits:
        PageViewMiddleware(lambda _: HttpResponse(""))(RequestFactory().get("/a/"))
    assert [hit.location for hit in hits] == ["http://testserver/a/"]


def test_misconfigured_proxy_header_breaks_no_page(browser: Browser, settings: Any) -> None:
    settings.SECURE_PROXY_SSL_HEADER = "wrong"
    with pytest.raises(ImproperlyConfigured):
        RequestFactory().get("/").is_secure()
    assert browser.get().status_code == 200
