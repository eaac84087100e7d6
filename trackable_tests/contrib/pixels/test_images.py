"""Images: the address that carries arguments, under a host that a mail's reader finds."""

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.test import RequestFactory
from django.utils.safestring import SafeString, mark_safe

from trackable.contrib import pixels
from trackable.contrib.pixels import PtrackArgumentError, PtrackLengthError
from trackable.contrib.pixels.images import image_of, url_of
from trackable.contrib.pixels.views import read
from trackable_tests.contrib.pixels import sites
from trackable_tests.tables import for_each

pytestmark = pytest.mark.urls("trackable_tests.contrib.pixels.urls")

#: of a site whose maker has forgotten the URLs of pixels
urlpatterns: list[Any] = []
REQUEST = RequestFactory().get("/page/", headers={"host": "shop.example"}, secure=True)


class Opens(pixels.TrackingPixel):
    """A pixel that is registered nowhere."""

    def record(self, request: Any, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError


def content_of(url: str) -> Any:
    return read(urlsplit(url).path.removeprefix("/ptrack/").removesuffix("/"))


# what it carries


def test_address_carries_the_arguments() -> None:
    payload = content_of(url_of(["a", 1], {"key": ["b"]}))
    assert (payload.args, payload.kwargs) == (["a", 1], {"key": ["b"]})
    assert (payload.expires_at_seconds, payload.to) == (None, None)


def test_address_is_the_same_length_for_equal_arguments_and_never_the_same() -> None:
    urls = {url_of(["reader"], {}) for _ in range(20)}
    assert len(urls) == 20
    assert len({len(url) for url in urls}) == 1


def test_address_may_name_the_pixel_that_it_is_for() -> None:
    assert content_of(url_of([1], {}, to="Opens")).to == "Opens"


def test_address_may_name_it_by_the_class() -> None:
    assert content_of(url_of([1], {}, to=Opens)).to == "Opens"
    assert content_of(url_of([1], {}, to=mark_safe("Opens"))).to == "Opens"


@for_each("to", ["", 5, ["Opens"], b"Opens", object, "\ud800", False])
def test_what_names_no_pixel_is_refused(to: Any) -> None:
    with pytest.raises(PtrackArgumentError, match="pass a class of pixels, or the name of one"):
        url_of([1], {}, to=to)


def test_arguments_that_cannot_travel_are_refused() -> None:
    with pytest.raises(PtrackArgumentError, match="argument 'when'"):
        url_of([], {"when": 1.5})


def test_without_options_nothing_but_the_arguments_is_encrypted() -> None:
    (data,) = (urlsplit(url_of(["a"], {"k": 1})).path.split("/")[2],)
    assert pixels.PtrackEncoder.decrypt(data) == [["a"], {"k": 1}]


# when it expires


def test_address_expires_after_its_seconds() -> None:
    before = time.time()
    expires_at = content_of(url_of([1], {}, expire_after_seconds=60)).expires_at_seconds
    assert before + 60 <= expires_at <= time.time() + 61


def test_setting_says_when_addresses_expire(settings: Any) -> None:
    settings.PTRACK_EXPIRE_AFTER = 3600
    expires_at = content_of(url_of([1], {})).expires_at_seconds
    assert 3590 < expires_at - time.time() <= 3601
    assert content_of(url_of([1], {}, expire_after_seconds=None)).expires_at_seconds is None
    assert content_of(url_of([1], {}, expire_after_seconds=9)).expires_at_seconds < expires_at


@for_each("seconds", [0, -1, True, "60", float("nan"), float("inf"), [60], 10**11 + 1, 10**400])
def test_time_that_is_none_is_refused(seconds: Any) -> None:
    with pytest.raises(ValueError, match=r"pass a positive number, of 100000000000 at most, or "):
        url_of([1], {}, expire_after_seconds=seconds)


# where it is


def origin_of(url: str) -> str:
    return url[: url.index("/ptrack/")]


@for_each("base", ["https://px.example", "https://px.example/", "localhost"])
def test_setting_says_where_it_is(settings: Any, base: str) -> None:
    settings.PTRACK_APP_URL = base
    for request in (None, REQUEST):
        assert origin_of(url_of([1], {}, request=request)) == base.rstrip("/")


def test_path_of_the_setting_is_kept(settings: Any) -> None:
    settings.PTRACK_APP_URL = "https://px.example/mirror//"
    assert url_of([1], {}).startswith("https://px.example/mirror/ptrack/")


@pytest.mark.parametrize("empty", ["", None])
def test_host_of_the_request_is_used_if_nothing_is_set(settings: Any, empty: Any) -> None:
    settings.PTRACK_APP_URL = empty
    assert origin_of(url_of([1], {}, request=REQUEST)) == "https://shop.example"


def test_host_that_is_not_allowed_is_not_used(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["other.example"]
    assert url_of([1], {}, request=REQUEST).startswith("/ptrack/")


def test_request_made_by_hand_has_no_host() -> None:
    assert url_of([1], {}, request=HttpRequest()).startswith("/ptrack/")


def test_without_a_request_there_is_a_path() -> None:
    assert url_of([1], {}).startswith("/ptrack/")


@pytest.fixture(name="sites")
def cache_of_sites() -> Iterator[dict[int, Any]]:
    """The cache of an app that is installed for this test, by the ids of sites."""
    with sites.installed():
        from django.contrib.sites.models import SITE_CACHE, Site

        SITE_CACHE[1] = Site(id=1, domain="site.example")
        yield SITE_CACHE
        SITE_CACHE.clear()


def test_without_a_request_it_is_on_the_current_site(settings: Any, sites: Any) -> None:
    settings.SITE_ID = 1
    for request in (None, HttpRequest()):
        assert origin_of(url_of([1], {}, request=request)) == "https://site.example"
    assert origin_of(url_of([1], {}, request=REQUEST)) == "https://shop.example"


def test_without_a_current_site_there_is_a_path(settings: Any, sites: Any) -> None:
    assert url_of([1], {}).startswith("/ptrack/")


def test_with_a_site_that_has_no_row_there_is_a_path(
    settings: Any, sites: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.contrib.sites.models import Site, SiteManager

    def get(*args: Any, **kwargs: Any) -> Any:
        raise Site.DoesNotExist

    settings.SITE_ID = 2
    monkeypatch.setattr(SiteManager, "get", get, raising=False)
    assert url_of([1], {}).startswith("/ptrack/")


# how long it may be


def test_address_that_is_too_long_is_refused_with_both_lengths(settings: Any) -> None:
    settings.PTRACK_APP_URL = "https://px.example"
    length, more = len(url_of(["x" * 60], {})), len(url_of(["x" * 70], {}))
    settings.PTRACK_MAX_URL_LENGTH = length
    assert len(url_of(["y" * 60], {})) == length
    with pytest.raises(PtrackLengthError, match=rf"has {more} characters, .* is {length}:"):
        url_of(["x" * 70], {})


def test_address_has_2000_characters_at_most_if_nothing_is_set() -> None:
    assert len(url_of(["x" * 1400], {})) < 2000
    with pytest.raises(PtrackLengthError, match="PTRACK_MAX_URL_LENGTH is 2000"):
        url_of(["x" * 1500], {})


@for_each("limit", ["2000", None, 2000.0, True, 0, 16_385])
def test_limit_that_is_none_is_told(settings: Any, limit: Any) -> None:
    settings.PTRACK_MAX_URL_LENGTH = limit
    told = "PTRACK_MAX_URL_LENGTH must be a whole number from 1 to 16384"
    with pytest.raises(ImproperlyConfigured, match=told):
        url_of([1], {})


# the markup


def test_image_is_one_pixel_without_a_text() -> None:
    image = image_of([1], {}, request=REQUEST, to="Opens", expire_after_seconds=5)
    head, url, tail = image.split('"', 2)
    assert isinstance(image, SafeString)
    assert (head, tail) == ("<img src=", ' width="1" height="1" alt="">')
    assert url.startswith("https://shop.example/ptrack/")
    assert content_of(url).to == "Opens"
    assert content_of(url).expires_at_seconds > time.time()


def test_address_is_escaped(settings: Any) -> None:
    settings.PTRACK_APP_URL = '"><script>'
    assert image_of([1], {}).startswith('<img src="&quot;&gt;&lt;script&gt;/ptrack/')


# what is wrong with the site


@pytest.mark.urls(__name__)
def test_urls_that_are_not_included_are_named() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"include\('trackable.contrib.pixels.urls'\)"):
        url_of([1], {})


def test_without_a_secret_the_cure_is_named(settings: Any) -> None:
    del settings.PTRACK_SECRET
    with pytest.raises(ImproperlyConfigured, match="PTRACK_SECRET is not set"):
        url_of([1], {})


class Fixed:
    """An encoder that makes the same of everything, and keeps what it is asked to decrypt."""

    def __init__(self, made: Any) -> None:
        self.made = made
        self.asked: list[str] = []

    def encrypt(self, *args: Any, **kwargs: Any) -> Any:
        return self.made

    def decrypt(self, data: str) -> Any:
        self.asked.append(data)
        return [[], {}]


@for_each("text", ["a b", "/a//b/", "?a=1&b#c", "%41%", "<é>", "a\nb\n", '["x"]'])
def test_text_of_another_encoder_comes_back(
    monkeypatch: pytest.MonkeyPatch, client: Any, text: str
) -> None:
    monkeypatch.setattr(pixels, "ptrack_encoder", encoder := Fixed(text))
    assert client.get(url_of(["x"], {})).status_code == 200
    assert encoder.asked == [text]


@for_each("made", [b"bytes", None, 7])
def test_encoder_that_makes_no_text_is_named(monkeypatch: pytest.MonkeyPatch, made: Any) -> None:
    monkeypatch.setattr(pixels, "ptrack_encoder", Fixed(made))
    with pytest.raises(ImproperlyConfigured, match=r"encrypt\(\) must return str"):
        url_of([1], {})
