"""Counting: one line counts a page view here and sends it on, once."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from trackable import exceptions, testing
from trackable.contrib.analytics.counting import atrack_page_view, track_page_view
from trackable.contrib.analytics.exceptions import AnalyticsError
from trackable.contrib.analytics.testing import capture
from trackable.testing import Outbox
from trackable_tests.contrib.analytics import pages
from trackable_tests.contrib.analytics.collector import Collector
from trackable_tests.contrib.analytics.pages import AGENT, CRAWLER, Browser
from trackable_tests.testapp.models import Page, PageData, PageTotals

pytestmark = [pytest.mark.django_db, pytest.mark.urls(pages.__name__)]


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = []


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    with testing.capture() as found:
        yield found


@pytest.fixture
def article() -> Page:
    return Page.objects.create(title="Tides", slug="tides")


@pytest.fixture
def request_() -> HttpRequest:
    return RequestFactory().get("/tides/", headers={"User-Agent": AGENT})


def test_one_line_counts_and_sends(outbox: Outbox, article: Page, request_: HttpRequest) -> None:
    with capture() as hits:
        assert track_page_view(request_, article, "views", title="Tides") is True
    assert outbox.total(article, "views") == 1
    (hit,) = hits
    assert (hit.kind, hit.title) == ("pageview", "Tides")
    assert hit.location == "http://testserver/tides/"


def test_class_amount_and_fields_are_chosen(
    outbox: Outbox, article: Page, request_: HttpRequest
) -> None:
    with capture() as hits:
        track_page_view(
            request_,
            article,
            "views",
            data_cls=PageTotals,
            options={"value": 3},
            properties={"author": "Ann"},
            user_id="u7",
        )
    assert outbox.total(article, "views", PageTotals) == 3
    assert outbox.total(article, "views", PageData) == 0
    assert (hits[0].properties, hits[0].user_id) == ({"author": "Ann"}, "u7")


def test_nothing_is_counted_without_an_object(outbox: Outbox, request_: HttpRequest) -> None:
    with capture() as hits:
        assert track_page_view(request_) is False
    assert (len(outbox), len(hits)) == (0, 1)


def test_response_gets_the_cookie(request_: HttpRequest) -> None:
    response = HttpResponse()
    with capture() as hits:
        track_page_view(request_, response=response)
    assert hits[0].client_id in response.cookies["vn"].value


@pytest.mark.parametrize("is_async", [False, True])
def test_middleware_sends_it_once_when_there_is_a_response(settings: Any, is_async: bool) -> None:
    settings.MIDDLEWARE = [pages.MIDDLEWARE]
    browser = Browser(is_async=is_async)
    browser.get("/counted/")
    assert browser.hit.title == "Counted"
    assert browser.hit.client_id in browser.cookies["vn"]


def test_coroutine_counts_and_sends_without_holding_up_its_loop(
    use: Any, collector: Collector, outbox: Outbox, article: Page, request_: HttpRequest
) -> None:
    use("plausible", defer=None, at_once_timeout=30)
    collector.hang()

    async def view() -> bool:
        seen = asyncio.create_task(atrack_page_view(request_, article, "views", title="Tides"))
        while not collector.in_hand:
            await asyncio.sleep(0.001)
        track_page_view(request_, article, "views")  # which does not wait at all
        assert not seen.done()
        collector.release()
        return await seen

    assert asyncio.run(view()) is True
    assert outbox.total(article, "views") == 2
    assert len(collector.wait_for(2)) == 2


def test_crawler_is_neither_counted_nor_sent(settings: Any, outbox: Outbox, article: Page) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    request = RequestFactory().get("/", headers={"User-Agent": CRAWLER})
    with capture() as hits:
        assert track_page_view(request, article, "views") is False
    assert (len(outbox), len(hits)) == (0, 0)
    assert outbox.filtered == {"testapp.PageData": 1}


def test_own_visit_is_neither_counted_nor_sent(
    outbox: Outbox, article: Page, request_: HttpRequest
) -> None:
    from trackable.contrib.analytics import cookies

    request_.COOKIES["its_me"] = cookies.sign("own_cookie_name", "1")
    with capture() as hits:
        assert track_page_view(request_, article, "views") is False
    assert (len(outbox), len(hits)) == (0, 0)


@pytest.mark.parametrize("meta", [{"HTTP_SEC_GPC": "1"}, {"HTTP_COOKIE": "cookie_status=0"}])
def test_visitor_who_refuses_is_counted_and_not_sent(
    outbox: Outbox, article: Page, meta: dict[str, str]
) -> None:
    with capture() as hits:
        assert track_page_view(RequestFactory().get("/", **meta), article, "views") is True
    assert (len(outbox), len(hits)) == (1, 0)


def test_mistake_shows_in_development_alone(
    settings: Any, article: Page, request_: HttpRequest, caplog: pytest.LogCaptureFixture
) -> None:
    with capture() as hits:
        assert track_page_view(request_, article) is False
        assert track_page_view(request_, article, "nothing") is False
    assert (len(hits), len(caplog.records)) == (2, 2)
    settings.DEBUG = True
    with pytest.raises(AnalyticsError, match="name of its counter"):
        track_page_view(request_, article)
    with pytest.raises(exceptions.UnknownField):
        track_page_view(request_, article, "nothing")


# as far as a service


def test_page_reaches_a_service_as_it_was_seen(
    use: Any, settings: Any, collector: Collector
) -> None:
    use("universal")
    settings.MIDDLEWARE = [pages.MIDDLEWARE]
    client = Client(headers={"User-Agent": AGENT, "Accept-Language": "de-AT"})
    client.get("/titled/?to=jane@example.com")
    (received,) = collector.wait_for(1)
    found = received.parameters
    assert (found["t"], found["dt"], found["ul"]) == ("pageview", "tides", "de-at")
    assert found["dl"] == "http://testserver/titled/?to=(email)"
    assert (found["uip"], found["ua"]) == ("127.0.0.0", AGENT)
    assert client.cookies["vn"].value.startswith(found["cid"])


def test_page_comes_while_a_service_hangs(use: Any, settings: Any, collector: Collector) -> None:
    use("plausible", "matomo")
    collector.hang()
    settings.MIDDLEWARE = [pages.MIDDLEWARE]
    for _ in range(50):
        assert Client(headers={"User-Agent": AGENT}).get("/page/").status_code == 200
    collector.wait_for(2)
    assert collector.hangs
