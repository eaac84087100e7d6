"""Observing: what a request says, and what of it is told."""

from typing import Any

import pytest
from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.test import AsyncRequestFactory, RequestFactory
from django.utils.text import format_lazy as lazystr
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from trackable.contrib.analytics import observing
from trackable.contrib.analytics.exceptions import HitError
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.observing import get_default_parameters, hit_of_request
from trackable_tests.contrib.analytics.pages import AGENT
from trackable_tests.tables import for_each

MANY = examples(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(params=[RequestFactory, AsyncRequestFactory])
def factory(request: pytest.FixtureRequest) -> Any:
    return request.param()


def get(path: str = "/", **headers: str) -> HttpRequest:
    return RequestFactory().get(path, headers=headers)


def test_request_says_all_this(factory: Any) -> None:
    headers = {
        "User-Agent": AGENT,
        "Accept-Language": "en-GB,en;q=0.9,de;q=0.8",
        "Referer": "https://from.example/search?q=tides",
    }
    request = factory.get("/a/b/?q=1&r=%20", headers=headers, secure=True)
    hit = hit_of_request(request)
    assert (hit.kind, hit.values, hit.is_interaction) == ("pageview", {}, True)
    assert hit.location == "https://testserver/a/b/?q=1&r=%20"
    assert hit.referrer == "https://from.example/search?q=tides"
    assert (hit.user_agent, hit.language, hit.address) == (AGENT, "en-gb", "127.0.0.0")
    assert (hit.user_id, hit.title, hit.screen_resolution) == ("", "", "")
    assert (len(hit.client_id), hit.session_id.isdigit()) == (36, True)


def test_request_that_says_nothing_makes_a_hit(factory: Any) -> None:
    hit = hit_of_request(factory.get("/"))
    assert (hit.referrer, hit.user_agent, hit.language) == ("", "", "")
    assert hit.location == "http://testserver/"


def test_host_and_path_are_those_of_the_address_bar() -> None:
    request = get("/a%20b/b%C3%BC/?q=%C3%BC#here", Host="www.example.com:8000")
    location = "http://www.example.com:8000/a%20b/b%C3%BC/?q=%C3%BC"
    assert hit_of_request(request).location == location


def test_values_and_fields_go_into_the_hit() -> None:
    hit = hit_of_request(
        get(), "event", fields={"title": "T", "user_id": "u7"}, category="a", action="b", label=None
    )
    assert hit.values == {"category": "a", "action": "b"}
    assert (hit.title, hit.user_id) == ("T", "u7")
    with pytest.raises(HitError):
        hit_of_request(get(), "event", category="a")


def test_response_has_the_title() -> None:
    response = TemplateResponse(get(), "none.html", {"title": "Mail jane@example.com"})
    assert hit_of_request(get(), response=response).title == "Mail (email)"
    assert hit_of_request(get(), response=response, fields={"title": "T"}).title == "T"
    assert hit_of_request(get(), response=HttpResponse()).title == ""


def test_host_that_is_none_of_ours_makes_no_hit(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["example.com"]
    with pytest.raises(DisallowedHost):
        hit_of_request(get(Host="evil.example"))


# addresses, as the suite of server-side-tracking has them


@for_each(
    "address, told",
    [
        ("127.0.0.1", "127.0.0.0"),
        ("80.90.100.110", "80.90.100.0"),
        ("fe80:0:0:0:200:f8ff:f221:67af", "fe80::"),
        ("fe80::67af", "fe80::"),
        ("fe80:abcd:1234:02:23::67af", "fe80:abcd:1234::"),
        ("::ffff:80.90.100.110", "80.90.100.0"),
        ("", ""),
        ("unix:", ""),
        ("no address", ""),
    ],
)
def test_address_is_anonymised(address: str, told: str) -> None:
    request = RequestFactory(REMOTE_ADDR=address).get("/")
    assert hit_of_request(request).address == told


def test_address_is_told_as_it_is_if_wanted(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"anonymize_ip": False}
    assert hit_of_request(get()).address == "127.0.0.1"


def test_address_behind_a_proxy_is_the_visitor_s(settings: Any) -> None:
    request = get(**{"X-Forwarded-For": "192.0.2.77"})
    assert hit_of_request(request).address == "127.0.0.0"
    settings.TRACKABLE_TRUSTED_PROXIES = ["127.0.0.1"]
    assert hit_of_request(request).address == "192.0.2.0"


# what is not told


def test_addresses_and_secrets_are_not_told() -> None:
    hit = hit_of_request(
        get(
            "/of/jane@example.com/?q=jane%40example.com&token=abc",
            **{
                "Referer": "https://jane:pw@from.example/?to=jane%2540example.com&key=abc#jane",
                "User-Agent": "Bot (jane@example.com) 1.0",
            },
        ),
        fields={"title": "Of jane@example.com"},
    )
    assert "jane" not in str(hit)
    assert "abc" not in str(hit)
    assert hit.location == "http://testserver/of/(email)/?q=(email)&token=(redacted)"
    assert hit.referrer == "https://from.example/?to=(email)&key=(redacted)"
    assert (hit.user_agent, hit.title) == ("Bot (email) 1.0", "Of (email)")


def test_everything_is_told_if_wanted(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"redact": False}
    hit = hit_of_request(get("/?to=jane@example.com", Referer="https://a.example/?key=abc"))
    assert hit.location == "http://testserver/?to=jane@example.com"
    assert hit.referrer == "https://a.example/?key=abc"


@for_each(
    "referrer",
    ["", "about:blank", "javascript:alert(1)", "/page/", "https://[", "file:///etc", "data:,x"],
)
def test_referrer_that_is_no_page_is_not_told(referrer: str) -> None:
    assert hit_of_request(get(Referer=referrer)).referrer == ""


@for_each(
    "header, language",
    [
        ("de", "de"),
        ("de-AT,de;q=0.9", "de-at"),
        ("zh-Hant-TW;q=1", "zh-hant-tw"),
        (" fr , en", "fr"),
        ("*", ""),
        ("", ""),
        (",de", ""),
        ("<script>", ""),
        ("jane@example.com", ""),
        ("a" * 100_000, ""),
        ("de-" * 1000, ""),
        ("d\u00e9", ""),
    ],
)
def test_language_is_the_first_if_it_is_one(header: str, language: str) -> None:
    assert observing.language_of(header) == language


# whatever a visitor sends


@MANY
@given(
    path=st.text(max_size=50),
    query=st.text(st.characters(max_codepoint=255), max_size=50),
    headers=st.fixed_dictionaries(
        {
            name: st.text(st.characters(max_codepoint=255), max_size=60)
            for name in ("User-Agent", "Accept-Language", "Referer", "Cookie", "X-Forwarded-For")
        }
    ),
)
def test_whatever_is_sent_makes_a_hit_that_can_travel(
    path: str, query: str, headers: dict[str, str]
) -> None:
    request = RequestFactory().get("/", headers=headers, QUERY_STRING=query)
    request.path = request.path_info = "/" + path.encode("utf-8", "replace").decode()
    hit = hit_of_request(request)
    assert Hit.of_dict(hit.as_dict()) == hit
    assert hit.location.startswith("http://testserver/")
    assert hit.location.isascii()


def test_long_headers_are_cut() -> None:
    long = "a" * 1_000_000
    hit = hit_of_request(
        get(f"/{long}/?{long}", **{"User-Agent": long, "Referer": f"https://a.example/{long}"})
    )
    assert hit.size_bytes < 10_000
    assert hit.location == "http://testserver/" or len(hit.location) <= 2048


# hits that are built from scratch


def test_default_parameters_are_those_of_the_old_protocol(settings: Any) -> None:
    request = get("/a/?b=1", **{"User-Agent": AGENT, "Accept-Language": "de"})
    response = TemplateResponse(request, "none.html", {"title": "Tides"})
    page, session = get_default_parameters(request, response)
    assert page.url() == {"dl": "http://testserver/a/?b=1", "dt": "Tides"}
    found = session.url()
    assert found.pop("cid") in response.cookies["vn"].value
    assert found == {"uip": "127.0.0.0", "ua": AGENT, "ul": "de"}
    page, session = get_default_parameters(get())
    assert "cid" in session.url()


def test_fields_that_are_given_are_redacted_too(settings: Any) -> None:
    fields = {
        "location": "https://example.com/jane@example.com/?token=hush",
        "referrer": "https://from.example/?q=jane@example.com",
        "title": lazystr("Of jane@example.com"),
        "user_agent": "robot jane@example.com",
    }
    hit = hit_of_request(get(), fields=fields)
    assert "jane" not in str(hit)
    assert hit.location == "https://example.com/(email)/?token=(redacted)"
    settings.SERVER_SIDE_TRACKING = {"redact": False}
    assert str(hit_of_request(get(), fields=fields)).count("jane@example.com") == 4
