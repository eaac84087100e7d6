"""Sending: never raises, never waits for a service, and holds no more than the settings say."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trackable.contrib.analytics import sending, services
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.sending import deferring, drops, targets
from trackable.contrib.analytics.testing import capture
from trackable_tests.contrib.analytics.collector import Answer, Collector, refusing_port

Use = Callable[..., None]
MakeHit = Callable[..., Hit]


def titles(collector: Collector) -> list[str]:
    return sorted(received.form["dt"] for received in collector.received)


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
    collector.answers = [Answer(503), Answer(429, headers={"Retry-After": "5"}), Answer(202)]
    sending.send(a_hit())
    assert sending.flush(10)
    assert len(collector.received) == 3
    assert (0.5 <= pauses[0] <= 1.0, pauses[1:]) == (True, [5.0])


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


# at once


def test_hit_is_sent_at_once(collector: Collector, use: Use, a_hit: MakeHit) -> None:
    use("ga4", "universal", defer=None)
    sending.send(a_hit())
    assert {received.path for received in collector.received} == {"/mp/collect", "/collect"}


def test_at_once_a_hanging_service_is_soon_left_alone(
    collector: Collector, use: Use, a_hit: MakeHit, caplog: Any
) -> None:
    use("plausible", defer=None, at_once_timeout=0.02, breaker_failures=3, timeout=60)
    collector.hang()
    for _ in range(50):
        sending.send(a_hit())
    assert (collector.hangs, len(collector.received)) == (True, 3)
    assert "is left alone" in caplog.text


def test_at_once_nothing_is_tried_again(
    collector: Collector, use: Use, a_hit: MakeHit, caplog: Any
) -> None:
    use("plausible", defer=None)
    collector.answer_with(503)
    sending.send(a_hit())
    assert len(collector.received) == 1
    assert "1 hits for 'plausible' were dropped: it answered 503." in caplog.text


def test_coroutine_does_not_wait_in_its_loop(
    collector: Collector, use: Use, a_hit: MakeHit
) -> None:
    """While one waits at once for a service that hangs, the loop goes on."""
    use("plausible", defer=None, at_once_timeout=30)
    collector.hang()

    async def visit() -> None:
        sent = asyncio.create_task(sending.asend(a_hit()))
        while not collector.in_hand:
            await asyncio.sleep(0.001)
        assert not sent.done()
        collector.release()
        await sent

    asyncio.run(visit())
    assert len(collector.received) == 1


def test_coroutine_defers_as_others_do(collector: Collector, use: Use, a_hit: MakeHit) -> None:
    use("universal")
    asyncio.run(sending.asend(a_hit()))
    assert len(collector.wait_for(1)) == 1


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


@pytest.mark.parametrize(
    ("url", "is_local"),
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


# the end, and forks


def test_settings_that_change_make_new_lines(
    collector: Collector, use: Use, a_hit: MakeHit
) -> None:
    use("universal")
    sending.send(a_hit(title="before"))
    use("matomo")
    sending.send(a_hit(title="after"))
    assert {received.path for received in collector.wait_for(2)} == {"/collect", "/matomo.php"}


def test_end_of_a_process_sends_what_waits(collector: Collector, use: Use, a_hit: MakeHit) -> None:
    use("plausible", threads=1)
    collector.hang()
    for _ in range(5):
        sending.send(a_hit())
    collector.wait_for(1)
    threading.Timer(0.05, collector.release).start()
    deferring.finish()
    assert len(collector.received) == 5


def test_end_of_a_process_waits_no_longer_than_the_settings_say(
    collector: Collector, use: Use, a_hit: MakeHit, caplog: Any
) -> None:
    use("plausible", threads=1, timeout=60, exit_timeout=0.05)
    collector.hang()
    for _ in range(5):
        sending.send(a_hit())
    collector.wait_for(1)
    deferring.finish()
    assert collector.hangs
    assert "4 hits for 'plausible' were dropped: the process ended." in caplog.text


PROGRAM = """
import os, sys, threading, warnings
warnings.filterwarnings("ignore", category=DeprecationWarning, message=".*fork.*")
import django
from django.conf import settings
settings.configure(
    INSTALLED_APPS=[
        "django.contrib.contenttypes", "django.contrib.sites", "trackable",
        "trackable.contrib.analytics",
    ],
    SERVER_SIDE_TRACKING={"timeout": 10, "threads": 1, "exit_timeout": 10},
    SERVER_SIDE_TRACKING_SERVICES={"plausible": {"url": sys.argv[1], "domain": "example.com"}},
)
django.setup()
from trackable.contrib.analytics import sending
from trackable.contrib.analytics.hits import Hit

def send(name):
    values = {"category": name, "action": "x"}
    url = "https://example.com/"
    sending.send(Hit(kind="event", client_id="1", values=values, location=url,
                     user_agent="a", address="192.0.2.0"))
"""


def run(
    collector: Collector, program: str, *, base: str = PROGRAM
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", base + program, collector.url]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_process_sends_at_its_exit(collector: Collector) -> None:
    done = run(collector, "for n in range(20): send(str(n))")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(collector.received) == 20


@pytest.mark.slow
def test_exit_does_not_wait_for_a_service_that_hangs(collector: Collector) -> None:
    collector.hang()
    program = """
settings.SERVER_SIDE_TRACKING["exit_timeout"] = 0.1
for n in range(20): send(str(n))
"""
    started = time.monotonic()
    done = run(collector, program)
    assert (done.returncode, collector.hangs) == (0, True)
    assert "the process ended" in done.stderr
    assert time.monotonic() - started < 9  # and the timeout is 10


@pytest.mark.slow
def test_fork_sends_its_own_hits_and_none_of_its_parent(collector: Collector) -> None:
    program = """
send("before")
child = os.fork()
for n in range(5): send("child" if child == 0 else "parent")
if child:
    os.waitpid(child, 0)
else:
    assert sending.flush(10)
    os._exit(0)
"""
    done = run(collector, program)
    assert (done.returncode, done.stderr) == (0, "")
    names = sorted(received.json["name"] for received in collector.received)
    assert names == ["before: x", *["child: x"] * 5, *["parent: x"] * 5]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("services", "loaded"), [("SERVER_SIDE_TRACKING_SERVICES", "urllib3"), ("X", "")]
)
def test_transport_is_loaded_at_the_start_where_there_are_services(
    collector: Collector, services: str, loaded: str
) -> None:
    program = PROGRAM.replace("SERVER_SIDE_TRACKING_SERVICES", services)
    check = "print(*(n for n in ('urllib3', 'celery', 'requests') if n in sys.modules))"
    command = [sys.executable, "-W", "error", "-c", program + check, collector.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (loaded, "")


def test_end_of_a_process_waits_no_longer_than_it_may(
    collector: Collector, use: Use, a_hit: MakeHit, monkeypatch: pytest.MonkeyPatch
) -> None:
    use("plausible", timeout=60)
    collector.hang()
    line = deferring.line_of(next(deferring.reachable()))
    monkeypatch.setattr(line, "_start", lambda: None)  # as where no thread can be started
    for _ in range(3):
        line.put(a_hit())
    started = time.monotonic()
    line.finish(deadline=started + 0.2)
    assert time.monotonic() - started < 5
    assert len(line.queue) == 0


def test_tasks_that_cannot_be_imported_are_sought_once(
    collector: Collector, use: Use, a_hit: MakeHit, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    sought: list[str] = []

    def fail(name: str) -> None:
        sought.append(name)
        raise ImportError

    use("plausible", defer="celery")
    monkeypatch.setattr(targets, "import_module", fail)
    targets.has_tasks.cache_clear()
    for _ in range(3):
        sending.send(a_hit())
    targets.has_tasks.cache_clear()
    assert sought == ["trackable.contrib.analytics.tasks"]
    assert "Celery's tasks cannot be imported: ImportError was raised." in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("defer", ["celery", "threaded"])
def test_tasks_are_loaded_at_the_start_where_celery_sends(collector: Collector, defer: str) -> None:
    program = PROGRAM.replace('"timeout"', f'"defer": "{defer}", "timeout"')
    check = "print('trackable.contrib.analytics.tasks' in sys.modules)"
    done = run(collector, program=check, base=program)
    assert done.stdout.strip() == str(defer == "celery"), done.stderr
