"""The end of a process, and forks: what waits is sent or dropped in time, by its own process."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from trackable.contrib.analytics import sending
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.sending import deferring, targets
from trackable_tests.contrib.analytics.collector import Collector

Use = Callable[..., None]
MakeHit = Callable[..., Hit]


def test_settings_that_change_make_new_lines(
    collector: Collector, use: Use, a_hit: MakeHit
) -> None:
    use("universal")
    sending.send(a_hit(title="before"))
    use("matomo")
    sending.send(a_hit(title="after"))
    assert {received.path for received in collector.wait_for(2)} == {"/collect", "/matomo.php"}


def test_end_of_a_process_sends_what_waits(collector: Collector, use: Use, a_hit: MakeHit) -> None:
    use("plausible", threads=1, exit_timeout=60)
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
    SERVER_SIDE_TRACKING={"timeout": 300, "threads": 1, "exit_timeout": 300},
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
    done = run(collector, program)
    assert (done.returncode, collector.hangs) == (0, True)
    assert "the process ended" in done.stderr


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
