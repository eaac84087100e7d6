"""The ping: what only the browser knows, of pages of this site alone. Garbage makes nothing."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.contrib.staticfiles import finders
from django.core import signing
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.urls import reverse
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from trackable.contrib.analytics import pings
from trackable_tests.contrib.analytics import pages
from trackable_tests.contrib.analytics.pages import CRAWLER, Browser
from trackable_tests.tables import for_each

pytestmark = pytest.mark.urls(pages.__name__)

URL = "/analytics/ping/"
FORM = "application/x-www-form-urlencoded;charset=UTF-8"
SCREEN = {"r": "1920x1080", "v": "1200x800", "c": "24"}
MANY = examples(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
TAG = re.compile(
    r'<script src="/static/trackable_analytics/ping.js" data-url="/analytics/ping/"'
    r' data-token="([\w:.-]+)" defer></script>'
)


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = [pages.MIDDLEWARE]


@pytest.fixture
def browser() -> Browser:
    return Browser()


def token_in(browser: Browser, path: str = "/pinging/?a=1") -> str:
    """Return the token in a page, as its script finds it."""
    match = TAG.fullmatch(browser.get(path).content.decode())
    assert match
    return match[1]


def ping(browser: Browser, **said: Any) -> Any:
    """Ping as the script does it."""
    body = urlencode({"s": token_in(browser), **SCREEN, **said})
    return browser.post(URL, body, content_type=FORM)


# what is told


def test_browser_tells_of_its_screen(browser: Browser) -> None:
    response = ping(browser, l="de-AT", t="Tides \n& sands")
    assert (response.status_code, response.content) == (204, b"")
    hit = browser.hit
    assert (hit.kind, hit.is_interaction) == ("event", False)
    assert hit.values == {"category": "Non-interaction", "action": "Ping"}
    assert (hit.screen_resolution, hit.viewport_size) == ("1920x1080", "1200x800")
    assert (hit.screen_colors, hit.language, hit.title) == ("24-bits", "de-at", "Tides & sands")
    assert (hit.location, hit.referrer) == ("http://testserver/pinging/?a=1", "")


def test_ping_and_page_are_of_one_visit(browser: Browser) -> None:
    browser.get("/pinging/")
    page = browser.hit
    ping(browser)
    assert browser.hit.client_id == page.client_id
    assert browser.hit.session_id == page.session_id


@for_each("method", ["get", "form", "json", "text", "multipart"])
def test_ping_comes_in_many_ways(browser: Browser, method: str) -> None:
    said = {"s": token_in(browser), **SCREEN}
    if method == "get":
        browser.get(URL, query_params=said)
    elif method == "form":
        browser.post(URL, urlencode(said), content_type=FORM)
    elif method == "multipart":
        browser.post(URL, said)  # nobody sends that, and it is not read
        assert browser.hits == []
        return
    else:
        kind = {"json": "application/json", "text": "text/plain;charset=UTF-8"}[method]
        browser.post(URL, json.dumps({**said, "c": 24}), content_type=kind)
    assert browser.hit.screen_resolution == "1920x1080"
    assert browser.hit.screen_colors == "24-bits"


def test_label_and_names_are_chosen(browser: Browser, settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING_GA = {
        "property": "UA-1234-5",
        "ping_category": "Browser",
        "ping_action": "Told",
        "ping_label": "screen",
    }
    ping(browser)
    assert browser.hit.values == {"category": "Browser", "action": "Told", "label": "screen"}


def test_answer_is_never_kept_and_sets_nothing(browser: Browser) -> None:
    response = ping(browser)
    assert "no-store" in response["Cache-Control"]
    assert "private" in response["Cache-Control"]
    assert not response.cookies


def test_ping_needs_no_csrf_token(settings: Any) -> None:
    settings.MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]
    assert Client(enforce_csrf_checks=True).post(URL).status_code == 204


@pytest.mark.django_db
def test_ping_needs_no_login(settings: Any) -> None:
    prefix = "django.contrib"
    settings.MIDDLEWARE = [
        f"{prefix}.sessions.middleware.SessionMiddleware",
        f"{prefix}.auth.middleware.AuthenticationMiddleware",
        f"{prefix}.auth.middleware.LoginRequiredMiddleware",
    ]
    assert Client().get("/page/").status_code == 302
    assert Client().post(URL).status_code == 204
    assert Client().get("/analytics/own/").status_code == 204


def test_addresses_are_not_told(browser: Browser) -> None:
    token = token_in(browser, "/pinging/?to=jane@example.com")
    assert pings.location_of(token) == "http://testserver/pinging/?to=(email)"
    ping(browser, t="Of jane@example.com")
    assert "jane" not in str(browser.hit)


# what is not


@for_each(
    "said",
    [
        {"s": ""},
        {"s": "x"},
        {"s": "a" * 5000},
        {"s": "é:1:2"},
        {"s": signing.dumps("http://evil.example/")},
        {"s": signing.TimestampSigner(salt="other").sign_object("http://evil.example/")},
        {"s": signing.TimestampSigner(salt=pings.SALT).sign_object({"a": 1})},
        {"r": "", "v": "", "c": ""},
        {"r": "1920x1080;x", "v": "12", "c": "many"},
    ],
)
def test_ping_that_is_none_is_passed_over(browser: Browser, said: dict[str, str]) -> None:
    assert ping(browser, **said).status_code == 204
    assert browser.hits == []


def test_token_ends(browser: Browser, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    token, now = token_in(browser), time.time()
    monkeypatch.setattr(signing.time, "time", lambda: now + 3590)
    assert pings.location_of(token) is not None
    monkeypatch.setattr(signing.time, "time", lambda: now + 3602)
    assert pings.location_of(token) is None
    settings.SERVER_SIDE_TRACKING = {"ping_max_age": 7200}
    assert pings.location_of(token) is not None


def test_token_outlives_a_change_of_the_secret_key(browser: Browser, settings: Any) -> None:
    token = token_in(browser)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    assert pings.location_of(token) == "http://testserver/pinging/?a=1"


def test_nobody_is_told_of_who_has_no_cookie(browser: Browser) -> None:
    """Each ping of a browser that takes no cookies would be a visitor of its own."""
    token = token_in(browser)
    browser.client.cookies.clear()
    response = browser.get(URL, query_params={"s": token, **SCREEN})
    assert (response.status_code, browser.hits, browser.cookies) == (204, [], {})


@pytest.mark.parametrize("header", ["Sec-GPC", "DNT"])
def test_nobody_is_told_of_who_does_not_want_it(
    browser: Browser, settings: Any, header: str
) -> None:
    settings.SERVER_SIDE_TRACKING = {"respect_dnt": True}
    token = token_in(browser)
    browser.get(URL, query_params={"s": token, **SCREEN}, headers={header: "1"})
    assert browser.hits == []
    browser.client.cookies["cookie_status"] = "0"
    browser.get(URL, query_params={"s": token, **SCREEN})
    assert browser.hits == []


def test_own_visits_are_not_told_of(browser: Browser) -> None:
    token = token_in(browser)
    browser.get("/analytics/own/")
    browser.get(URL, query_params={"s": token, **SCREEN})
    assert browser.hits == []


@pytest.mark.django_db
def test_crawlers_are_not_told_of(browser: Browser, settings: Any) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    token = token_in(browser)
    browser.get(URL, query_params={"s": token, **SCREEN}, headers={"User-Agent": CRAWLER})
    assert browser.hits == []
    browser.get(URL, query_params={"s": token, **SCREEN})
    assert len(browser.hits) == 1


@for_each(
    "name, value, told",
    [
        ("r", "1x1", "1x1"),
        ("r", "99999x99999", "99999x99999"),
        ("r", "100000x1", ""),
        ("r", "0x0", ""),
        ("r", "-1x5", ""),
        ("r", "1920X1080", ""),
        ("r", "\u0661x\u0661", ""),
        ("r", "1920x1080\n", ""),
        ("v", "10.5x3", ""),
        ("c", "30", "30-bits"),
        ("c", "24-bits", "24-bits"),
        ("c", "24-bit", "24-bits"),
        ("c", "100", ""),
        ("c", "0", ""),
        ("l", "<b>", ""),
        ("t", "a" * 5000, "a" * 300),
        ("t", "\x00\x1b[31m<b>", "\x00\x1b[31m<b>"),
    ],
)
def test_values_have_a_form_and_an_end(name: str, value: str, told: str) -> None:
    names = {"r": "screen_resolution", "v": "viewport_size", "c": "screen_colors"}
    names |= {"l": "language", "t": "title"}
    found = pings._fields_of({"v": "1x1", name: value} if name != "v" else {"r": "1x1", "v": value})
    assert found.get(names[name], "") == told


# garbage


@for_each("method", ["put", "patch", "delete", "head"])
def test_other_methods_are_not_allowed(browser: Browser, method: str) -> None:
    assert browser.ask(method, URL).status_code == 405


@for_each(
    "body",
    [
        *(b"", b"{", b"[]", b"{}", b"null", b'"x"', b"{" * 8000, b"[" * 8000, b"\xff\xfe", b"\x00"),
        *(b'{"s": null}', b'{"s": ["x"], "r": {"a": 1}}', b'{"c": 1e999}', b'{"c": NaN}'),
        *(b'{"c": ' + b"9" * 5000 + b"}", b"&" * 8000, b"a=1&" * 100, b"s=%ff&r=%", b"=&=&="),
    ],
)
def test_garbage_is_answered_with_nothing(browser: Browser, body: bytes) -> None:
    for content_type in (
        "application/json",
        "application/x-www-form-urlencoded",
        "",
        "multipart/x",
    ):
        response = browser.post(URL, body, content_type=content_type)
        assert (response.status_code, response.content) == (204, b"")
    assert browser.get(f"{URL}?{quote(body)}").status_code == 204
    assert browser.hits == []


def test_body_that_is_too_long_is_not_read(browser: Browser) -> None:
    said = {"s": token_in(browser), **SCREEN, "t": "a" * pings.MAX_BYTES}
    assert browser.post(URL, said, content_type="application/json").status_code == 204
    assert browser.hits == []
    query = "&".join(["a=1"] * 5000)
    assert browser.get(f"{URL}?{query}").status_code == 204


@for_each("length", ["", "x", "-5", "1e3", "99999999999999999999"])
def test_length_that_is_a_lie_is_passed_over(browser: Browser, length: str) -> None:
    body = urlencode({"s": token_in(browser), **SCREEN})
    response = browser.post(URL, body, content_type=FORM, CONTENT_LENGTH=length)
    assert (response.status_code, browser.hits) == (204, [])


@for_each("error", [OSError, MemoryError, RecursionError])
def test_body_that_breaks_off_is_passed_over(error: type[Exception]) -> None:
    class Body(BytesIO):
        def read(self, *_: Any) -> bytes:
            raise error

    request = RequestFactory().post(URL, **{"wsgi.input": Body(), "CONTENT_LENGTH": "5"})
    assert pings.said_in_body(request) == {}


@MANY
@given(
    said=st.dictionaries(
        st.sampled_from(["s", "r", "v", "c", "l", "t", "x"]), st.text(max_size=50), max_size=7
    ),
    is_signed=st.booleans(),
)
def test_whatever_is_said_is_answered_with_nothing(said: dict[str, str], is_signed: bool) -> None:
    browser = Browser()
    if is_signed:
        said = {**said, "s": token_in(browser)}
    response = browser.post(URL, json.dumps(said), content_type="application/json")
    assert (response.status_code, response.content) == (204, b"")


def test_nothing_of_it_is_logged(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    ping(browser, s="forged", r="jane")
    text = "\n".join(record.getMessage() for record in caplog.records)
    assert "A ping was passed over: its token is none, or too old." in text
    assert "forged" not in text
    assert "jane" not in text


# the tag


def render(source: str, path: str = "/a/", **context: Any) -> str:
    context.setdefault("request", RequestFactory().get(path))
    return Template("{% load analytics %}" + source).render(Context(context))


def test_tag_puts_the_page_s_address_into_the_script() -> None:
    match = TAG.fullmatch(render("{% analytics_ping %}", "/a/?b=1"))
    assert match
    assert pings.location_of(match[1]) == "http://testserver/a/?b=1"


@for_each("request_", [None, "", "text", 7])
def test_tag_without_a_request_is_nothing(request_: Any) -> None:
    assert render("{% analytics_ping %}", request=request_) == ""


def test_tag_of_a_host_that_is_none_of_ours_has_no_token(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["example.com"]
    assert 'data-token=""' in render("{% analytics_ping %}")


def test_script_bears_the_nonce_of_the_policy() -> None:
    assert ' nonce="n1" defer>' in render("{% analytics_ping nonce='n1' %}")
    assert ' nonce="n2" defer>' in render("{% analytics_ping %}", csp_nonce="n2")
    assert ' nonce="&quot;&gt;" defer>' in render("{% analytics_ping nonce=n %}", n='">')


def test_token_of_a_long_address_is_taken() -> None:
    for path in ("/?" + "a=1&" * 2000, "/" + "/".join(str(n * 7919) for n in range(900))):
        token = pings.token_of(RequestFactory().get(path))
        location = pings.location_of(token)
        assert location
        assert location.startswith("http://testserver/")


# the script


def script() -> Path:
    return Path(finders.find("trackable_analytics/ping.js"))


def test_script_is_small_and_writes_nothing_into_the_page() -> None:
    text = script().read_text()
    assert len(text.encode()) < 1024
    for word in ("eval", "innerHTML", "document.write", "cookie", "http", "localStorage"):
        assert word not in text


BROWSER_IN_NODE = """
const said = [];
const listeners = {};
globalThis.screen = {width: 1920, height: 1080, colorDepth: 24};
globalThis.innerWidth = 1200; globalThis.innerHeight = 800;
Object.defineProperty(globalThis, "navigator", {value: {language: "de-AT", SEND}});
globalThis.fetch = (url, options) => { said.push([url, String(options.body), "fetch"]); };
globalThis.document = {
  title: "Tides & " + "s".repeat(400), prerendering: PRERENDERING,
  currentScript: {dataset: {url: "/analytics/ping/", token: TOKEN}},
  addEventListener: (name, listener) => { listeners[name] = listener; },
};
require(SCRIPT);
const before = said.length;
(listeners.prerenderingchange || (() => {}))();
console.log(JSON.stringify([before, said]));
"""
BEACON = 'sendBeacon: (url, body) => { said.push([url, String(body), "beacon"]); return true; }'
FULL = "sendBeacon: () => false"


@pytest.fixture
def run_script() -> Callable[..., Any]:
    """Run the script in Node, with as much of a browser as it asks for."""

    def run(*, token: str = "t", send: str = BEACON, prerendering: bool = False) -> Any:
        code = BROWSER_IN_NODE.replace("SEND", send)
        code = code.replace("PRERENDERING", json.dumps(prerendering))
        code = code.replace("TOKEN", json.dumps(token)).replace("SCRIPT", json.dumps(str(script())))
        found = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
        return json.loads(found.stdout)

    return run


if shutil.which("node"):

    @pytest.mark.slow
    def test_what_the_script_says_is_understood(browser: Browser, run_script: Any) -> None:
        before, [[url, body, how]] = run_script(token=token_in(browser))
        assert (before, url, how) == (1, reverse("analytics:ping"), "beacon")
        browser.post(url, body, content_type=FORM)
        hit = browser.hit
        assert (hit.screen_resolution, hit.viewport_size) == ("1920x1080", "1200x800")
        assert (hit.screen_colors, hit.language) == ("24-bits", "de-at")
        assert hit.title == "Tides & " + "s" * 292

    @pytest.mark.slow
    @pytest.mark.parametrize("send", [FULL, "other: 1"])
    def test_script_does_without_beacons(run_script: Any, send: str) -> None:
        _, [[url, _, how]] = run_script(send=send)
        assert (url, how) == ("/analytics/ping/", "fetch")

    @pytest.mark.slow
    def test_page_that_is_rendered_ahead_pings_when_it_is_shown(run_script: Any) -> None:
        before, said = run_script(prerendering=True)
        assert (before, len(said)) == (0, 1)


def test_ping_that_another_site_has_sent_is_passed_over(browser: Browser) -> None:
    token = token_in(browser)
    said = json.dumps({"s": token, **SCREEN})
    for site, number in (("cross-site", 0), ("same-origin", 1)):
        headers = {"Sec-Fetch-Site": site}
        browser.post(URL, said, content_type="application/json", headers=headers)
        assert len(browser.hits) == number
        browser.get(f"{URL}?{urlencode({'s': token, **SCREEN})}", headers=headers)
        assert len(browser.hits) == number
