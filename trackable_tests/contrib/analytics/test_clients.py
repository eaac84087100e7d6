"""The client's id: random, signed, for the session alone, and new if anything is wrong with it."""

import re
from typing import Any

import pytest
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from trackable.contrib.analytics import clients, cookies
from trackable.contrib.analytics.clients import Client
from trackable_tests.contrib.analytics import pages
from trackable_tests.contrib.analytics.pages import MARCEL, Browser
from trackable_tests.tables import for_each

pytestmark = pytest.mark.urls(pages.__name__)

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
YEARS_SECONDS = 63_072_000


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = [pages.MIDDLEWARE]


@pytest.fixture
def browser() -> Browser:
    return Browser()


def with_cookie(text: str, name: str = "vn") -> HttpRequest:
    request = RequestFactory().get("/")
    request.COOKIES[name] = text
    return request


def test_cookie_is_out_of_reach_and_ends_with_the_session(browser: Browser) -> None:
    morsel = browser.get().cookies["vn"]
    assert (morsel["httponly"], morsel["secure"], morsel["samesite"]) == (True, True, "Lax")
    assert (morsel["max-age"], morsel["expires"], morsel["domain"]) == ("", "", "")
    assert morsel["path"] == "/"


def test_id_is_random_and_says_nothing(browser: Browser) -> None:
    browser.get()
    assert UUID4.fullmatch(browser.hit.client_id)
    browser.close()
    first = browser.hit.client_id
    browser.get()
    assert UUID4.fullmatch(browser.hit.client_id)
    assert browser.hit.client_id != first


def test_cookie_is_set_once(browser: Browser) -> None:
    assert "vn" in browser.get().cookies
    assert not browser.get().cookies
    assert not browser.get("/call/").cookies


def test_cookie_is_set_with_what_is_told_of_alone(browser: Browser) -> None:
    for path in ("/admin/", "/status/404/", "/content/?type=text/css", "/pinging/?x=1"):
        response = browser.get(path, headers={"Sec-Fetch-Dest": "empty"})
        assert not response.cookies


def test_cookie_is_as_the_settings_say(browser: Browser, settings: Any) -> None:
    settings.SESSION_COOKIE_PATH = "/site/"
    assert browser.get().cookies["vn"]["path"] == "/site/"
    settings.SERVER_SIDE_TRACKING = {
        "cookie_name": "visitor",
        "cookie_path": "/shop/",
        "cookie_httponly": False,
        "cookie_secure": False,
    }
    morsel = browser.get().cookies["visitor"]
    assert (morsel["path"], morsel["httponly"], morsel["secure"]) == ("/shop/", "", "")


def test_cookie_is_secure_wherever_the_page_is(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"cookie_secure": False}
    request, response = RequestFactory().get("/", secure=True), HttpResponse()
    cookies.put(request, response, "cookie_name", "x", is_kept=False)
    assert response.cookies["vn"]["secure"] is True


def test_signed_id_is_known() -> None:
    text = cookies.sign("cookie_name", MARCEL)
    assert clients.known(with_cookie(text)) == Client(MARCEL, text, False)


def tampered() -> list[str]:
    good = cookies.sign("cookie_name", MARCEL)
    name, time, signature = good.rsplit(":", 2)
    return [
        "",
        MARCEL,
        good[:-1],
        good[1:],
        good + " ",
        f"{name}:{time}:{signature.swapcase()}",
        f"{name.replace('0', '1')}:{time}:{signature}",
        f"{name}:zzzzzz:{signature}",
        cookies.sign("cookie_name", "jane@example.com"),
        cookies.sign("cookie_name", ""),
        cookies.sign("cookie_name", MARCEL.upper()),
        cookies.sign("own_cookie_name", MARCEL),
        signing.dumps(MARCEL),
        "a" * 100_000,
        good * 100,
        "\ud800",
        "\x00\n;,",
    ]


@for_each("number", range(17))
def test_cookie_that_was_tampered_with_makes_a_new_id(number: int) -> None:
    request = with_cookie(tampered()[number])
    assert clients.known(request) is None
    assert clients.of_request(request).is_new
    assert clients.of_request(request) is clients.of_request(request)


@examples(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=250))
def test_whatever_is_in_the_cookie_gets_the_page(text: str) -> None:
    assert clients.known(with_cookie(text)) is None


def test_oversized_cookie_is_replaced(browser: Browser) -> None:
    browser.client.cookies["vn"] = "a" * 10_000
    browser.get()
    assert len(browser.cookies["vn"]) <= cookies.MAX_LENGTH
    first = browser.hit.client_id
    browser.get()
    assert browser.hit.client_id == first


def test_id_that_is_too_old_is_new(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing.time, "time", lambda: 1_700_000_000)
    text = cookies.sign("cookie_name", MARCEL)
    monkeypatch.setattr(signing.time, "time", lambda: 1_700_000_000 + YEARS_SECONDS)
    assert clients.known(with_cookie(text)) is not None
    monkeypatch.setattr(signing.time, "time", lambda: 1_700_000_001 + YEARS_SECONDS)
    assert clients.known(with_cookie(text)) is None


# keys and salts


def test_new_secret_key_makes_no_new_visitors(settings: Any) -> None:
    text = cookies.sign("cookie_name", MARCEL)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    found = clients.known(with_cookie(text))
    assert found is not None
    settings.SECRET_KEY_FALLBACKS = []
    assert clients.known(with_cookie(text)) is None


def test_salt_is_chosen(settings: Any) -> None:
    text = cookies.sign("cookie_name", MARCEL)
    settings.SERVER_SIDE_TRACKING = {"cookie_salt": "sea"}
    assert clients.known(with_cookie(text)) is None
    assert clients.known(with_cookie(cookies.sign("cookie_name", MARCEL))) is not None


# visits


@for_each(
    "signed_at, now, begins",
    [
        (1_700_006_400, 1_700_006_400, 1_700_006_400),
        (1_700_006_400, 1_700_010_000, 1_700_006_400),
        (1_700_006_400, 1_700_006_399, 1_700_006_400),
        (1_699_000_000, 1_700_010_000, 1_700_006_400),
        (1_699_000_000, 1_700_092_799, 1_700_006_400),
        (1_699_000_000, 1_700_092_800, 1_700_092_800),
    ],
)
def test_visit_begins_with_the_id_or_with_the_day(
    monkeypatch: pytest.MonkeyPatch, signed_at: int, now: int, begins: int
) -> None:
    monkeypatch.setattr(signing.time, "time", lambda: signed_at)
    client = Client(MARCEL, cookies.sign("cookie_name", MARCEL), False)
    assert client.session_id(now) == str(begins)
