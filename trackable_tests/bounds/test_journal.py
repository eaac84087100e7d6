"""The journal at its bounds: of size, of descriptors, and of what others leave of it."""

from __future__ import annotations

import os
import resource
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core import mail

from trackable import alarms, conf, flusher
from trackable.flusher import Flusher
from trackable.journal import segments, tally, writer
from trackable.journal.segments import OPEN, SEALED
from trackable.messaging import process_messages, send_increment_message
from trackable.models import LedgerEntry
from trackable_tests.bounds.emitting import LINE, emit, found_in, no_space
from trackable_tests.bounds.forks import Fork, Tell
from trackable_tests.counting import a_page, total
from trackable_tests.testapp.models import PageTotals

# the bound


@pytest.mark.django_db
@pytest.mark.parametrize("base", [None, "site"])
def test_what_a_process_emits_after_it_has_moved_is_counted_with_what_it_emitted_before(
    base: str | None,
    directory: Path,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.BASE_DIR = base and str(tmp_path / base)
    settings.TRACKABLE_JOURNAL_DIR = "counts"
    page = a_page()
    for name in ("start", "home"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert send_increment_message(None, page, "views", PageTotals)
    assert process_messages() == 2
    assert total(PageTotals) == 2
    assert [*(tmp_path / "start").iterdir(), *(tmp_path / "home").iterdir()] == []


@pytest.mark.django_db
@pytest.mark.parametrize("what", ["segment", "folder", "folder is moved"])
def test_what_somebody_deletes_while_it_is_written_is_there_again(
    what: str, directory: Path, caplog: pytest.LogCaptureFixture
) -> None:
    page = a_page()
    assert send_increment_message(None, page, "views", PageTotals)
    if what == "folder":
        shutil.rmtree(directory)
    elif what == "folder is moved":
        directory.rename(directory.with_name("moved"))
    else:
        (segment,) = segments.listing(directory, OPEN)
        segment.path.unlink()
    assert send_increment_message(None, page, "views", PageTotals)
    assert process_messages() == 2
    assert total(PageTotals) == 2
    assert "Somebody has deleted or moved" in caplog.text
    assert not list(directory.glob("*.draft"))


@pytest.mark.slow
def test_four_processes_at_the_bound_mail_once_and_count_what_they_drop(
    directory: Path, settings: Any, mails: list[Any]
) -> None:
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 200 << 10
    children = [Fork(fill_to_the_bound) for _ in range(4)]
    told = [child.hear() for child in children]
    assert all(each["refused"] >= 100 for each in told)
    assert sum(each["mails"] for each in told) == 1
    results = [child.result() for child in children]
    most_bytes = (200 << 10) + 3 * writer.LEAST_ROOM_BYTES + 4 * 20 * len(LINE)
    assert (200 << 10) - len(LINE) <= segments.size_bytes(directory) <= most_bytes
    refused = sum(result["refused"] for result in results)
    assert tally.read(directory)["refused"] == refused
    found = found_in(directory)
    assert found["hits"] == sum(result["acknowledged"] for result in results)
    assert found["dropped"] == refused


def fill_to_the_bound(tell: Tell) -> None:
    """Emit until the bound is met, and a turn after; then find more room."""
    mail.outbox.clear()
    subject = writer.current()
    acknowledged, deadline = 0, time.monotonic() + 30
    while subject.refused < 100 and time.monotonic() < deadline:
        acknowledged += emit(10)
    Flusher(subject, 60.0).turn()
    tell({"refused": subject.refused, "mails": len(mail.outbox)})
    conf._known["JOURNAL_MAX_BYTES"] = 1 << 30
    subject.measure()
    acknowledged += emit(10)
    writer.close()
    tell({"acknowledged": acknowledged, "refused": subject.refused})


@pytest.mark.django_db
@pytest.mark.parametrize("is_open", [True, False])
def test_a_process_that_ends_at_the_bound_says_what_it_dropped(
    is_open: bool, directory: Path, settings: Any
) -> None:
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 4096
    acknowledged = emit(200)
    if not is_open:
        writer.seal()
    flusher.finish()
    assert process_messages() == acknowledged > 0
    (entry,) = LedgerEntry.objects.all() if is_open else LedgerEntry.objects.exclude(dropped=0)
    assert entry.dropped == 200 - acknowledged


def test_processes_that_end_pass_the_bound_only_so_far(
    directory: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "OVERDRAFT_BYTES", 300)
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 1
    for _ in range(20):
        assert emit() == 0
        writer.close()
    assert 200 < segments.size_bytes(directory) < 400
    assert 1 < len(segments.listing(directory)) == found_in(directory)["dropped"] < 10
    assert tally.read(directory)["refused"] == 20


def test_a_process_that_emits_no_more_says_what_it_dropped_and_ends_the_outage(
    directory: Path, settings: Any, mails: list[Any], now: list[float]
) -> None:
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 32 << 10
    thread = Flusher(writer.current(), 0.5)
    while emit():
        pass
    thread.turn()
    assert len(mails) == 1
    assert alarms.last_met(directory, alarms.JOURNAL)
    for segment in segments.listing(directory, SEALED):
        segment.remove()
    conf._known["JOURNAL_MAX_BYTES"] = 64 << 10
    now[0] += 6
    thread.turn()
    assert not writer.current().dropped
    pass_a_minute(directory)
    now[0] += 6
    thread.turn()
    assert not alarms.last_met(directory, alarms.JOURNAL)
    assert found_in(directory)["dropped"] == 1
    assert len(mails) == 1


def pass_a_minute(directory: Path) -> None:
    for marker in directory.glob("*.outage"):
        os.utime(marker, (time.time() - 61, time.time() - 61))


def test_a_short_outage_is_mailed_though_it_is_over_at_the_next_look(
    directory: Path, settings: Any, mails: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = Flusher(writer.current(), 0.5)
    thread.turn()
    with monkeypatch.context() as full:
        full.setattr(os, "write", no_space)
        assert emit() == 0
    assert emit() == 1
    thread.turn()
    assert len(mails) == 1


def test_without_threads_the_end_of_a_request_sounds_the_alarm(
    directory: Path, settings: Any, mails: list[Any], now: list[float]
) -> None:
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 1
    assert emit() == 0
    flusher.look_after(writer.current())
    now[0] += 2
    flusher.after_request()
    assert len(mails) == 1
    assert tally.read(directory)["refused"] == 1


# file descriptors


def test_out_of_descriptors_emits_go_on_in_the_open_segment(directory: Path) -> None:
    acknowledged, sealed, after = Fork(emit_without_descriptors).result()
    assert acknowledged == 300
    assert sealed == 0
    assert after == 10
    found = found_in(directory)
    assert (found["hits"], found["damaged"]) == (310, 0)


def emit_without_descriptors(tell: Tell) -> None:
    """Emit while all descriptors are taken, and look after the segment meanwhile."""
    acknowledged = emit(100)
    subject = writer.current()
    thread = Flusher(subject, 0.0)
    thread.turn()
    taken = take_all_descriptors()
    acknowledged += emit(100)  # the spare one gives way to a new segment
    thread.turn()
    acknowledged += emit(100)
    sealed = writer.current().refused
    for fd in taken:
        os.close(fd)
    writer.seal()
    tell([acknowledged, sealed, emit(10)])


def test_where_there_never_was_a_descriptor_emits_are_refused_and_counted(directory: Path) -> None:
    def exhaust(tell: Tell) -> None:
        taken = take_all_descriptors()
        refused = emit(10)
        for fd in taken:
            os.close(fd)
        writer.current()._failed_at = 0.0
        tell([refused, emit(5)])
        writer.close()

    assert Fork(exhaust).result() == [0, 5]
    assert found_in(directory) == {"hits": 5, "dropped": 10, "damaged": 0}


def test_a_full_segment_goes_on_where_there_are_no_descriptors(
    directory: Path, settings: Any
) -> None:
    settings.TRACKABLE_JOURNAL_SEGMENT_BYTES = len(LINE) * 5

    def exhaust(tell: Tell) -> None:
        acknowledged = emit(2)
        taken = take_all_descriptors()
        acknowledged += emit(20)
        for fd in taken:
            os.close(fd)
        tell(acknowledged + emit(20))
        writer.close()

    assert Fork(exhaust).result() == 42
    assert found_in(directory)["hits"] == 42
    assert len(segments.listing(directory)) > 3


def take_all_descriptors() -> list[int]:
    # Above what the process has open already, which is for its other tests to say.
    taken = [os.open(os.devnull, os.O_RDONLY)]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken) + 100, hard))
    with suppress(OSError):
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    with pytest.raises(OSError, match="Too many open files"):
        os.open(os.devnull, os.O_RDONLY)
    return taken
