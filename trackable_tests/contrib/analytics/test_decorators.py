"""The decorator: calls of views and of their methods are events. ``tell``: anything else."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt

from trackable.contrib.analytics.decorators import track_event
from trackable.contrib.analytics.exceptions import AnalyticsError, HitError
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.telling import atell, tell
from trackable.contrib.analytics.testing import capture
from trackable_tests.contrib.analytics import pages
from trackable_tests.contrib.analytics.pages import Browser
from trackable_tests.tables import for_each

pytestmark = pytest.mark.urls(pages.__name__)


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = []


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def browser(request: pytest.FixtureRequest) -> Browser:
    return Browser(is_async=request.param)


def values_of(hit: Hit) -> tuple[Any, ...]:
    return hit.kind, *(hit.values.get(name) for name in ("category", "action", "label", "value"))


@for_each(
    "path, action",
    [
        ("/shop/", "Looked at"),
        ("/async/shop/", "Looked at"),
        ("/call/", "Called"),
        ("/async/call/", "Called"),
    ],
)
def test_call_is_an_event(browser: Browser, path: str, action: str) -> None:
    assert browser.get(path).status_code == 200
    assert values_of(browser.hit) == ("event", "Shop", action, None, None)
    assert browser.hit.location == f"http://testserver{path}"
    assert browser.hit.client_id in browser.cookies["vn"]


def test_method_that_is_no_view_is_an_event_too(browser: Browser) -> None:
    browser.post("/shop/")
    assert [values_of(hit) for hit in browser.hits] == [
        ("event", "Shop", "Wrapped", None, None),
        ("event", "Shop", "Bought", "basket", 3.5),
    ]
    assert len({hit.client_id for hit in browser.hits}) == 1
    assert browser.hits[0].client_id in browser.cookies["vn"]


def test_properties_go_with_an_event(browser: Browser) -> None:
    browser.get("/call/")
    assert (browser.hit.properties, browser.hit.is_interaction) == ({"colour": "blue"}, False)
    browser.get("/shop/")
    assert (browser.hit.properties, browser.hit.is_interaction) == ({}, True)


def test_view_that_raises_is_no_event(browser: Browser) -> None:
    assert browser.ask("delete", "/shop/").status_code == 404
    assert browser.hits == []


def test_page_and_event_are_of_one_visitor(browser: Browser, settings: Any) -> None:
    settings.MIDDLEWARE = [pages.MIDDLEWARE]
    settings.SERVER_SIDE_TRACKING = {"pageview_content_types": ["text/plain"]}
    browser.get("/shop/")
    assert [hit.kind for hit in browser.hits] == ["event", "pageview"]
    assert len({hit.client_id for hit in browser.hits}) == 1
    assert browser.hits[0].client_id in browser.cookies["vn"]


def test_event_keeps_no_answer_out_of_a_cache_where_the_middleware_sets_cookies(
    settings: Any,
) -> None:
    settings.MIDDLEWARE = [pages.MIDDLEWARE]
    cache.clear()
    first, second = Browser(), Browser()
    first.get("/cached/call/")
    assert first.hit.client_id in first.cookies["vn"]
    second.get("/cached/call/")
    assert (second.hits, second.cookies) == ([], {})


def test_event_of_an_excluded_page_is_told_of(browser: Browser, settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"pageview_exclude": [""]}
    browser.get("/call/")
    assert browser.hit.kind == "event"


def test_event_is_not_told_of_where_nobody_is_to_be_told_of(browser: Browser) -> None:
    browser.get("/call/", headers={"Sec-GPC": "1"})
    assert (browser.hits, browser.cookies) == ([], {})


def test_function_is_what_it_was_otherwise() -> None:
    @csrf_exempt
    def view(request: HttpRequest, number: int) -> int:
        """Of its own."""
        return number

    decorated = track_event("Shop", "Called")(view)
    assert (decorated.__name__, decorated.__doc__) == ("view", "Of its own.")
    assert decorated.csrf_exempt
    assert not iscoroutinefunction(decorated)
    assert iscoroutinefunction(track_event("Shop", "Called")(pages.async_page))
    with capture() as hits:
        assert decorated(RequestFactory().get("/"), number=3) == 3
    assert len(hits) == 1


def test_method_decorator_works() -> None:
    own = type("Own", (pages.PageView,), {})
    decorated = method_decorator(track_event("Shop", "Shown"), name="get")(own)
    with capture() as hits:
        decorated.as_view()(RequestFactory().get("/"))
    assert sorted(hit.kind for hit in hits) == ["event", "pageview"]


def test_function_that_returns_a_coroutine_is_awaited_first() -> None:
    order: list[str] = []

    @track_event("Shop", "Called")
    def view(request: HttpRequest) -> Any:
        async def answer() -> HttpResponse:
            order.append("answered")
            return HttpResponse()

        return answer()

    with capture() as hits:
        awaitable = view(AsyncRequestFactory().get("/"))
        assert (hits, order) == ([], [])
        asyncio.run(awaitable)
    assert (len(hits), order) == (1, ["answered"])


@pytest.mark.parametrize("wrap", [lambda r: SimpleNamespace(_request=r), lambda r: r])
def test_request_of_another_framework_is_known(wrap: Any) -> None:
    request = RequestFactory().get("/a/")
    view = SimpleNamespace(request=wrap(request))
    with capture() as hits:
        track_event("Shop", "Called")(lambda self: None)(view)
        track_event("Shop", "Called")(lambda request: None)(request=wrap(request))
    assert [hit.location for hit in hits] == ["http://testserver/a/"] * 2
    assert len({hit.client_id for hit in hits}) == 1


def test_function_without_a_request_works_and_is_logged_once(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    decorated = track_event("Shop", "Called")(lambda *args: 5)
    with capture() as hits:
        assert [decorated(), decorated(1), decorated(None, "x")] == [5, 5, 5]
    assert (hits, len(caplog.records)) == ([], 1)
    settings.DEBUG = True
    with pytest.raises(AnalyticsError, match="'Shop' has no request"):
        decorated()


@pytest.mark.parametrize("value", [float("nan"), 10**30])
def test_value_that_no_event_can_have_is_refused_where_it_is_written(value: Any) -> None:
    with pytest.raises(HitError):
        track_event("Shop", "Called", value=value)
    with pytest.raises(HitError):
        track_event("Shop", None)  # type: ignore[arg-type]


# hits of any kind


def test_hit_of_any_kind_is_told() -> None:
    request, response = RequestFactory().get("/"), HttpResponse()
    with capture() as hits:
        tell(request, "transaction", response=response, transaction_id="7", revenue=12)
        asyncio.run(
            atell(request, "social", fields={"title": "T"}, network="x", action="y", target="z")
        )
    assert [hit.kind for hit in hits] == ["transaction", "social"]
    assert (hits[0].values["revenue"], hits[1].title) == (12, "T")
    assert hits[1].client_id in response.cookies["vn"].value


@pytest.mark.parametrize("name", ["its_me", "cookie_status"])
def test_hit_is_not_told_of_who_is_not_to_be(name: str) -> None:
    from trackable.contrib.analytics import cookies

    request = RequestFactory().get("/")
    request.COOKIES[name] = "0" if name == "cookie_status" else cookies.sign("own_cookie_name", "1")
    with capture() as hits:
        tell(request, "pageview")
    assert hits == []


def test_wrong_hit_raises_in_development_alone(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with capture() as hits:
        tell(RequestFactory().get("/"), "event", category="a")
    assert (hits, len(caplog.records)) == ([], 1)
    settings.DEBUG = True
    with pytest.raises(HitError):
        tell(RequestFactory().get("/"), "event", category="a")


@pytest.mark.parametrize("name", ["request", "_request"])
def test_request_that_cannot_be_had_harms_nobody(name: str, caplog: Any) -> None:
    class Odd:
        @track_event("Shop", "Looked at")
        def call(self) -> str:
            return "called"

    def fail(self: Any) -> None:
        raise RuntimeError("".join(["ja", "ne"]))

    setattr(Odd, name, property(fail))
    with capture() as hits:
        assert Odd().call() == "called"
    assert hits == []
    assert "RuntimeError was raised" in caplog.text
    assert "jane" not in caplog.text
