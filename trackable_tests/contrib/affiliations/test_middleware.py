"""The middleware: redirects, registers, and costs nothing where there is nothing to do."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib.auth.models import User
from django.core.exceptions import SynchronousOnlyOperation
from django.core.handlers.base import BaseHandler
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from trackable.contrib.affiliations import current
from trackable.contrib.affiliations.middleware import AffiliateVisitorsRegistrationMiddleware
from trackable.contrib.affiliations.models import Visitor
from trackable_tests.contrib.affiliations import pages
from trackable_tests.contrib.affiliations.pages import (
    BROWSER,
    KEY,
    SESSION_KEY,
    come_from,
    location_of,
    make_partner,
    visitor_of,
)
from trackable_tests.tables import for_each

pytestmark = [pytest.mark.django_db, pytest.mark.urls(pages.__name__)]


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = pages.MIDDLEWARE


@pytest.fixture
def client() -> Client:
    return Client(headers=BROWSER)


# the redirect


@for_each(
    "path, expected",
    [
        (f"/?{KEY}=abcd1234", "/"),
        (f"/some/page?page_id=9&{KEY}=1234wxyz&other=3", "/some/page?page_id=9&other=3"),
        (f"/a/?b=2&a=1&{KEY}=x&b=1", "/a/?b=2&a=1&b=1"),
        (f"/?{KEY}=1&{KEY}=2&q=a+b&{KEY}=3", "/?q=a+b"),
        (f"/?q=a%2Bb%20c&{KEY}", "/?q=a%2Bb%20c"),
        (f"/?a=1;b=2&{KEY}=x;y&c=;", "/?a=1;b=2&c=;"),
        (f"/?a=&b&{KEY}=&c==", "/?a=&b&c=="),
        (f"/?q=%e4%bd%a0&{KEY}=x&r=%E4", "/?q=%e4%bd%a0&r=%E4"),
        (f"/?q=é&{KEY}=é", "/?q=%C3%A9"),
        (f"/caf%C3%A9/b%20c/?{KEY}=x", "/caf%C3%A9/b%20c/"),
        (f"/a;v=1/@b:c?{KEY}=x", "/a;v=1/@b:c"),
        (f"/50%25/?{KEY}=x", "/50%25/"),
        (f"/q%3Fa%23b?{KEY}=x", "/q%3Fa%23b"),
        (f"/?{KEY}=%00%0d%0aSet-Cookie:x", "/"),
        (f"/?a=%0d%0aSet-Cookie:x&{KEY}=1", "/?a=%0d%0aSet-Cookie:x"),
    ],
)
def test_redirect_goes_to_the_same_url_without_the_key(path: str, expected: str) -> None:
    assert location_of(path) == expected


def test_redirect_never_leaves_the_host() -> None:
    request = RequestFactory().get(f"/?{KEY}=x&a=1", PATH_INFO="//evil.example/")
    assert answer_to(request)["Location"] == "/%2Fevil.example/?a=1"


def answer_to(request: HttpRequest) -> HttpResponse:
    served: Any = AffiliateVisitorsRegistrationMiddleware(pages.page)(request)
    return served  # type: ignore[no-any-return]


def test_redirect_is_as_long_as_it_has_to_be() -> None:
    long = "x" * 50_000
    assert location_of(f"/?{KEY}=1&q={long}") == f"/?q={long}"


@for_each("query", ["q=\u4f60", "q=\udc80", "q=\x7f\x00", "q=a\r\nb: c"])
def test_odd_query_strings_of_servers_do_no_harm(query: str) -> None:
    request = RequestFactory().get("/")
    request.META["QUERY_STRING"] = f"{query}&{KEY}=1"
    location = answer_to(request)["Location"]
    assert location.startswith("/?q=")
    assert location.isascii()
    assert location.isprintable()


def test_query_under_asgi_is_read_as_it_was_sent() -> None:
    request = AsyncRequestFactory().get(f"/?q=é&{KEY}=1")
    assert answer_to(request)["Location"] == "/?q=%C3%A9"


def test_redirect_to_the_script_that_is_not_at_the_root() -> None:
    request = RequestFactory().get(f"/page/?{KEY}=1", SCRIPT_NAME="/shop")
    assert answer_to(request)["Location"] == "/shop/page/"


def test_following_ends_at_the_page(client: Client) -> None:
    partner = make_partner()
    response = client.get(f"/a/?{KEY}={partner.uid}&b=1", follow=True)
    assert [status for _, status in response.redirect_chain] == [302]
    assert response.content == b"/a/?b=1"


@for_each("method", ["post", "put", "patch", "delete", "options"])
def test_other_methods_pass(client: Client, method: str) -> None:
    partner = make_partner()
    path = f"/?{KEY}={partner.uid}"
    response = getattr(client, method)(path)
    assert (response.status_code, response.content.decode()) == (200, path)
    assert not Visitor.objects.exists()


def test_head_is_redirected_and_registers_nobody(client: Client) -> None:
    response = client.head(f"/a?{KEY}={make_partner().uid}")
    assert (response.status_code, response["Location"]) == (302, "/a")
    assert not Visitor.objects.exists()


def test_key_is_the_one_of_the_settings(client: Client, settings: Any) -> None:
    settings.AFFILIATE_QUERY_STRING_KEY = "via"
    settings.AFFILIATE_SESSION_KEY = "guest"
    partner = make_partner()
    assert client.get(f"/?{KEY}={partner.uid}").status_code == 200
    assert client.get(f"/?via={partner.uid}").status_code == 302
    assert client.session["guest"] == Visitor.objects.get().pk


# without what it stands on


def test_without_sessions_nobody_is_registered_and_nothing_breaks(settings: Any) -> None:
    settings.MIDDLEWARE = [pages.OWN]
    partner = make_partner()
    client = come_from(partner, to="/a/")
    assert not Visitor.objects.exists()
    assert client.get("/who/").json() == {"visitor": None}
    assert client.get("/call/").json() == {"called": False}


def test_without_users_visitors_are_anonymous(settings: Any, client: Client) -> None:
    settings.MIDDLEWARE = [pages.SESSION, pages.OWN]
    come_from(make_partner(), client)
    assert Visitor.objects.get().user is None
    assert client.get("/who/").json() == {"visitor": Visitor.objects.get().pk}


# what it costs


@pytest.mark.slow
def test_ten_thousand_requests_without_the_key_cost_no_query(client: Client) -> None:
    come_from(make_partner(), client)
    client.force_login(User.objects.create_user("visitor"))
    assert client.session[SESSION_KEY]
    factory, handler = RequestFactory(HTTP_COOKIE=client.cookies.output(header="")), BaseHandler()
    handler.load_middleware()
    paths = ["/", "/a/?b=1&c=%61ffiliate", "/?affiliate=1&x=affiliate_id", "/?q=a+b;c#d"]
    with CaptureQueriesContext(connection) as queries:
        for number in range(10_000):
            assert handler.get_response(factory.get(paths[number % 4])).status_code == 200
    assert not queries.captured_queries
    handler.get_response(request := factory.get("/who/"))
    assert request.affiliate_visitor == visitor_of(client)


def test_requests_of_no_session_cost_no_query_even_if_the_visitor_is_read(client: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert client.get("/who/").json() == {"visitor": None}
    assert not queries.captured_queries


def test_click_costs_few_queries(client: Client, django_assert_max_num_queries: Any) -> None:
    partner = make_partner()
    with django_assert_max_num_queries(12):
        come_from(partner, client)


# asynchronously


@pytest.mark.django_db(transaction=True)
def test_click_under_asgi_registers_a_visitor() -> None:
    client, partner = AsyncClient(), make_partner()

    async def browse() -> tuple[Any, list[Any]]:
        first = await client.get(f"/async/?a=1&{KEY}={partner.uid}", headers=BROWSER)
        pages = [await client.get(path) for path in ("/async/", "/async/who/", "/who/")]
        return first, pages

    first, (page, *others) = async_to_sync(browse)()
    assert (first.status_code, first["Location"]) == (302, "/async/?a=1")
    assert page.status_code == 200
    assert [each.json() for each in others] == [{"visitor": Visitor.objects.get().pk}] * 2


@pytest.mark.django_db(transaction=True)
def test_visitor_read_too_early_says_what_to_do() -> None:
    client, partner = AsyncClient(), make_partner()

    async def browse() -> None:
        assert (await client.get("/async/hasty/")).json() == {"visitor": None}
        await client.get(f"/?{KEY}={partner.uid}")
        await client.get("/async/hasty/")

    with pytest.raises(SynchronousOnlyOperation, match=r"await request\.aaffiliate_visitor\(\)"):
        async_to_sync(browse)()


def test_requests_in_one_loop_do_not_see_each_other() -> None:
    seen: dict[str, list[Any]] = {}

    async def view(request: HttpRequest) -> HttpResponse:
        for _ in range(3):
            seen.setdefault(request.path, []).append(current.request().path)
            await asyncio.sleep(0)
        return HttpResponse()

    async def serve_all() -> None:
        served: Any = AffiliateVisitorsRegistrationMiddleware(view)
        factory = AsyncRequestFactory()
        await asyncio.gather(*(served(factory.get(f"/{number}/")) for number in range(5)))

    asyncio.run(serve_all())
    assert seen == {f"/{number}/": [f"/{number}/"] * 3 for number in range(5)}


def test_middleware_is_of_the_kind_of_what_it_stands_before() -> None:
    assert not iscoroutinefunction(AffiliateVisitorsRegistrationMiddleware(pages.page))
    assert iscoroutinefunction(AffiliateVisitorsRegistrationMiddleware(pages.async_page))
