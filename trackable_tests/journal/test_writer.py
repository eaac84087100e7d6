"""The writer: this process's appends."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from trackable.journal import lines, segments, writer
from trackable.journal.segments import OPEN, SEALED
from trackable_tests.tables import for_each

LINE = lines.encode("app.PageData", "app.page", "1", "2026-11-21", "views", 1)


@pytest.fixture
def directory(settings: Any) -> Iterator[Path]:
    yield Path(settings.TRACKABLE_JOURNAL_DIR)
    writer.close()


def sealed_content(directory: Path) -> bytes:
    writer.close()
    return b"".join(segment.read() for segment in segments.listing(directory, SEALED))


def emit(times: int = 1) -> list[bool]:
    return [writer.current().append("app.PageData", LINE) for _ in range(times)]


def test_what_is_appended_is_in_the_file_before_the_return(directory: Path) -> None:
    assert emit() == [True]
    (segment,) = segments.listing(directory, OPEN)
    assert segment.read() == LINE


def test_threads_share_a_segment_and_lose_nothing(directory: Path) -> None:
    threads = [threading.Thread(target=emit, args=(300,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(segments.listing(directory)) == 1
    assert sealed_content(directory) == LINE * 2400


def test_a_segment_that_is_full_is_sealed_and_the_next_one_opened(
    directory: Path, settings: Any
) -> None:
    settings.TRACKABLE_JOURNAL_SEGMENT_BYTES = len(LINE) * 10
    emit(25)
    sizes = sorted(s.size_bytes() // len(LINE) for s in segments.listing(directory))
    assert sizes == [5, 10, 10]
    assert sealed_content(directory) == LINE * 25


def test_no_emit_waits_for_a_disk_that_seals(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncing, synced = threading.Event(), threading.Event()

    def sync(_: int) -> None:
        syncing.set()
        synced.wait()

    monkeypatch.setattr(os, "fsync", sync)
    emit()
    thread = threading.Thread(target=writer.seal)
    thread.start()
    syncing.wait()
    assert emit(5) == [True] * 5
    synced.set()
    thread.join()


def test_a_directory_that_fails_is_not_asked_at_every_emit(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []

    def fail(path: Path) -> Any:
        calls.append(path)
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(segments, "create", fail)
    assert emit(20) == [False] * 20
    assert len(calls) == 1


def test_a_failure_after_the_write_does_not_change_the_answer(
    directory: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRACKABLE_JOURNAL_SEGMENT_BYTES = 1

    def fail(_: Any, fd: int) -> Any:
        os.close(fd)
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(segments, "seal", fail)
        assert emit(writer.MAX_RETIRED * 3) == [True] * (writer.MAX_RETIRED * 3)
        assert not writer.current().dropped
        writer.current().abandon()


def test_a_child_closes_no_file_that_has_the_number_of_a_sealed_segment(directory: Path) -> None:
    emit(1)
    subject = writer.current()
    subject._retire()
    [(segment, fd)] = subject._retired
    segments.seal(segment, fd)
    other = os.open(os.devnull, os.O_RDONLY)
    assert other == fd
    subject.abandon()
    os.close(other)


def test_a_child_closes_what_its_parent_has_not_sealed(directory: Path) -> None:
    emit(1)
    subject = writer.current()
    subject._retire()
    [(_, fd)] = subject._retired
    subject.abandon()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_a_forked_child_has_a_segment_of_its_own(directory: Path) -> None:
    emit(3)
    child = os.fork()
    if child == 0:
        emit(5)
        os._exit(0)
    os.waitpid(child, 0)
    emit(2)
    sizes = [s.size_bytes() // len(LINE) for s in segments.listing(directory, OPEN)]
    assert sorted(sizes) == [5, 5]


def test_a_child_forked_while_a_thread_holds_the_lock_can_emit(directory: Path) -> None:
    emit()
    holder, release = threading.Event(), threading.Event()

    def hold() -> None:
        with writer.current()._lock:
            holder.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    holder.wait()
    child = os.fork()
    if child == 0:
        os._exit(0 if emit() == [True] else 1)
    assert os.waitpid(child, 0)[1] == 0
    release.set()
    thread.join()


def test_the_death_of_a_parent_frees_its_segment_while_a_child_lives(directory: Path) -> None:
    (life_in, life_out), (ready_in, ready_out) = os.pipe(), os.pipe()
    parent = os.fork()
    if parent == 0:
        os.close(life_out)
        emit(7)
        if os.fork() == 0:
            os.write(ready_out, b".")
            os.read(life_in, 1)  # lives until the test ends
        os._exit(0)
    os.waitpid(parent, 0)
    os.read(ready_in, 1)
    (adopted,) = segments.adopt(directory)
    assert adopted.read() == LINE * 7
    for fd in (life_in, life_out, ready_in, ready_out):
        os.close(fd)


def test_at_the_bound_increments_are_dropped_and_counted(directory: Path, settings: Any) -> None:
    settings.TRACKABLE_JOURNAL_MAX_BYTES = len(LINE) * 10
    assert emit(15) == [True] * 10 + [False] * 5
    assert writer.current().dropped == {"app.PageData": 5}


def test_what_was_dropped_is_written_down_once_there_is_room(
    directory: Path, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TRACKABLE_JOURNAL_MAX_BYTES = len(LINE) * 10
    emit(13)
    writer.seal()
    for segment in segments.listing(directory, SEALED):
        segment.remove()
    writer.current().measure()
    assert emit() == [True]
    assert sealed_content(directory) == LINE + lines.encode("app.PageData", "dropped", 3)
    assert [r.levelname for r in caplog.records] == ["ERROR", "WARNING"]


def test_a_full_disk_tears_no_line_but_the_last(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write
    emit(2)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda fd, line: real(fd, line[:20]))
        assert emit() == [False]
        patched.setattr(os, "write", no_space)
        assert emit() == [False]
    assert emit(2) == [True, True]
    counted = [list(lines.count(s.read())) for s in segments.listing(directory) if s.size_bytes()]
    hits = sum(n for found in counted for cells, n in found if cells and len(cells) == 6)
    assert hits == 4


def no_space(fd: int, line: bytes) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_directory_that_cannot_be_made_drops_and_does_not_raise(
    tmp_path: Path, settings: Any
) -> None:
    (tmp_path / "file").touch()
    settings.TRACKABLE_JOURNAL_DIR = str(tmp_path / "file" / "journal")
    assert emit(2) == [False, False]


def test_a_changed_setting_seals_the_old_segment(directory: Path, settings: Any) -> None:
    emit(2)
    settings.TRACKABLE_JOURNAL_DIR = str(directory / "other")
    emit(1)
    assert [s.state for s in segments.listing(directory)] == [SEALED]
    assert [s.state for s in segments.listing(directory / "other")] == [OPEN]


@for_each("policy, syncs", [("off", 0), ("seal", 2), ("always", 5)])
def test_the_fsync_policy_is_kept(
    directory: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, policy: str, syncs: int
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    settings.TRACKABLE_JOURNAL_FSYNC = policy
    emit(3)
    writer.seal()
    assert len(synced) == syncs


def test_a_segment_is_due_at_its_age_or_on_request(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(writer.time, "monotonic", lambda: now[0])
    emit()
    subject = writer.current()
    assert not subject.is_due(0.5)
    segments.request_seal(directory)
    assert subject.is_due(0.5)
    subject.seal()
    assert not subject.is_due(0.5)
    emit()
    now[0] += 0.6
    assert subject.is_due(0.5)
