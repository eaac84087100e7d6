"""Workers are told of callbacks, and no request waits for a broker or hears of its errors."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery

from trackable import broker
from trackable.contrib.affiliations import announcing
from trackable.contrib.affiliations.announcing import Announcer, announce
from trackable.contrib.affiliations.delivery import announce as announce_of_delivery

PATIENCE_SECONDS = 30
#: What an announcement may take of a request; it takes some microseconds and starts a thread.
MAX_SECONDS = 10


@pytest.fixture
def announcer(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Announcer]:
    """The announcer of a process in which threads may run."""
    settings.TRACKABLE_FLUSH_THREAD = True
    found = Announcer()
    monkeypatch.setattr(announcing, "_announcer", found)
    yield found
    assert found.join(PATIENCE_SECONDS)


def use(monkeypatch: pytest.MonkeyPatch, **configuration: Any) -> Celery:
    """Have a project with a Celery app."""
    app = Celery("one of the tests'", set_as_current=False)
    # of its own: brokers in memory are one for all tests
    app.conf.update(task_default_queue=uuid.uuid4().hex, **configuration)
    monkeypatch.setattr(broker, "celery_app", lambda: app)
    return app


def waiting(app: Celery, name: str = "") -> list[Any]:
    """Take the tasks that wait in a queue: their names, arguments and headers."""
    name = name or app.conf.task_default_queue
    with app.connection_for_read() as connection, connection.SimpleQueue(name) as queue:
        found = []
        while len(queue):
            message = queue.get(timeout=10)
            message.ack()
            found.append((message.headers["task"], message.payload[0], message.headers))
        return found


def test_task_is_sent_with_the_key_and_the_database(
    monkeypatch: pytest.MonkeyPatch, announcer: Announcer, settings: Any
) -> None:
    settings.AFFILIATE_DELIVERY_PERIOD = 90
    app = use(monkeypatch, broker_url="memory://")
    announce(7, using="default")
    announce(8)
    assert announcer.join(PATIENCE_SECONDS)
    found = waiting(app)
    assert [name for name, *_ in found] == ["trackable.contrib.affiliations.deliver"] * 2
    assert [arguments for _, arguments, _ in found] == [[7, "default"], [8, None]]
    assert all(headers["expires"] and headers["ignore_result"] for *_, headers in found)


def test_task_goes_where_the_project_routes_it(
    monkeypatch: pytest.MonkeyPatch, announcer: Announcer
) -> None:
    name = uuid.uuid4().hex
    routes = {"trackable.contrib.affiliations.*": {"queue": name}}
    app = use(monkeypatch, broker_url="memory://", task_routes=routes)
    announce(7)
    assert announcer.join(PATIENCE_SECONDS)
    assert (len(waiting(app, name)), len(waiting(app))) == (1, 0)


def test_delivery_has_it_by_this_name() -> None:
    assert announce_of_delivery is announce


@pytest.mark.parametrize("scheme", ["amqp", "redis"])
def test_broker_that_is_silent_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
    announcer: Announcer,
    silent_port: int,
    settings: Any,
    scheme: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.TRACKABLE_BROKER_TIMEOUT = 0.2
    use(monkeypatch, broker_url=f"{scheme}://127.0.0.1:{silent_port}//")
    began = time.monotonic()
    for pk in range(100):
        announce(pk)
    assert time.monotonic() - began < MAX_SECONDS
    assert announcer.join(PATIENCE_SECONDS)
    assert caplog.text.count("Callbacks wait for the sweep") == 1


def test_broker_that_is_away_is_logged_once_an_hour(
    monkeypatch: pytest.MonkeyPatch, announcer: Announcer, caplog: pytest.LogCaptureFixture
) -> None:
    use(monkeypatch, broker_url="redis://127.0.0.1:9/0")
    for pk in range(3):
        announce(pk)
        assert announcer.join(PATIENCE_SECONDS)
    assert caplog.text.count("Callbacks wait for the sweep") == 1


@pytest.mark.parametrize(
    "configuration", [{}, {"broker_url": "memory://", "task_always_eager": True}]
)
def test_app_that_cannot_send_is_not_asked(
    monkeypatch: pytest.MonkeyPatch, announcer: Announcer, configuration: dict[str, Any]
) -> None:
    use(monkeypatch, **configuration)
    announce(7)
    assert announcer._thread is None


def test_without_celery_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, announcer: Announcer
) -> None:
    monkeypatch.setattr(broker, "celery_app", lambda: None)
    announce(7)
    assert announcer._thread is None


def test_no_thread_is_started_where_none_is_wanted(
    monkeypatch: pytest.MonkeyPatch, announcer: Announcer, settings: Any
) -> None:
    settings.TRACKABLE_FLUSH_THREAD = False
    use(monkeypatch, broker_url="memory://")
    announce(7)
    assert announcer._thread is None


def test_machine_without_room_for_a_thread_is_no_error(
    monkeypatch: pytest.MonkeyPatch, announcer: Announcer, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    use(monkeypatch, broker_url="memory://")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        announce(7)
    assert "can't start new thread" in caplog.text
    announce(8)
    assert announcer.join(PATIENCE_SECONDS)


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch, announcer: Announcer) -> None:
    monkeypatch.setattr(threading.Thread, "start", lambda self: None)
    use(monkeypatch, broker_url="memory://")
    for pk in range(announcing.MAX_WAITING + 5):
        announce(pk)
    assert len(announcer._waiting) == announcing.MAX_WAITING
    announcer._thread = None


FORK = """
import os
from trackable.contrib.affiliations import announcing

parents = announcing._announcer
child = os.fork()
if child:
    raise SystemExit(os.waitpid(child, 0)[1])
os._exit(0 if announcing._announcer is not parents else 1)
"""


def test_child_of_a_fork_has_an_announcer_of_its_own() -> None:
    """Its parent's may be locked for ever, and its thread is none of the child's."""
    command = [sys.executable, "-W", "error", "-c", FORK]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
