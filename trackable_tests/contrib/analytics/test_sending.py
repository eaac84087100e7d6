"""Sending: never raises, never waits for a service, and holds no more than the settings say."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trackable.contrib.analytics import sending, services
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.sending import deferring, drops
from trackable.contrib.analytics.testing import capture
from trackable_tests.contrib.analytics.collector import Answer, Collector, refusing_port
from trackable_tests.tables import for_each

Use = Callable[..., None]
MakeHit = Callable[..., Hit]


# in a thread


def test_hit_is_sent_by_a_thread(collector: Collector, use: Use, a_hit: MakeHit) -> None:
    use("universal", defer="threaded")
    sending.send(a_hit(title="Home"))
    (received,) = collector.wait_for(1)
    assert (received.path, received.form["dt"]) == ("/collect", "Home")
    assert sending.flush()


def test_thread_is_the_default(collector: Collector, use: Use, a_hit: MakeHit) -> None:
    use("universal")
    collector.hang()
    sending.send(a_hit())
    assert collector.hangs


def test_every_service_gets_every_hit(collector: Collector, use: Use, a_hit: MakeHit) -> None:
    use("ga4", "matomo", "plausible", "universal")
    sending.send(a_hit())
    paths = {received.path for received in collector.wait_for(4)}
    assert paths == {"/mp/collect", "/matomo.php", "/api/event", "/collect"}


def test_hits_that_wait_go_in_bulk(collector: Collector, use: Use, a_hit: MakeHit) -> None:
    use("matomo", threads=1)
    collector.hang()
    sending.send(a_hit())
    collector.wait_for(1)
    for _ in range(30):
        sending.send(a_hit())
    collector.release()
    assert sending.flush()
    assert [len(received.json["requests"]) for received in collector.received] == [1, 30]


def test_hanging_service_keeps_no_request_waiting(
    collector: Collector, use: Use, a_hit: MakeHit
) -> None:
    """A service hangs, and threads of a site under load send on: all of them get through."""
    use("plausible", timeout=60, threads=2, queue_max_hits=100)
    collector.hang()

    def visit() -> None:
        for _ in range(100):
            sending.send(a_hit())

    visitors = [threading.Thread(target=visit) for _ in range(8)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    collector.wait_for(2)
    assert (collector.hangs, collector.in_hand, len(collector.received)) == (True, 2, 2)
    (line,) = deferring._lines.values()
    assert len(line.queue) == 100
    assert len(line._threads) == 2


def test_what_waited_is_sent_when_the_service_is_back(
    collector: Collector, use: Use, a_hit: MakeHit
) -> None:
    use("universal", threads=1, queue_max_hits=50)
    collector.hang()
    sending.send(a_hit(title="00"))
    collector.wait_for(1)
    for n in range(1, 61):
        sending.send(a_hit(title=f"{n:02}"))
    collector.release()
    assert sending.flush()
    assert sum(received.body.count(b"v=1") for received in collector.received) == 51


def test_hanging_service_keeps_no_other_service_waiting(
    collector: Collector, settings: Any, silent_port: int, a_hit: MakeHit
) -> None:
    settings.SERVER_SIDE_TRACKING_SERVICES = {
        "silent": {
            "service": "universal",
            "url": f"http://127.0.0.1:{silent_port}",
            "property": "UA-1",
        },
        "fine": {"service": "universal", "url": collector.url, "property": "UA-2"},
    }
    for _ in range(5):
        sending.send(a_hit())
    collector.wait_until(
        lambda: sum(each.body.count(b"tid=UA-2") for each in collector.received) == 5
    )


def test_queue_is_bounded_in_its_size(collector: Collector, use: Use, a_hit: MakeHit) -> None:
    use("plausible", threads=1, queue_max_bytes=1 << 20)
    collector.hang()
    for _ in range(500):
        sending.send(a_hit(title="€" * 2000, referrer="€" * 2000))
    (line,) = deferring._lines.values()
    assert 0.9 * (1 << 20) < line.queue.size_bytes <= 1 << 20


def test_drops_are_logged_once(collector: Collector, use: Use, a_hit: MakeHit, caplog: Any) -> None:
    use("plausible", threads=1, queue_max_hits=1)
    collector.hang()
    for _ in range(100):
        sending.send(a_hit())
    assert len(caplog.records) == 1
    assert "the queue is full" in caplog.text
    drops.tell(now=True)
    assert len(caplog.records) == 2


def test_passing_fault_is_retried_after_a_pause(
    collector: Collector, use: Use, a_hit: MakeHit, pauses: list[float]
) -> None:
    use("plausible", retries=3)
    collector.answers = [Answer(503), Answer(429), Answer(202)]
    sending.send(a_hit())
    assert sending.flush(10)
    assert len(collector.received) == 3
    assert 0.5 <= pauses[0] <= 1.0 <= pauses[1] <= 2.0


def test_service_that_asks_for_time_is_left_alone_by_all_and_keeps_no_process_from_ending(
    collector: Collector, use: Use, a_hit: MakeHit, pauses: list[float], caplog: Any
) -> None:
    use("plausible", exit_timeout=0.2)
    collector.answer_with(429, Retry_After="1800")
    sending.send(a_hit())
    collector.wait_until(lambda: bool(pauses))
    (service,) = services.in_force()
    assert 1700 < deferring.breaker_of(service).wait_seconds() <= 1800
    assert pauses[0] <= 1.0
    for _ in range(5):
        sending.send(a_hit())
    deferring.finish()
    assert len(collector.received) == 1
    assert caplog.messages[0] == "The service 'plausible' asks to be left alone for 1800 s."
    assert sum(int(text.split()[0]) for text in caplog.messages[1:]) == 6


def test_retries_end(
    collector: Collector, use: Use, a_hit: MakeHit, pauses: list[float], caplog: Any
) -> None:
    use("plausible", retries=2)
    collector.answer_with(503)
    sending.send(a_hit())
    assert sending.flush(10)
    assert (len(collector.received), len(pauses)) == (3, 2)
    assert caplog.messages == ["1 hits for 'plausible' were dropped: it answered 503."]


def test_time_of_the_hit_is_kept_over_retries(
    collector: Collector, use: Use, a_hit: MakeHit, pauses: list[float]
) -> None:
    use("universal", retries=1)
    collector.answers = [Answer(503), Answer(204)]
    sending.send(a_hit(happened_at=datetime.now(UTC) - timedelta(hours=1)))
    assert sending.flush(10)
    first, second = (int(received.form["qt"]) for received in collector.received)
    assert 3_600_000 <= first <= second


def test_outage_is_tried_with_single_hits_until_it_ends(
    collector: Collector, use: Use, a_hit: MakeHit, pauses: list[float]
) -> None:
    use("matomo", threads=1, retries=0, breaker_failures=2, breaker_seconds=0.01)
    collector.answers = [Answer(500), Answer(500), Answer(500), Answer(204)]
    for n in range(3):
        sending.send(a_hit())
        collector.wait_for(n + 1)
    for _ in range(5):
        sending.send(a_hit())
    assert sending.flush(10)
    sizes = [len(received.json["requests"]) for received in collector.received]
    assert (sizes[:4], sum(sizes)) == ([1, 1, 1, 1], 8)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between retries, which nobody waits for."""
    found: list[float] = []
    original = deferring.Line._pause

    def pause(self: Any, seconds: float) -> bool:
        found.append(seconds)
        return original(self, 0.0)

    monkeypatch.setattr(deferring.Line, "_pause", pause)
    return found


def test_thread_that_cannot_start_loses_nothing(
    collector: Collector, use: Use, a_hit: MakeHit, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    use("universal")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        for _ in range(3):
            sending.send(a_hit())
    assert caplog.messages == ["No thread can be started (can't start new thread): hits wait."]
    deferring.finish()
    assert sum(received.body.count(b"v=1") for received in collector.received) == 3


# what goes wrong


@pytest.mark.parametrize("defer", [None, "threaded"])
def test_service_that_is_away_does_not_raise(
    use: Use, a_hit: MakeHit, defer: Any, pauses: list[float], caplog: Any
) -> None:
    use("ga4", options={"url": f"http://127.0.0.1:{refusing_port()}"}, defer=defer, retries=1)
    sending.send(a_hit())
    assert sending.flush(10)
    assert "1 hits for 'ga4' were dropped: it cannot be reached (NewConnectionError)" in caplog.text


def test_mistake_in_the_settings_does_not_raise(settings: Any, a_hit: MakeHit, caplog: Any) -> None:
    settings.SERVER_SIDE_TRACKING_SERVICES = {
        "matomo": {"url": "http://127.0.0.1:1", "site_id": "x"}
    }
    settings.SERVER_SIDE_TRACKING = {"defer": None, "timeout": "long"}
    sending.send(a_hit())
    sending.send(a_hit())
    assert caplog.text.count("A hit was not sent: ValueError was raised.") == 1
    assert "long" not in "".join(caplog.messages)


def test_no_secret_is_logged(
    collector: Collector, use: Use, a_hit: MakeHit, caplog: Any, pauses: list[float]
) -> None:
    caplog.set_level(0)
    use("ga4", "matomo", retries=1)
    collector.answers = [Answer(500), Answer(404), Answer(302), Answer(200, b"{")]
    for _ in range(6):
        sending.send(a_hit())
        sending.flush(10)
    collector.hangs_up = True
    sending.send(a_hit())
    sending.flush(10)
    drops.tell(now=True)
    assert "were dropped" in caplog.text
    for secret in ("hush-hush", "f" * 32, "Mozilla", "192.0.2.0"):
        assert secret not in caplog.text


# tests of users


def test_hits_of_a_test_leave_the_machine_never(settings: Any, a_hit: MakeHit) -> None:
    settings.SERVER_SIDE_TRACKING_GA = {"property": "G-1", "api_secret": "x"}
    assert [service.alias for service in services.in_force()] == ["google"]
    assert list(deferring.reachable()) == []
    sending.send(a_hit())
    assert deferring._lines == {}


@for_each(
    "url, is_local",
    [
        *[(f"http://{host}:80", True) for host in ("127.0.0.1", "127.8.9.1", "[::1]", "localhost")],
        *[
            (f"http://{host}", False)
            for host in ("10.0.0.1", "example.com", "127.0.0.1.example.com")
        ],
        ("", False),
    ],
)
def test_machine_itself_is_told_from_others(url: str, is_local: bool) -> None:
    assert deferring.is_local(url) is is_local


def test_hits_of_a_test_go_to_a_list(collector: Collector, use: Use, a_hit: MakeHit) -> None:
    use("universal", defer=None)
    with capture() as outer:
        sending.send(first := a_hit())
        with capture() as inner:
            asyncio.run(sending.asend(second := a_hit()))
    assert (outer, inner, collector.received) == ([first], [second], [])
    sending.send(a_hit())
    assert len(collector.received) == 1
