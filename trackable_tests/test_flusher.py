"""The flusher: what the request does not wait for."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from trackable import broker, flusher
from trackable.flusher import Flusher
from trackable.journal import lines, segments, writer
from trackable.journal.segments import OPEN, SEALED, SHIPPED
from trackable.journal.writer import Writer

LABEL = "testapp.PageTotals"
LINE = lines.encode(LABEL, "testapp.Page", "1", "", "views", 1)
DEADLINE_SECONDS = 20


@pytest.fixture
def subject(settings: Any) -> Iterator[Writer]:
    yield writer.current()
    flusher.finish()


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    return moment


def states(subject: Writer) -> list[str]:
    return [segment.state for segment in segments.listing(subject.directory)]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_a_turn_seals_a_segment_of_age(subject: Writer, now: list[float]) -> None:
    thread = Flusher(subject, 0.5)
    subject.append(LABEL, LINE)
    now[0] += 0.4
    thread.turn()
    assert states(subject) == [OPEN]
    now[0] += 0.2
    thread.turn()
    assert states(subject) == [SEALED]


def test_segments_grow_while_many_wait(subject: Writer, now: list[float]) -> None:
    thread = Flusher(subject, 0.5)
    subject.directory.mkdir(parents=True)
    for number in range(flusher.SEGMENTS_PER_DOUBLING * 2):
        (subject.directory / f"{number:032x}{SEALED}").touch()
    subject.append(LABEL, LINE)
    now[0] += 1.9
    thread.turn()
    assert states(subject).count(OPEN) == 1
    now[0] += 0.2
    thread.turn()
    assert states(subject).count(OPEN) == 0


def test_an_outage_of_a_day_leaves_hundreds_of_files_and_not_more(
    subject: Writer, now: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = 0
    monkeypatch.setattr(flusher.segments, "listing", lambda *_: range(waiting))
    monkeypatch.setattr(Writer, "is_open", True)
    ages = iter(range(10_000))
    elapsed = 0.0
    while elapsed < 86_400:
        elapsed += 0.5 * 2.0 ** (waiting / flusher.SEGMENTS_PER_DOUBLING)
        waiting = next(ages)
    assert waiting < 1000


def test_a_turn_adopts_what_dead_processes_left(subject: Writer) -> None:
    subject.directory.mkdir(parents=True)
    (subject.directory / f"{1:032x}{OPEN}").write_bytes(LINE)
    Flusher(subject, 0.5).turn()
    assert states(subject) == [SEALED]


def test_a_failing_turn_is_logged_and_the_next_one_runs(
    subject: Writer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise OSError("broken")

    monkeypatch.setattr(flusher, "seal_if_due", fail)
    Flusher(subject, 0.5).turn()
    assert "A turn of the flusher failed" in caplog.text


def test_the_first_emit_starts_a_thread_that_seals(subject: Writer, settings: Any) -> None:
    settings.TRACKABLE_FLUSH_THREAD = True
    settings.TRACKABLE_FLUSH_INTERVAL = 0.01
    subject.append(LABEL, LINE)
    flusher.look_after(subject)
    until(lambda: states(subject) == [SEALED])


def test_without_threads_the_end_of_a_request_seals(subject: Writer, now: list[float]) -> None:
    subject.append(LABEL, LINE)
    flusher.look_after(subject)
    flusher.after_request()
    assert states(subject) == [OPEN]
    now[0] += 1.1
    flusher.after_request()
    assert states(subject) == [SEALED]


def test_a_thread_that_cannot_start_does_no_harm(
    subject: Writer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Flusher, "start", refuse)
    settings.TRACKABLE_FLUSH_THREAD = True
    flusher.look_after(subject)
    assert subject.append(LABEL, LINE)


@pytest.mark.slow
def test_a_fork_starts_a_thread_of_its_own(settings: Any, child_environment: Any) -> None:
    done = run(
        child_environment,
        """
        import os
        emit()
        child = os.fork()
        emit()
        if child:
            os.waitpid(child, 0)
        wait_until_sealed_by_thread()
        """,
    )
    assert done.returncode == 0, done.stderr
    assert hits(settings) == 3


@pytest.mark.slow
def test_at_exit_what_is_left_is_sealed(settings: Any, child_environment: Any) -> None:
    assert run(child_environment, "emit(5)").returncode == 0
    found = segments.listing(Path(settings.TRACKABLE_JOURNAL_DIR))
    assert [segment.state for segment in found] == [SEALED]
    assert hits(settings) == 5


@pytest.mark.slow
def test_at_sigterm_what_is_left_is_sealed(settings: Any, child_environment: Any) -> None:
    done = run(
        child_environment,
        """
        import os, signal
        emit(5)
        os.kill(os.getpid(), signal.SIGTERM)
        """,
    )
    assert done.returncode == 128 + signal.SIGTERM
    found = segments.listing(Path(settings.TRACKABLE_JOURNAL_DIR))
    assert [segment.state for segment in found] == [SEALED]
    assert hits(settings) == 5


@pytest.mark.slow
def test_the_handler_of_the_program_is_left_alone(child_environment: Any) -> None:
    done = run(
        child_environment,
        """
        import os, signal
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
        emit()
        os.kill(os.getpid(), signal.SIGTERM)
        """,
    )
    assert done.returncode == 7


@pytest.mark.slow
def test_at_exit_what_is_left_is_shipped(
    settings: Any, child_environment: Any, redis_url: str
) -> None:
    settings.TRACKABLE_BROKER_URL = redis_url
    assert run(child_environment, "emit(5)").returncode == 0
    found = segments.listing(Path(settings.TRACKABLE_JOURNAL_DIR))
    assert [segment.state for segment in found] == [SHIPPED]
    with broker.Broker() as source:
        claim = source.claim(LABEL)
        assert claim is not None
        assert claim.batch.hits == 5  # type: ignore[union-attr]
        claim.ack()


@pytest.mark.slow
def test_the_exit_does_not_wait_for_a_broker_that_swallows_packets(
    settings: Any, child_environment: Any, silent_port: int
) -> None:
    settings.TRACKABLE_BROKER_URL = f"amqp://127.0.0.1:{silent_port}//"
    started = time.monotonic()
    assert run(child_environment, "emit(5)").returncode == 0
    assert time.monotonic() - started < DEADLINE_SECONDS
    assert hits(settings) == 5


def hits(settings: Any) -> int:
    found = segments.listing(Path(settings.TRACKABLE_JOURNAL_DIR))
    return sum(n for segment in found for cells, n in lines.count(segment.read()) if cells)


PREAMBLE = """
import time
import django
django.setup()
from trackable import flusher, messaging
from trackable.journal import lines, writer

LINE = lines.encode("testapp.PageTotals", "testapp.Page", "1", "", "views", 1)

def emit(times=1):
    for _ in range(times):
        assert messaging._append("testapp.PageTotals", LINE)

def wait_until_sealed_by_thread():
    deadline = time.monotonic() + 20
    while writer.current().is_open:
        assert time.monotonic() < deadline
        time.sleep(0.01)
"""


def run(environment: Any, program: str) -> subprocess.CompletedProcess[str]:
    lines_of = [line.removeprefix(" " * 8) for line in program.splitlines()]
    return subprocess.run(
        [sys.executable, "-c", PREAMBLE + "\n".join(lines_of)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
