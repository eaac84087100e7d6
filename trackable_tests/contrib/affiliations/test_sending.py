"""Calls of a real server on loopback that is well, slow, failing, hanging or redirecting."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import trackable
from trackable.contrib.affiliations import sending
from trackable.contrib.affiliations.explaining import LATE, MAX_LENGTH
from trackable.contrib.affiliations.sending import Answer
from trackable_tests.contrib.affiliations.conftest import Names
from trackable_tests.contrib.affiliations.partner_site import (
    PartnerSite,
    answer,
    drip,
    flood,
    hang,
    send,
)
from trackable_tests.tables import for_each

KEY = "6f1c2a3e-0000-4000-8000-000000000000"
#: More than any of these takes, if what bounds it works.
PATIENCE_SECONDS = 10
HASTE_SECONDS = 0.3


def call(url: str) -> Answer:
    return sending.call(url, key=KEY, secret="s")


@pytest.fixture
def haste(settings: Any) -> None:
    settings.AFFILIATE_CALLBACK_TIMEOUT = HASTE_SECONDS


# what is sent


def test_url_is_called_with_its_key_and_a_signature(partner_site: PartnerSite) -> None:
    before = int(time.time())
    assert call(partner_site.url("/done?v=7&x=%20")).is_success
    (request,) = partner_site.requests
    assert (request.method, request.target) == ("GET", "/done?v=7&x=%20")
    assert request.headers["Host"] == f"127.0.0.1:{partner_site.port}"
    assert request.headers["Idempotency-Key"] == KEY
    assert request.headers["User-Agent"] == f"trackable/{trackable.__version__}"
    moment = int(request.headers["Trackable-Signature"].removeprefix("t=").partition(",")[0])
    assert before <= moment <= time.time()


def test_no_header_is_sent_twice_and_none_is_unexpected(partner_site: PartnerSite) -> None:
    call(partner_site.url())
    assert sorted(partner_site.requests[0].headers) == [
        "Accept",
        "Accept-Encoding",
        "Connection",
        "Host",
        "Idempotency-Key",
        "Trackable-Signature",
        "User-Agent",
    ]


# what is answered


@for_each("status", [200, 201, 202, 204, 299])
def test_success_is_a_success(partner_site: PartnerSite, status: int) -> None:
    partner_site.will(answer(status))
    found = call(partner_site.url())
    assert (found.status, found.is_success, found.error) == (status, True, "")


@for_each("status", [400, 404, 410, 429, 500, 503, 999])
def test_failure_is_a_failure(partner_site: PartnerSite, status: int) -> None:
    partner_site.will(answer(status))
    found = call(partner_site.url())
    assert (found.status, found.is_success) == (status, False)
    assert found.error == f"it answered {status}"


@for_each("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(partner_site: PartnerSite, status: int) -> None:
    partner_site.requests.clear()
    partner_site.will(answer(status, f"Location: {partner_site.url('/inside')}"))
    found = call(partner_site.url("/"))
    assert "a redirect, which is not followed" in found.error
    assert [each.target for each in partner_site.requests] == ["/"]


@for_each(
    "header, seconds",
    {
        "Retry-After: 120": 120,
        "Retry-After:  7 ": 7,
        "Retry-After: -1": 0,
        "Retry-After: soon": 0,
        "Retry-After: 1e9": 0,
        "Retry-After: \u0661": 0,
        f"Retry-After: {'9' * 400}": 999_999_999,
        "Retry-After: Wed, 21 Oct 2015 07:28:00 GMT": 0,
        "X: y": 0,
    }.items(),
)
def test_time_to_wait_is_heard(partner_site: PartnerSite, header: str, seconds: float) -> None:
    partner_site.will(answer(503, header))
    assert call(partner_site.url()).retry_after_seconds == seconds


def test_time_to_wait_may_be_a_date(partner_site: PartnerSite) -> None:
    partner_site.will(answer(503, "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT"))
    assert call(partner_site.url()).retry_after_seconds > 3600


@for_each("raw", [b"", b"HTTP/1.1", b"SSH-2.0-OpenSSH_9.6\r\n"])
def test_server_that_closes_early_has_not_taken_it(partner_site: PartnerSite, raw: bytes) -> None:
    partner_site.will(send(raw))
    found = call(partner_site.url())
    assert (found.status, found.is_success) == (None, False)
    assert found.error in ("it closed the connection without an answer", "its answer is not HTTP")


@for_each(
    "raw",
    [
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 -200 OK\r\n\r\n",
        b"<html>\x1b[2J</html>\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
    ],
)
def test_what_is_not_http_is_told_in_words_of_our_own(
    partner_site: PartnerSite, raw: bytes
) -> None:
    partner_site.will(send(raw))
    assert call(partner_site.url()).error == "its answer is not HTTP"


def test_odd_header_reaches_no_log_as_it_is(
    partner_site: PartnerSite, caplog: pytest.LogCaptureFixture
) -> None:
    partner_site.will(send(b"HTTP/1.1 200 OK\r\nodd \x1b[2J header\r\n\x00\xff: y\r\n\r\n"))
    assert call(partner_site.url()).is_success
    assert "\x1b" not in caplog.text


def test_answer_counts_though_its_body_is_cut_short(partner_site: PartnerSite) -> None:
    partner_site.will(send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf"))
    assert call(partner_site.url()).is_success


def test_huge_body_is_not_read_to_its_end(partner_site: PartnerSite) -> None:
    partner_site.will(flood)
    assert call(partner_site.url()).is_success
    assert partner_site.cut_off.wait(PATIENCE_SECONDS)


def test_packed_body_is_not_unpacked(partner_site: PartnerSite) -> None:
    partner_site.will(answer(200, "Content-Encoding: gzip", body=b"no gzip"))
    assert call(partner_site.url()).is_success


# who does not answer


def test_nobody_there_is_an_error(partner_site: PartnerSite) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        found = call(f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert (found.status, found.error) == (None, "no connection: Connection refused")


@pytest.mark.usefixtures("haste")
@pytest.mark.parametrize(
    "behaviour",
    [
        hang,
        drip(b"", b"H"),
        drip(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\n", b""),
    ],
)
def test_time_is_bounded_as_a_whole(partner_site: PartnerSite, behaviour: Any) -> None:
    partner_site.will(behaviour)
    found = call(partner_site.url())
    assert (found.status, found.error) == (None, LATE)
    assert HASTE_SECONDS * 900 <= found.duration_ms < PATIENCE_SECONDS * 1000


@pytest.mark.usefixtures("haste")
def test_body_that_drips_is_left_and_the_answer_counts(partner_site: PartnerSite) -> None:
    partner_site.will(drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b"x"))
    found = call(partner_site.url())
    assert (found.is_success, found.duration_ms < PATIENCE_SECONDS * 1000) == (True, True)
    assert partner_site.cut_off.wait(PATIENCE_SECONDS)


@pytest.mark.usefixtures("haste", "partner_site")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_machine_that_takes_connections_and_is_silent_is_left(
    silent_port: int, scheme: str
) -> None:
    found = call(f"{scheme}://127.0.0.1:{silent_port}/")
    assert (found.error, found.duration_ms < PATIENCE_SECONDS * 1000) == (LATE, True)


@pytest.mark.usefixtures("haste", "partner_site")
def test_resolver_that_hangs_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **options: ended.wait(60) and [])
    found = call("http://partner.example/")
    ended.set()
    assert (found.error, found.duration_ms < PATIENCE_SECONDS * 1000) == (LATE, True)


def test_no_thread_and_no_socket_is_left_behind(partner_site: PartnerSite) -> None:
    before = threading.active_count()
    for behaviour in (answer(200), send(b""), send(b"HTTP/1.1 x\r\n\r\n")):
        partner_site.will(behaviour)
        call(partner_site.url())
    names = [thread.name for thread in threading.enumerate()]
    assert [name for name in names if name.startswith("trackable")] == []
    assert threading.active_count() <= before + 3  # the site's own may still be ending


def test_what_python_raises_is_no_error_of_the_worker(
    partner_site: PartnerSite, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise LookupError("\x1b[2J of the partner's")

    monkeypatch.setattr(sending, "_exchange", fail)
    assert call(partner_site.url()).error == "an unforeseen LookupError"
    assert "LookupError" in caplog.text
    assert "\x1b" not in caplog.text


# where it is sent


@for_each("host", ["169.254.169.254", "[::1]:8000", "localhost:8000", "10.0.0.1"])
def test_private_address_is_refused(host: str) -> None:
    found = call(f"http://{host}/latest/meta-data/?v=7")
    assert (found.is_refused, found.is_success, found.status) == (True, False, None)
    assert "not public" in found.error


def test_server_on_loopback_is_not_asked_where_that_is_not_allowed(
    partner_site: PartnerSite, settings: Any, names: Names
) -> None:
    settings.AFFILIATE_CALLBACK_ALLOW_PRIVATE = False
    names["partner.example"] = [["127.0.0.1"]]
    assert call(partner_site.url(host="partner.example")).is_refused
    assert partner_site.requests == []


def test_odd_url_is_refused_in_a_text_that_can_be_shown(partner_site: PartnerSite) -> None:
    found = call("http://user@partner.example/")
    assert (found.is_refused, found.error) == (True, "the URL has a user name in it")


def test_name_is_resolved_once_and_that_address_is_called(
    partner_site: PartnerSite, names: Names, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """The name is public when it is asked for first, and leads inside from then on."""
    settings.AFFILIATE_CALLBACK_ALLOW_PRIVATE = False
    names["rebinding.example"] = [["192.0.2.7"], ["127.0.0.1"]]
    monkeypatch.setattr(sending.guard, "is_public", lambda address: not address.is_loopback)
    connected: list[Any] = []

    def connect(self: socket.socket, address: Any) -> None:
        connected.append(address[:2])
        raise TimeoutError

    monkeypatch.setattr(socket.socket, "connect", connect)
    assert not call(partner_site.url(host="rebinding.example")).is_success
    assert connected == [("192.0.2.7", partner_site.port)]
    assert names["rebinding.example"] == [["127.0.0.1"]]


def test_next_address_is_tried_if_one_takes_no_connection(
    partner_site: PartnerSite, names: Names
) -> None:
    names["partner.example"] = [["127.0.0.2", "127.0.0.1"]]
    assert call(partner_site.url(host="partner.example")).is_success
    assert partner_site.requests[0].headers["Host"] == f"partner.example:{partner_site.port}"


def test_address_that_answers_badly_is_not_followed_by_the_next(
    partner_site: PartnerSite, names: Names
) -> None:
    """The first may have taken it."""
    names["partner.example"] = [["127.0.0.1", "127.0.0.2"]]
    partner_site.will(send(b""))
    found = call(partner_site.url(host="partner.example"))
    assert found.error == "it closed the connection without an answer"
    assert len(partner_site.requests) == 1


def test_proxies_of_the_environment_are_ignored(
    partner_site: PartnerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
        monkeypatch.setenv(name.upper(), "http://127.0.0.1:9")
    assert call(partner_site.url()).is_success


def test_ipv6_is_spoken(settings: Any) -> None:
    settings.AFFILIATE_CALLBACK_ALLOW_PRIVATE = True
    try:
        site = PartnerSite(family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert call(site.url(host="[::1]")).is_success
    assert site.requests[0].headers["Host"] == f"[::1]:{site.port}"
    site.close()


# TLS

Make = Callable[[str], Path]


@pytest.fixture
def tls_site(partner_site: PartnerSite, certificate_for: Make, monkeypatch: Any) -> Any:
    """A partner's server whose certificate, for partner.example, is trusted."""
    certificate = certificate_for("partner.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sending._tls_context.cache_clear()
    site = PartnerSite(certificate=certificate)
    yield site
    site.close()
    sending._tls_context.cache_clear()


def test_certificate_is_verified_against_the_name(tls_site: PartnerSite, names: Names) -> None:
    names["partner.example"] = names["other.example"] = [["127.0.0.1"]]
    assert call(tls_site.url(host="partner.example")).is_success
    found = call(tls_site.url(host="other.example"))
    assert found.error.startswith("its certificate is not accepted: Hostname mismatch")
    assert len(tls_site.requests) == 1


def test_certificate_of_a_name_is_none_of_its_address(tls_site: PartnerSite) -> None:
    assert "its certificate is not accepted: IP address mismatch" in call(tls_site.url()).error


def test_certificate_that_nobody_vouches_for_is_not_accepted(
    tls_site: PartnerSite, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    sending._tls_context.cache_clear()
    names["partner.example"] = [["127.0.0.1"]]
    found = call(tls_site.url(host="partner.example"))
    assert (found.is_refused, tls_site.requests) == (False, [])
    assert "its certificate is not accepted" in found.error
    assert len(found.error) <= MAX_LENGTH


@pytest.mark.usefixtures("haste")
def test_tls_that_drips_is_cut_off_too(tls_site: PartnerSite, names: Names) -> None:
    names["partner.example"] = [["127.0.0.1"]]
    tls_site.will(drip(b"HTTP/1.1 200 OK\r\nX: ", b"y"))
    assert call(tls_site.url(host="partner.example")).error == LATE
    assert tls_site.cut_off.wait(PATIENCE_SECONDS)


@pytest.mark.usefixtures("haste")
def test_handshake_that_drips_is_cut_off_too(partner_site: PartnerSite) -> None:
    partner_site.listens = False
    partner_site.will(drip(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x00"))  # half a ServerHello
    found = call(f"https://127.0.0.1:{partner_site.port}/")
    assert (found.error, found.duration_ms < PATIENCE_SECONDS * 1000) == (LATE, True)


def test_server_without_tls_is_an_error(partner_site: PartnerSite) -> None:
    partner_site.will(send(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    found = call(f"https://127.0.0.1:{partner_site.port}/")
    assert found.error.startswith(("TLS failed", "it closed the connection"))
