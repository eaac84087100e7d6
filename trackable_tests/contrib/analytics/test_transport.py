"""The transport: what was never sent is told from what was not answered, and secrets stay in."""

from __future__ import annotations

import logging
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest
from urllib3.connection import HTTPConnection

from trackable.contrib.analytics.sending import transport
from trackable.contrib.analytics.sending.attempts import Attempt
from trackable.contrib.analytics.services.base import Request, Response
from trackable_tests.contrib.analytics.collector import Collector, refusing_port

SECRET = "hush-hush"


def ask(url: str, *, method: str = "POST", body: bytes = b"{}", seconds: float = 5.0) -> Response:
    request = Request(method, f"{url}/x?api_secret={SECRET}", [], body, {"X-Own": "1"})
    return transport.exchange(request, timeouts_seconds=(seconds, seconds))


def test_request_arrives_as_it_is_and_so_does_the_answer(collector: Collector) -> None:
    collector.answer_with(202, {"a": 1}, X_Plausible_Dropped="1")
    answer = ask(collector.url)
    (received,) = collector.received
    assert (received.method, received.query, received.body) == (
        "POST",
        {"api_secret": SECRET},
        b"{}",
    )
    assert {"x-own": "1", "user-agent": "trackable"}.items() <= received.headers.items()
    assert (answer.status, answer.json(), answer.headers["x-plausible-dropped"]) == (
        202,
        {"a": 1},
        "1",
    )


def test_get_has_no_body(collector: Collector) -> None:
    ask(collector.url, method="GET", body=b"")
    assert (collector.received[0].method, collector.received[0].body) == ("GET", b"")


def test_port_that_refuses_is_not_reached() -> None:
    with pytest.raises(transport.UnreachableError, match=r"^NewConnectionError$"):
        ask(f"http://127.0.0.1:{refusing_port()}")


def test_host_that_has_no_address_is_not_reached() -> None:
    with pytest.raises(transport.UnreachableError, match=r"^NameResolutionError$"):
        ask("http://no-such-host.invalid")


def test_server_without_tls_is_not_reached(collector: Collector) -> None:
    with pytest.raises(transport.UnreachableError, match=r"^SSLError$"):
        ask(collector.url.replace("http:", "https:"))


def test_silent_port_does_not_answer(silent_port: int) -> None:
    with pytest.raises(transport.UnansweredError):
        ask(f"http://127.0.0.1:{silent_port}", seconds=0.05)


def test_server_that_hangs_up_does_not_answer(collector: Collector) -> None:
    collector.hangs_up = True
    with pytest.raises(transport.UnansweredError, match=r"^ProtocolError$"):
        ask(collector.url)


def test_errors_have_no_url_in_them(collector: Collector) -> None:
    collector.hangs_up = True
    for url in (collector.url, f"http://127.0.0.1:{refusing_port()}"):
        with pytest.raises((transport.UnansweredError, transport.UnreachableError)) as caught:
            ask(url)
        error: BaseException = caught.value
        assert SECRET not in repr(error) + str(error.__cause__)
        assert error.__suppress_context__


def test_library_logs_no_secrets_of_ours(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ask(collector.url)
    assert "/x HTTP/1.1" in caplog.text
    assert SECRET not in caplog.text


def test_library_logs_others_requests_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug("%s", "/y?a=1")
    assert "/y?a=1" in caplog.text


def test_connection_is_kept(collector: Collector, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "urllib3")
    for _ in range(3):
        ask(collector.url)
    assert caplog.text.count("Starting new HTTP connection") == 1


def test_connection_notices_a_peer_that_is_gone(collector: Collector) -> None:
    options = transport._manager(None).connection_pool_kw["socket_options"]
    with socket.socket() as made:
        for option in options:
            made.setsockopt(*option)
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_redirections_are_not_followed(collector: Collector) -> None:
    collector.answer_with(302, Location=f"{collector.url}/elsewhere")
    assert (ask(collector.url).status, len(collector.received)) == (302, 1)


def test_long_answer_is_read_in_part(collector: Collector) -> None:
    collector.answer_with(200, b"a" * 1_000_000)
    assert len(ask(collector.url).body) == transport.MAX_ANSWER_BYTES
    assert ask(collector.url).is_ok


def test_answer_that_drips_is_given_up(collector: Collector) -> None:
    collector.answer_with(200)
    collector.drips_seconds = 0.01
    started = time.monotonic()
    answer = ask(collector.url, seconds=0.1)
    collector.drips_seconds = 0.0
    assert (answer.status, 0 < len(answer.body) < 1000) == (200, True)
    assert time.monotonic() - started < 5


def test_headers_that_drip_are_given_up_at_the_deadline(collector: Collector) -> None:
    collector.answer_with(200)
    collector.drips_seconds, collector.drips_in_headers = 0.01, True
    started = time.monotonic()
    with pytest.raises(transport.UnansweredError):
        ask(collector.url, seconds=0.1)
    collector.drips_seconds = 0.0
    assert time.monotonic() - started < 5


def test_handshake_that_drips_is_given_up_and_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor() as pool:
        pool.submit(drip_handshake, server)
        started = time.monotonic()
        with pytest.raises(transport.UnreachableError):
            ask(f"https://127.0.0.1:{server.getsockname()[1]}", seconds=0.1)
        assert time.monotonic() - started < 5


def drip_handshake(server: socket.socket) -> None:
    """Say that a long record of TLS comes, and send it byte by byte until nobody listens."""
    made, _ = server.accept()
    with made, suppress(OSError):
        made.sendall(b"\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb")
        while True:
            made.sendall(b"\x03")
            time.sleep(0.01)


def test_connection_that_is_given_back_is_not_shut_later(collector: Collector) -> None:
    collector.answer_with(200, b"a")
    assert ask(collector.url).is_ok
    attempt = Attempt(60.0)
    with attempt, socket.socket() as found:
        attempt.watch(found)
        attempt.end()
        attempt._cut_off()
        assert not attempt.is_cut_off
        assert attempt._sockets == []


def test_fault_of_tls_after_sending_is_no_answer(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ssl.SSLError("bad record")

    monkeypatch.setattr(HTTPConnection, "getresponse", fail)
    with pytest.raises(transport.UnansweredError, match=r"^SSLError$"):
        ask(collector.url)


@pytest.mark.parametrize("where", ["settings", "environment"])
def test_proxy_is_asked(
    collector: Collector, settings: Any, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "settings":
        settings.SERVER_SIDE_TRACKING = {"proxy": collector.url}
    else:
        monkeypatch.setenv("http_proxy", collector.url)
    ask("http://service.example")
    assert collector.received[0].target == f"http://service.example/x?api_secret={SECRET}"


def test_proxy_of_the_environment_is_passed_by_where_it_says_so(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{refusing_port()}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert ask(collector.url).is_ok


def test_proxy_that_is_away_is_not_reached(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"proxy": f"http://127.0.0.1:{refusing_port()}"}
    with pytest.raises(transport.UnreachableError, match=r"^ProxyError$"):
        ask("http://service.example")


def test_proxy_of_an_unknown_kind_is_not_reached(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"proxy": "socks7://127.0.0.1:1"}
    with pytest.raises(transport.UnreachableError, match=r"^ProxySchemeUnknown$"):
        ask("http://service.example")


def test_connections_are_not_shared_with_a_parent_process(collector: Collector) -> None:
    ask(collector.url)
    before = transport._manager(None)
    transport.forget()
    assert transport._manager(None) is not before
    assert ask(collector.url).is_ok
