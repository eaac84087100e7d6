"""The middleware: redirects, registers, and costs nothing where there is nothing to do."""

import asyncio
import copy
import pickle
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asgiref.sync import async_to_sync, iscoroutinefunction
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.exceptions import SynchronousOnlyOperation
from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIRequest
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, AsyncRequestFactory, Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from trackable.contrib.affiliations import current, timespans, visitors
from trackable.contrib.affiliations.middleware import AffiliateVisitorsRegistrationMiddleware
from trackable.contrib.affiliations.models import PartnerData, Visitor
from trackable.contrib.affiliations.requests import KnowsVisitor, know_visitor
from trackable.testing import Outbox, capture
from trackable_tests.contrib.affiliations import pages
from trackable_tests.contrib.affiliations.pages import (
    BROWSER,
    CRAWLER,
    KEY,
    SESSION_KEY,
    come_from,
    make_partner,
    visitor_of,
)

pytestmark = [pytest.mark.django_db, pytest.mark.urls(pages.__name__)]


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = pages.MIDDLEWARE


@pytest.fixture
def client() -> Client:
    return Client(headers=BROWSER)


@pytest.fixture
def outbox() -> Any:
    with capture() as found:
        yield found


def location_of(path: str, client: Client | None = None) -> str:
    """Return where a GET is sent to, which must be for this once."""
    response = (client or Client()).get(path)
    assert response.status_code == 302
    assert response.content == b""
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]
    return str(response["Location"])


# the redirect


@pytest.mark.parametrize(
    ("path", "expected"),
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


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("//evil.example/", "/%2Fevil.example/"),
        ("///evil.example/", "/%2F/evil.example/"),
        ("/\\evil.example/", "/%5Cevil.example/"),
        ("\\/evil.example/", "/%5C/evil.example/"),
        ("/\t/evil.example/", "/%09/evil.example/"),
        ("https://evil.example/", "/https://evil.example/"),
        ("", "/"),
    ],
)
@pytest.mark.parametrize("factory", [RequestFactory(), AsyncRequestFactory()])
def test_redirect_never_leaves_the_host(factory: Any, path: str, expected: str) -> None:
    request = factory.get("/")
    request.META["QUERY_STRING"], request.path = f"{KEY}=x", path
    assert answer_to(request)["Location"] == expected


def answer_to(request: HttpRequest) -> HttpResponse:
    served: Any = AffiliateVisitorsRegistrationMiddleware(pages.page)(request)
    return served  # type: ignore[no-any-return]


def test_redirect_is_as_long_as_it_has_to_be() -> None:
    long = "x" * 50_000
    assert location_of(f"/?{KEY}=1&q={long}") == f"/?q={long}"


@pytest.mark.parametrize("query", ["q=\u4f60", "q=\udc80", "q=\x7f\x00", "q=a\r\nb: c"])
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


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options"])
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


# who is registered


def test_visitor_of_an_active_partner_is_registered(client: Client, outbox: Outbox) -> None:
    partner = make_partner()
    before = timezone.now()
    come_from(partner, client, to="/a/")
    visitor = Visitor.objects.get()
    assert (visitor.partner, visitor.user, visitor.entry_point) == (partner, None, "/a/")
    assert before <= visitor.referred_on <= timezone.now()
    assert visitor.successful_on is None
    assert client.session[SESSION_KEY] == visitor.pk
    assert client.get("/who/").json() == {"visitor": visitor.pk}
    assert outbox.total(partner, "referrals") == 1


def test_user_who_is_logged_in_is_the_visitor_s(client: Client) -> None:
    user = User.objects.create_user("visitor")
    client.force_login(user)
    come_from(make_partner(), client)
    assert Visitor.objects.get().user == user


@pytest.mark.parametrize("uid", ["abcd1234", "", "ABCD", "%00", "%F0%9F%A6%86", "x" * 3000])
def test_who_is_nobody_s_is_redirected_and_not_registered(client: Client, uid: str) -> None:
    make_partner()
    assert location_of(f"/a?{KEY}={uid}", client) == "/a"
    assert not Visitor.objects.exists()
    assert not client.cookies


def test_partner_who_is_not_active_gets_no_visitor(client: Client) -> None:
    come_from(make_partner(active=False), client)
    assert not Visitor.objects.exists()


def test_case_of_a_uid_matters(client: Client) -> None:
    make_partner(uid="abcdEFGH")
    assert location_of(f"/?{KEY}=ABCDefgh", client) == "/"
    assert not Visitor.objects.exists()


def test_first_key_that_is_valid_counts(client: Client) -> None:
    others, partner = [make_partner(active=False), make_partner()], make_partner()
    values = ["", "nobody", "x" * 100, others[0].uid, partner.uid, others[1].uid]
    query = "&".join(f"{KEY}={value}" for value in values)
    assert location_of(f"/?{query}", client) == "/"
    assert Visitor.objects.get().partner == partner


def test_what_cannot_be_a_uid_costs_no_query(client: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        for value in ("", "%00", "x" * 9, "a b", "é"):
            client.get(f"/?{KEY}={value}")
    assert not queries.captured_queries


def test_one_browser_is_one_visitor_of_a_partner(client: Client, outbox: Outbox) -> None:
    partner = make_partner()
    for _ in range(20):
        come_from(partner, client)
    assert Visitor.objects.count() == 1
    assert outbox.total(partner, "referrals") == 1


@pytest.mark.parametrize("zone", ["Etc/GMT-14", "Etc/GMT+12"])
def test_referral_is_counted_on_the_site_s_day(client: Client, outbox: Outbox, zone: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        come_from(make_partner(), client)
        come_from(make_partner(), client)
    assert [increment.collected_during for increment in outbox] == [timespans.today()] * 2


def test_one_who_succeeded_already_is_registered_anew(client: Client) -> None:
    partner = make_partner()
    come_from(partner, client)
    Visitor.objects.get().succeed()
    come_from(partner, client)
    assert Visitor.objects.count() == 2


def test_crawler_is_redirected_and_not_registered(outbox: Outbox, settings: Any) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    crawler, partner = Client(headers=CRAWLER), make_partner()
    come_from(partner, crawler)
    assert not Visitor.objects.exists()
    assert not crawler.cookies
    assert outbox.total(partner, "referrals") == 0
    assert outbox.filtered[PartnerData._meta.label] == 1


def test_crawler_is_a_visitor_where_nobody_is_filtered() -> None:
    come_from(make_partner(), Client(headers=CRAWLER))
    assert Visitor.objects.count() == 1


def test_flood_fills_no_table(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.AFFILIATE_VISITORS_PER_MINUTE = 3
    partner, other = make_partner(), make_partner()
    for _ in range(10):
        come_from(partner)
    assert Visitor.objects.count() == 3
    assert Session.objects.count() == 3
    come_from(other)
    assert other.visitors.count() == 1
    assert [r.getMessage() for r in caplog.records] == [
        f"Partner {partner.pk} sent 3 visitors in a minute: no more."
    ]


def test_flood_ends_with_the_minute(settings: Any) -> None:
    settings.AFFILIATE_VISITORS_PER_MINUTE = 1
    partner = make_partner()
    come_from(partner)
    Visitor.objects.update(referred_on=timezone.now() - timedelta(seconds=61))
    come_from(partner)
    come_from(partner)
    assert Visitor.objects.count() == 2


def test_flood_is_not_bounded_if_it_is_set_so(settings: Any) -> None:
    settings.AFFILIATE_VISITORS_PER_MINUTE = None
    partner = make_partner()
    for _ in range(5):
        come_from(partner)
    assert Visitor.objects.count() == 5


def test_entry_point_that_is_long_is_cut(client: Client) -> None:
    partner = make_partner()
    assert location_of(f"/?{KEY}={partner.uid}&q={'x' * 9000}", client) == f"/?q={'x' * 9000}"
    assert Visitor.objects.get().entry_point == "/?q=" + "x" * 1996


def test_redirect_comes_where_nobody_can_be_registered(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    partner = make_partner()

    def refuse(_: Any, uids: Any, entry_point: str) -> None:
        raise DatabaseError(entry_point)

    monkeypatch.setattr(visitors, "refer", refuse)
    for _ in range(3):
        come_from(partner, client, to="/said/by/a/visitor")
    (record,) = caplog.records
    assert "A visitor was not registered: DatabaseError was raised." in record.getMessage()
    assert "said/by" not in record.getMessage()


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


# the visitor of a request


@pytest.mark.parametrize(
    "value",
    [None, "", "1", "x", 0, -1, 1.0, True, 2**63, 2**200, [1], {"pk": 1}, 12345, "\x00"],
    ids=repr,
)
def test_session_that_points_nowhere_is_cleared(client: Client, value: Any) -> None:
    come_from(make_partner(), client)
    session = client.session
    session.update({SESSION_KEY: value, "kept": 1})
    session.save()
    assert client.get("/who/").json() == {"visitor": None}
    assert dict(client.session) == {"kept": 1}


def test_session_that_was_tampered_with_does_not_keep_others_from_coming(client: Client) -> None:
    come_from(make_partner(), client)
    session = client.session
    session[SESSION_KEY] = {"pk": [None]}
    session.save()
    come_from(make_partner(), client)
    assert client.session[SESSION_KEY] == Visitor.objects.latest("pk").pk


def test_visitor_may_be_set_and_is_read_once(django_assert_num_queries: Any) -> None:
    request = RequestFactory().get("/")
    request.session = {SESSION_KEY: Visitor.objects.create(partner=make_partner()).pk}
    know_visitor(request)
    with django_assert_num_queries(1):
        assert request.affiliate_visitor.partner.name == "Harbour"
        assert request.affiliate_visitor is request.affiliate_visitor
    request.affiliate_visitor = None
    assert request.affiliate_visitor is None


def test_request_is_still_of_its_class() -> None:
    request = RequestFactory().get("/")
    know_visitor(request)
    know_visitor(request)
    assert isinstance(request, WSGIRequest)
    assert type(request).__mro__[:3] == (type(request), KnowsVisitor, WSGIRequest)
    assert repr(request) == "<WSGIRequest: GET '/'>"
    assert type(RequestFactory().get("/")) is WSGIRequest


@pytest.mark.parametrize("pass_on", [copy.copy, lambda each: pickle.loads(pickle.dumps(each))])
def test_request_is_copied_and_pickled_as_others_are(pass_on: Any) -> None:
    request = RequestFactory().get("/a/?b=1")
    know_visitor(request)
    request.session = {}
    other = pass_on(request)
    assert type(other) is type(request)
    assert other.GET == {"b": ["1"]}
    assert other.affiliate_visitor is None


def test_reading_the_visitor_makes_the_answer_vary_and_not_reading_does_not(
    client: Client,
) -> None:
    come_from(make_partner(), client)
    assert "Vary" not in client.get("/").headers
    assert client.get("/who/")["Vary"] == "Cookie"


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


# the request at hand


def test_request_is_at_hand_while_it_is_served_and_no_longer() -> None:
    seen: list[Any] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(current.request())
        if request.path == "/outer/":
            served(RequestFactory().get("/inner/"))
            seen.append(current.request())
        return HttpResponse()

    served = AffiliateVisitorsRegistrationMiddleware(view)
    served(RequestFactory().get("/outer/"))
    assert [request.path for request in seen] == ["/outer/", "/inner/", "/outer/"]
    assert current.request() is None


def test_request_is_at_hand_no_longer_when_a_view_raises() -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        AffiliateVisitorsRegistrationMiddleware(view)(RequestFactory().get("/"))
    assert current.request() is None


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
