"""What strangers try: links that they have made or changed, and redirects to a host of theirs."""

from __future__ import annotations

import random
import socket
import string
import uuid
import zlib
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from django.core import signing
from django.core.signing import b64_encode
from django.http import Http404
from django.test import Client, RequestFactory

from trackable.contrib.beacons import links
from trackable.contrib.beacons.links import Link, beacon_url, sign
from trackable.contrib.beacons.models import IPEntity
from trackable.contrib.beacons.views import link, trigger
from trackable.testing import Outbox
from trackable_tests.contrib.beacons.test_views import is_never_cached
from trackable_tests.contrib.campaigns.models import Article, Campaign, ExternalLink
from trackable_tests.tables import for_each
from trackable_tests.test_servers import GUNICORN, serving

URLS = "trackable_tests.contrib.beacons.urls"

pytestmark = [pytest.mark.django_db, pytest.mark.urls(URLS)]

ALPHABET = string.printable
EVIL = "https://evil.example/"
MANY = 10_000
REPEATED = 1_000


@pytest.fixture
def signed(article: Article, campaign: Campaign) -> str:
    return beacon_url(article, source=campaign, entity=IPEntity).split("/")[2]


def refuses(texts: Iterable[str], genuine: str) -> int:
    """Return how many links were tried; each of them is not found, and asks no database."""
    request = RequestFactory().get("/b/")
    tried = {*texts} - {genuine}
    for text in tried:
        with pytest.raises(Http404):
            link(request, text)
    return len(tried)


# links that were changed


@pytest.fixture(autouse=True)
def nothing_is_recorded(request: pytest.FixtureRequest) -> Iterator[None]:
    """See that what a test tries is not recorded, unless it asks for an outbox itself."""
    if "outbox" in request.fixturenames:
        yield
        return
    outbox: Outbox = request.getfixturevalue("outbox")
    yield
    assert (outbox.records, [*outbox], outbox.filtered.total()) == ([], [], 0)


@pytest.fixture
def no_queries(django_assert_num_queries: Any, signed: str) -> Iterator[None]:
    with django_assert_num_queries(0):
        yield


@pytest.mark.usefixtures("no_queries")
def test_links_with_another_character_are_refused(signed: str) -> None:
    changed = (
        signed[:place] + character + signed[place + 1 :]
        for place in range(len(signed))
        for character in ALPHABET
    )
    assert refuses(changed, signed) >= MANY


@pytest.mark.usefixtures("no_queries")
def test_links_that_are_cut_off_are_refused(signed: str) -> None:
    starts = [signed[:length] for length in range(len(signed))]
    ends = [signed[length:] for length in range(1, len(signed) + 1)]
    without = [signed[:place] + signed[place + 1 :] for place in range(len(signed))]
    assert refuses([*starts, *ends, *without], signed) > 2 * len(signed)


@pytest.mark.usefixtures("no_queries")
def test_links_that_are_shuffled_are_refused(signed: str) -> None:
    dice = random.Random(4)
    shuffled = ("".join(dice.sample(signed, len(signed))) for _ in range(REPEATED))
    assert refuses(shuffled, signed) == REPEATED


@pytest.mark.usefixtures("no_queries")
def test_links_with_more_in_them_are_refused(signed: str) -> None:
    more = ["=", "==", "%", "%00", "\0", "\n", " ", ".", "/", "?", "#", "ü", "\ud800", "\U0001f600"]
    more += ["٣", "\u200b", "\ufeff", "A", ":", ":A", "::", signed, "'; DROP TABLE x; --", "{{7}}"]
    added = [signed[:n] + each + signed[n:] for each in more for n in range(len(signed) + 1)]
    twisted = [signed.upper(), signed.lower(), signed.swapcase(), signed[::-1], quote(signed, "")]
    assert refuses([*added, *twisted], signed) > 3000


@pytest.mark.usefixtures("no_queries")
def test_links_that_are_too_long_are_refused(signed: str) -> None:
    payload, rest = signed.split(":", 1)
    long = [filling * 10**power for filling in ("A", "=", "Aé", ":") for power in range(7)]
    assert refuses([signed + each for each in long], signed) == len(long)
    assert refuses([f"{payload}{each}:{rest}" for each in long], signed) == len(long)


def test_links_that_are_far_too_long_are_not_even_looked_at(
    signed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(links, "TimestampSigner", None)
    assert refuses([signed + "A" * 8000, "j" * 10**7, "\ud800" + signed], signed) == 3


def test_parts_of_several_links_do_not_go_together(article: Article, campaign: Campaign) -> None:
    others = [Link(("campaigns.Article", article.pk)), Link(("campaigns.Campaign", campaign.pk))]
    others += [Link(pixel=True), Link(expire_after_seconds=1), Link(ignore_errors=False)]
    parts = [sign(each).split(":") for each in others]
    mixed = {f"{a}:{b}x:{c}" for a, *_ in parts for _, b, _ in parts for *_, c in parts}
    mixed |= {f"{a[0]}:{a[1]}:{b[2]}" for a in parts for b in parts if a is not b}
    assert refuses(mixed, "") == len(mixed)


@for_each("key", ["", "secret", "django-insecure-", "only for test", "None"])
def test_links_signed_with_a_guess_are_refused(key: str) -> None:
    text = "j" + b64_encode(b'[["campaigns.ExternalLink","x"]]').decode()
    salts = [links.SALT, "", "django.core.signing", links.SALT + "signer"]
    signers = [signing.TimestampSigner(key=key or "x", salt=salt or None) for salt in salts]
    assert refuses([signer.sign(text) for signer in signers], "") == len(salts)


def test_what_would_unpack_to_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = "z" + b64_encode(zlib.compress(b"[" * 2_000_000)).decode()
    monkeypatch.setattr(zlib, "decompress", None)  # nobody calls it before the signature is known
    signer = signing.TimestampSigner(key="a guess", salt=links.SALT)
    assert refuses([signer.sign(bomb), bomb, f"{bomb}:1:A"], "") == 3


NASTY_PATHS = ["/b/", "/b//", "/b/%00/", "/b/%ED%A0%80/", "/b/%0D%0A/", "/b/a%2Fb/", "/b/../b/x/"]
NASTY_PATHS += ["/b/" + "A" * 5000 + "/", "/b/%C3%BC/", "/b/;/", "/b/a:b:c/", "/b/%25%30%30/"]


@for_each("path", NASTY_PATHS)
def test_malformed_addresses_are_not_found(client: Client, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404


def test_refused_links_are_never_cached_and_say_nothing_of_why(client: Client, signed: str) -> None:
    bodies = set()
    for text in (signed[:-1], signed + "A", "x", "jW10:1:A"):
        response = client.get(f"/b/{text}/")
        assert (response.status_code, is_never_cached(response)) == (404, True)
        bodies.add(response.content)
    assert len(bodies) == 1


# links that are used again


def test_pixels_that_are_loaded_again_and_again_are_recorded_each_time(outbox: Outbox) -> None:
    signed = sign(Link(pixel=True))
    request = RequestFactory().get("/b/")
    for _ in range(REPEATED):
        assert link(request, signed).status_code == 200
    assert len(outbox.records) == REPEATED


def test_links_that_are_followed_again_lead_to_the_same_place(
    outbox: Outbox, signed: str, article: Article
) -> None:
    request = RequestFactory().get("/b/")
    places = {link(request, signed)["Location"] for _ in range(100)}
    assert places == {article.get_absolute_url()}
    assert len(outbox.records) == 100


# redirects to another host

#: what views of others take addresses from
NAMES = ["next", "url", "redirect", "redirect_to", "redirect_uri", "return", "return_to", "to"]
NAMES += ["target", "target_id", "target_type", "target_url", "source_id", "entity_id", "dest"]
NAMES += ["goto", "continue", "u", "r", "q", "pixel", "ignore_errors", "get_absolute_url", ""]
ADDRESSES = [EVIL, "//evil.example", "/\\evil.example", "https:evil.example", "javascript:alert(1)"]
ADDRESSES += ["\r\nLocation: https://evil.example/", "%0d%0aLocation:%20https://evil.example/"]

HEADERS = ["X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server", "X-Forwarded-For"]
HEADERS += ["X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Script-Name", "Forwarded"]
HEADERS += ["X-Host", "X-HTTP-Host-Override", "X-Forwarded-Port", "X-Real-IP", "Location"]
HEADERS += ["Host", "Referer", "Origin", "Cookie", "Authorization", "X-HTTP-Method-Override"]
HEADERS += ["Content-Location", "Destination", "Base-Url", "Via", "X-Requested-With", "Accept"]


def places(client: Client, article: Article, **kwargs: Any) -> set[tuple[int, str]]:
    """Return what answers say, of the view and of a signed link."""
    addresses = [f"/{article.pk}/", beacon_url(article)]
    found: list[Any] = [client.get(address, **kwargs) for address in addresses]
    assert all(EVIL not in str(response.headers) for response in found)
    return {(response.status_code, response.headers.get("Location", "")) for response in found}


@pytest.mark.parametrize("is_local", [False, True])
def test_no_parameter_says_where_to_go(
    client: Client, outbox: Outbox, settings: Any, article: Article, is_local: bool
) -> None:
    settings.IGNORE_LOCAL_REDIRECTS = is_local
    answer = (200, "") if is_local else (302, "/articles/tides/")
    tried = [*({name: EVIL} for name in NAMES), *(dict.fromkeys(NAMES, a) for a in ADDRESSES)]
    for data in tried:
        assert places(client, article, data=data) == {answer}


@for_each("value", ["evil.example", EVIL, "/evil.example", "a\tb"])
def test_no_header_says_where_to_go(
    client: Client, outbox: Outbox, signed: str, article: Article, value: str
) -> None:
    for header in HEADERS:
        request = RequestFactory().get("/b/", headers={header: value})
        assert link(request, signed)["Location"] == "/articles/tides/", header
    others = dict.fromkeys(HEADERS, value)
    del others["Host"]
    assert places(client, article, headers=others) == {(302, "/articles/tides/")}
    found = places(client, article, headers={"Host": value})
    assert found in ({(302, "/articles/tides/")}, {(400, "")})  # by Django: it is no host


def test_nothing_else_of_a_request_says_where_to_go(
    client: Client, outbox: Outbox, article: Article
) -> None:
    surroundings = ["SERVER_NAME", "SERVER_PORT", "SCRIPT_NAME", "PATH_TRANSLATED", "REMOTE_HOST"]
    for name in [*surroundings, "REQUEST_URI", "RAW_URI", "wsgi.url_scheme"]:
        assert places(client, article, **{name: "80"}) == {(302, "/articles/tides/")}


@for_each("is_local", [False, True])
@for_each("url", ["//evil.example/", "/\\evil.example/", "/%2F/evil.example/", "/%5Cevil.example/"])
def test_target_that_looks_like_a_host_stays_here(
    client: Client, outbox: Outbox, settings: Any, url: str, is_local: bool
) -> None:
    settings.IGNORE_LOCAL_REDIRECTS = is_local
    target = ExternalLink.objects.create(url=url)
    location = client.get(f"/links/{target.pk}/")["Location"]
    assert location.startswith(("/%2F", "/%5C"))


def test_ids_lead_to_nothing_but_their_objects(outbox: Outbox) -> None:
    keys = [uuid.uuid4() for _ in range(50)]
    request = RequestFactory().get("/")
    ExternalLink.objects.bulk_create(ExternalLink(pk=k, url=f"https://{k}.example/") for k in keys)
    for key in keys:
        assert trigger(request, ExternalLink, str(key))["Location"] == f"https://{key}.example/"
        for text in (EVIL, f"{key}/{EVIL}", f"{key}@evil.example", f"{key}\r\nLocation: {EVIL}"):
            with pytest.raises(Http404):
                trigger(request, ExternalLink, text)


# a real server


def lines_to(port: int, *lines: str) -> tuple[int, list[str]]:
    """Send a request as it stands, and return the answer's status and its headers."""
    request = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head = answer.decode("latin-1").partition("\r\n\r\n")[0].split("\r\n")
    return int(head[0].split()[1]), head[1:]


def locations(headers: list[str]) -> list[str]:
    return [line[10:] for line in headers if line.lower().startswith("location: ")]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_real_server_redirects_nowhere_else(child_environment: Any, article: Article) -> None:
    application = "django.core.wsgi:get_wsgi_application()"
    environment = child_environment(ROOT_URLCONF=URLS)
    path, host = beacon_url(article), "Host: example.com"
    with serving([*GUNICORN, application], environment) as (port, _):
        for line in (
            f"GET {path} HTTP/1.1",
            f"GET {EVIL}..{path} HTTP/1.1",
            f"GET /{path} HTTP/1.1",
        ):
            status, headers = lines_to(port, line, host)
            assert locations(headers) in ([], ["/articles/tides/"]), line
            assert status in (302, 404), line
        for extra in ("Host: evil.example", f"X-Forwarded-Host: {EVIL}", f"X-Original-URL: {EVIL}"):
            assert redirected(port, f"GET {path}?next={EVIL} HTTP/1.1", host, extra)
        for target in (
            f"{EVIL[:-1]}{path}",
            f"{path}%0d%0aLocation:%20{EVIL}",
            f"//evil.example{path}",
        ):
            _, headers = lines_to(port, f"GET {target} HTTP/1.1", host)
            assert not any("evil" in place for place in locations(headers)), target
        assert lines_to(port, f"GET {path[:-2]}/ HTTP/1.1", host)[0] == 404
        assert lines_to(port, f"GET {path} HTTP/1.1", "Host: a\r\n b")[0] in (302, 400)


def redirected(port: int, *lines: str) -> bool:
    status, headers = lines_to(port, *lines)
    # A server may refuse a request with two hosts.
    return status == 400 or (status, locations(headers)) == (302, ["/articles/tides/"])
