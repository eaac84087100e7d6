"""Production servers: every request that they answer is counted, once, however they fork."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from trackable.messaging import process_messages
from trackable_tests.testapp.models import Page, PageData

pytestmark = [
    pytest.mark.slow,
    pytest.mark.vendor("sqlite"),  # requests write into the journal
    pytest.mark.django_db(transaction=True),
]

CLIENTS = 4
REQUESTS = 50
START_SECONDS = 30

GUNICORN = [sys.executable, "-m", "gunicorn", "--bind=fd://{fd}", "--log-level=warning"]
WSGI = "trackable_tests.servers:wsgi"
SERVERS = {
    "prefork": [*GUNICORN, "--workers=2", WSGI],
    "preload": [*GUNICORN, "--workers=2", "--preload", WSGI],
    "threads": [*GUNICORN, "--workers=2", "--threads=4", WSGI],
    "gevent": [*GUNICORN, "--workers=2", "--worker-class=gevent", WSGI],
    "asgi": [
        *(sys.executable, "-m", "uvicorn", "--fd={fd}", "--log-level=warning"),
        "trackable_tests.servers:asgi",
    ],
}

Serve = Callable[..., Any]


@contextmanager
def serving(command: list[str], environment: dict[str, str]) -> Iterator[tuple[int, Any]]:
    """Run a server on a free port of this machine; end it with SIGTERM."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(100)
        fd, port = listener.fileno(), listener.getsockname()[1]
        server = subprocess.Popen(
            [word.format(fd=fd) for word in command], env=environment, pass_fds=[fd]
        )
        try:
            yield port, server
        finally:
            server.terminate()
            server.wait(START_SECONDS)


def get(port: int, path: str = "/") -> str | None:
    """Return what the server answered; ``None`` if it broke the connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        assert response.status == 200
        return response.read().decode()
    except (ConnectionError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def answers(port: int, path: str = "/", number: int = REQUESTS) -> Counter[str | None]:
    with ThreadPoolExecutor(CLIENTS) as pool:
        return Counter(pool.map(lambda _: get(port, path), range(number)))


def counted() -> int:
    process_messages()
    return sum(PageData.objects.values_list("views", flat=True))


@pytest.fixture(autouse=True)
def page() -> None:
    Page.objects.create(pk=1, title="One", slug="one")


@pytest.mark.parametrize("server", SERVERS)
def test_every_request_is_counted_once(server: str, child_environment: Any) -> None:
    with serving(SERVERS[server], child_environment()) as (port, _):
        found = answers(port)
        assert counted() == found.total() == REQUESTS
        more = answers(port)
    assert counted() == found.total() + more.total()
    assert None not in found + more


def test_an_async_view_is_counted(child_environment: Any) -> None:
    with serving(SERVERS["asgi"], child_environment()) as (port, _):
        found = answers(port, "/async/")
    assert counted() == found.total() == REQUESTS


def test_an_emit_before_the_fork_does_no_harm(child_environment: Any) -> None:
    environment = {**child_environment(), "EMIT_ON_IMPORT": "1"}
    with serving(SERVERS["preload"], environment) as (port, _):
        found = answers(port)
    assert counted() == found.total() + 1


def test_a_worker_killed_under_load_loses_nothing_that_was_answered(
    child_environment: Any,
) -> None:
    total = REQUESTS * 6
    with serving(SERVERS["prefork"], child_environment()) as (port, _):
        victims = {int(pid) for pid in answers(port, number=20) if pid}
        with ThreadPoolExecutor(1) as killer:
            killing = killer.submit(kill_in_turn, sorted(victims))
            found = answers(port, number=total)
            killing.result()
    answered = found.total() - found[None] + 20
    assert answered <= counted() <= answered + found[None]
    assert answered > total // 2


def kill_in_turn(pids: list[int]) -> None:
    for pid in pids:
        time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)


def test_requests_do_not_wait_for_a_broker_that_swallows_packets(
    child_environment: Any, silent_port: int, settings: Any
) -> None:
    silent = f"amqp://127.0.0.1:{silent_port}//"
    with serving(SERVERS["prefork"], child_environment(TRACKABLE_BROKER_URL=silent)) as (port, _):
        assert get(port) is not None
        started = time.monotonic()
        found = answers(port)
        assert time.monotonic() - started < 20
    assert counted() == found.total() + 1
