"""Redirects: to the target's own address and to no other, whatever its data look like."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.http import Http404
from django.utils.functional import lazystr
from hypothesis import given
from hypothesis import strategies as st

from trackable.contrib.beacons.redirects import MAX_URL_LENGTH, redirect, url_of
from trackable.gif import NEVER_CACHED
from trackable_tests.contrib.campaigns.models import Article, Dead, ExternalLink
from trackable_tests.tables import for_each

ELSEWHERE = "https://example.org/"


def target(**returned: Any) -> Dead:
    """Return an object with methods that return, or raise, what is given."""
    obj: Any = Dead(pk=7, name="end")
    for name, value in returned.items():
        setattr(obj, name, lambda value=value: answer(value))
    return obj


def answer(value: Any) -> Any:
    if isinstance(value, Exception):
        raise value
    return value


def location_of(url: str) -> str:
    """Return where a browser is sent by a target with this address."""
    return redirect(url_of(target(get_absolute_url=url)))["Location"]


def is_refused(**returned: Any) -> bool:
    try:
        url_of(target(**returned))
    except Http404:
        return True
    return False


# which method


def test_beacon_url_comes_first() -> None:
    assert url_of(ExternalLink(url=ELSEWHERE)) == ELSEWHERE
    assert url_of(Article(slug="tides")) == "/articles/tides/"
    assert url_of(target(get_beacon_url=ELSEWHERE, get_absolute_url="/here/")) == ELSEWHERE


@for_each("nothing", [None, "", 0])
def test_absolute_url_is_taken_where_there_is_no_other(nothing: Any) -> None:
    assert url_of(target(get_beacon_url=nothing, get_absolute_url="/here/")) == "/here/"


def test_target_that_leads_nowhere_is_not_found() -> None:
    with pytest.raises(Http404, match="This dead leads nowhere"):
        url_of(target())
    with pytest.raises(Http404):
        url_of(target(get_beacon_url="", get_absolute_url=None))
    with pytest.raises(Http404):
        url_of(ExternalLink(url=""))


def test_attribute_that_is_no_method_is_passed_over() -> None:
    place = target(get_absolute_url="/here/")
    place.get_beacon_url = "/there/"  # type: ignore[attr-defined]
    assert url_of(place) == "/here/"


@pytest.mark.parametrize("name", ["get_beacon_url", "get_absolute_url"])
def test_method_that_fails_is_logged_and_not_found(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert is_refused(**{name: KeyError("4711")})
    assert f"campaigns.Dead.{name}() raised KeyError" in caplog.text
    assert (len(caplog.records), "4711" in caplog.text) == (1, False)


def test_address_may_come_as_anything_that_is_text_in_the_end() -> None:
    assert url_of(target(get_absolute_url=lazystr("/here/"))) == "/here/"
    assert url_of(target(get_absolute_url=" \n/here/\t")) == "/here/"


# addresses that are kept


@for_each(
    "url",
    [
        "/",
        "/a/?b=1&c=%2F#d",
        "/a//b/",
        "/%2F/evil.example/",
        "/https://evil.example/",
        "/a:b@c/",
        "https://example.org",
        "HTTPS://EXAMPLE.ORG:8443/a?b#c",
        "http://127.0.0.1:8000/",
        "http://[::1]:8000/",
        "http://xn--mnchen-3ya.example/",
        "https://example.org/?next=https://other.example/",
    ],
)
def test_address_is_kept_as_it_is(url: str) -> None:
    assert location_of(url) == url


@for_each(
    "url, location",
    [
        ("/ü/", "/%C3%BC/"),
        ("/a b/", "/a%20b/"),
        ("/a\\b/", "/a%5Cb/"),
        ("https://münchen.example/ü", "https://m%C3%BCnchen.example/%C3%BC"),
        ("/a\r\nSet-Cookie: b=1", "/a%0D%0ASet-Cookie:%20b=1"),
        ("https://example.org/\r\n\r\n<script>", "https://example.org/%0D%0A%0D%0A%3Cscript%3E"),
    ],
)
def test_what_no_header_can_have_is_escaped(url: str, location: str) -> None:
    assert location_of(url) == location


# paths stay here


@for_each(
    "url, location",
    [
        ("//evil.example/", "/%2Fevil.example/"),
        ("///evil.example/", "/%2F/evil.example/"),
        ("////evil.example/", "/%2F//evil.example/"),
        ("/\\evil.example/", "/%5Cevil.example/"),
        ("/\\/evil.example/", "/%5C/evil.example/"),
        ("/\t/evil.example/", "/%09/evil.example/"),
        ("/\r\n/evil.example/", "/%0D%0A/evil.example/"),
        (" //evil.example/", "/%2Fevil.example/"),
        ("\x00//evil.example/", None),
        ("\\\\evil.example/", None),
        ("\\/evil.example/", None),
    ],
)
def test_path_does_not_become_a_host(url: str, location: str | None) -> None:
    if location is None:
        assert is_refused(get_absolute_url=url)
    else:
        assert location_of(url) == location
        assert is_refused(get_beacon_url=url) is False


def test_slug_with_slashes_stays_here() -> None:
    place: Any = Article(slug="/evil.example")
    place.get_absolute_url = lambda: f"/{place.slug}/"
    assert place.get_absolute_url() == "//evil.example/"
    assert url_of(place) == "/%2Fevil.example/"


# addresses that are none

REFUSED = [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "\x01javascript:alert(1)",
    "javascript://example.org/%0Aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "ftp://example.org/",
    "ws://example.org/",
    "mailto:a@example.org",
    "blob:https://example.org/1",
    "view-source:https://example.org/",
    "example.org/",
    "articles/1/",
    "?a=1",
    "#top",
    ".",
    "https:",
    "https:/evil.example",
    "https:evil.example",
    "https:\\\\evil.example",
    "https://",
    "https:///evil.example",
    "https://?evil.example",
    "https://#@evil.example",
    "https://:80/",
    "https://example.org@evil.example/",
    "https://example.org:443@evil.example/",
    "https://user:password@example.org/",
    "https://example.org\\@evil.example/",
    "https://evil.example\\.example.org/",
    "https://example.org /",
    "https://example.org\t.evil.example/",
    "https://example.org:x/",
    "https://example.org:99999/",
    "https://[::1/",
    "https://[evil]/",
    "https://example.org\uff0f@evil.example/",
    "https://evil.example%2F.example.org/",
    "https://<evil>/",
    "\ud800",
    "/\ud800/",
]


@for_each("url", REFUSED)
@for_each("name", ["get_beacon_url", "get_absolute_url"])
def test_what_is_no_path_and_no_web_address_is_not_found(name: str, url: str) -> None:
    assert is_refused(**{name: url})


def test_wrong_address_is_logged_once_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        assert is_refused(get_beacon_url="javascript:alert(4711)", get_absolute_url="/here/")
    (record,) = caplog.records
    assert "campaigns.Dead.get_beacon_url()" in record.message
    assert "'7'" in record.message
    assert "4711" not in record.message


@pytest.mark.parametrize("start", [ELSEWHERE, "/"])
def test_address_is_as_long_as_django_redirects_to(
    start: str, caplog: pytest.LogCaptureFixture
) -> None:
    longest = start.ljust(MAX_URL_LENGTH, "a")
    assert location_of(longest) == longest
    for _ in range(2):
        assert is_refused(get_absolute_url=f"{longest}a")
    (record,) = caplog.records
    assert f"get_absolute_url() returned more than {MAX_URL_LENGTH} characters" in record.message
    assert "aaa" not in record.message


def test_address_grows_as_it_is_escaped() -> None:
    assert is_refused(get_absolute_url="/" + "ü" * (MAX_URL_LENGTH // 6 + 1))


def test_redirect_is_temporary_and_never_cached() -> None:
    response = redirect(ELSEWHERE)
    assert response.status_code == 302
    assert {name: response[name] for name in NEVER_CACHED} == NEVER_CACHED


# any text at all


@given(st.text(alphabet="/\\ @:.#?%2Fae\t\n\r\0[]", max_size=12), st.sampled_from(["", "/", "//"]))
def test_path_of_any_text_never_leaves_the_site(text: str, start: str) -> None:
    try:
        location = location_of(start + text)
    except Http404:
        return
    parts = urlsplit(location)
    assert (parts.scheme, parts.netloc, location[:1]) == ("", "", "/")
    assert location[1:2] not in ("/", "\\")
    assert location.isascii()
    assert not set(location) & set("\r\n\t\0 \\")


@given(st.text(max_size=20))
def test_address_that_is_followed_by_any_text_keeps_its_host(text: str) -> None:
    try:
        location = location_of(ELSEWHERE + text)
    except Http404:
        return
    assert location.startswith(ELSEWHERE)
    assert urlsplit(location).hostname == "example.org"
