"""The tally: numbers that processes of a machine add up in one file."""

from __future__ import annotations

import os
import signal
import stat
import time
from pathlib import Path

import pytest

from trackable.journal import segments, tally
from trackable_tests.bounds.forks import Fork, Tell
from trackable_tests.tables import for_each


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has waited in vain before."""
    monkeypatch.setattr(tally, "_gave_up_at", -1e9)


def test_before_anything_is_done_all_numbers_are_zero(tmp_path: Path) -> None:
    assert tally.read(tmp_path) == dict.fromkeys(tally.NAMES, 0)
    assert tally.read(tmp_path / "none") == dict.fromkeys(tally.NAMES, 0)


def test_sums_add_up_and_the_last_fold_replaces_the_one_before(tmp_path: Path) -> None:
    assert tally.add(tmp_path, emitted=3, refused=1)
    assert tally.add(tmp_path, emitted=4, fold_at=100, fold_increments=7)
    assert tally.add(tmp_path, fold_at=200, fold_increments=0, folds=1)
    found = {name: number for name, number in tally.read(tmp_path).items() if number}
    assert found == {"emitted": 7, "refused": 1, "folds": 1, "fold_at": 200}


def test_nothing_is_written_where_there_is_nothing_to_add(tmp_path: Path) -> None:
    assert tally.add(tmp_path, emitted=0)
    assert os.listdir(tmp_path) == []


def test_without_a_journal_nothing_is_added(tmp_path: Path) -> None:
    assert not tally.add(tmp_path / "none", emitted=1)
    assert not (tmp_path / "none").exists()


def test_what_the_disk_refuses_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / tally.FILE_NAME).mkdir()
    for _ in range(3):
        assert not tally.add(tmp_path, emitted=1)
    assert len(caplog.messages) == 1
    assert tally.read(tmp_path)["emitted"] == 0


def test_a_sum_stops_where_its_place_in_the_file_ends(tmp_path: Path) -> None:
    for _ in range(3):
        tally.add(tmp_path, emitted=(1 << 63) - 2)
    assert tally.read(tmp_path)["emitted"] == (1 << 63) - 1


def test_the_last_fold_may_be_of_more_than_its_place_can_hold(tmp_path: Path) -> None:
    """Two batches of a stranger's are enough."""
    assert tally.add(tmp_path, folds=1, fold_increments=2 * ((1 << 63) - 1))
    assert tally.read(tmp_path)["fold_increments"] == (1 << 63) - 1


def test_those_who_share_the_folder_share_the_file(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    tally.add(tmp_path, emitted=1)
    mode = stat.S_IMODE((tmp_path / tally.FILE_NAME).stat().st_mode)
    assert mode == 0o660


@for_each("size_bytes", [1, 50, 111, 113, 500])
def test_a_file_of_another_length_starts_over(tmp_path: Path, size_bytes: int) -> None:
    tally.add(tmp_path, emitted=5)
    path = tmp_path / tally.FILE_NAME
    assert path.stat().st_size == 112
    os.truncate(path, size_bytes)
    assert tally.read(tmp_path)["emitted"] == 0
    assert tally.add(tmp_path, emitted=2)
    assert tally.read(tmp_path)["emitted"] == 2
    assert path.stat().st_size == 112


def test_processes_that_add_at_once_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "LOCK_ATTEMPTS", 10_000)

    def add(tell: Tell) -> None:
        tell(sum(tally.add(tmp_path, emitted=1, folded=2) for _ in range(200)))

    added = sum(child.result() for child in [Fork(add) for _ in range(4)])
    found = tally.read(tmp_path)
    assert (found["emitted"], found["folded"]) == (added, 2 * added)
    assert added == 800


def hold(tell: Tell, directory: Path) -> None:
    fd = os.open(directory / tally.FILE_NAME, os.O_RDWR | os.O_CREAT)
    assert segments.lock(fd)
    tell("held")
    os.kill(os.getpid(), signal.SIGSTOP)


def test_a_process_that_was_stopped_with_the_lock_holds_nobody_up_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "LOCK_RETRY_SECONDS", 1000.0)
    pauses: list[float] = []
    with Fork(hold, tmp_path) as holder:
        holder.hear()
        with monkeypatch.context() as patched:
            patched.setattr(time, "sleep", pauses.append)
            for _ in range(20):
                assert not tally.add(tmp_path, emitted=1)
    assert pauses == [tally.LOCK_PAUSE_SECONDS] * tally.LOCK_ATTEMPTS
    assert tally.add(tmp_path, emitted=1)
    assert tally.read(tmp_path)["emitted"] == 1


def test_a_fork_while_a_thread_adds_does_not_keep_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, children = os.pwrite, []

    def wait(tell: Tell) -> None:
        tell("here")
        signal.pause()

    def write(fd: int, content: bytes, offset: int) -> int:
        children.append(Fork(wait))
        return real(fd, content, offset)

    with monkeypatch.context() as forking:
        forking.setattr(os, "pwrite", write)
        assert tally.add(tmp_path, emitted=1)
    with children[0] as child:
        assert child.hear() == "here"
        assert tally.add(tmp_path, emitted=1)
