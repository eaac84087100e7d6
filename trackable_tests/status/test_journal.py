"""What waits in this machine's folder, and what its tally says."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from trackable import alarms, conf
from trackable.journal import segments, tally
from trackable.status.journal import OUTAGE_SECONDS, read_journal, read_machine
from trackable_tests.counting import a_page, emit, emit_segment


@pytest.mark.django_db
def test_segments_are_counted_by_state() -> None:
    page = a_page()
    emit_segment(page)
    emit_segment(page)
    segments.listing(conf.journal_dir())[0].become(segments.FOLDED)
    emit(page)
    journal = read_journal()
    assert journal.segments == {"open": 1, "sealed": 1, "shipped": 0, "folded": 1}
    assert journal.size_bytes == segments.size_bytes(conf.journal_dir()) > 0


@pytest.mark.parametrize(("state", "waits"), [("open", 1), ("shipped", 1), ("folded", 0)])
def test_oldest_is_of_what_is_not_folded(state: str, waits: int) -> None:
    conf.journal_dir().mkdir(parents=True)
    created = int((time.time() - 3600) * 1000)
    (conf.journal_dir() / f"{created:012x}{'0' * 20}.{state}").touch()
    age = read_journal().oldest_age_seconds
    assert age == (pytest.approx(3600, abs=60) if waits else None)


def test_share_is_of_the_bound(settings: Any) -> None:
    settings.TRACKABLE_JOURNAL_MAX_BYTES = 1000
    conf.journal_dir().mkdir(parents=True)
    (conf.journal_dir() / f"{'0' * 32}.sealed").write_bytes(b"x" * 250)
    assert read_journal().share_percent == 25


def test_folder_that_is_not_there_is_no_failure() -> None:
    journal = read_journal()
    assert (journal.exists, journal.size_bytes, journal.oldest_at) == (False, 0, None)
    assert not conf.journal_dir().exists()


def test_folder_that_is_none_is_a_failure(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.TRACKABLE_JOURNAL_DIR = str(tmp_path / "file")
    with pytest.raises(NotADirectoryError):
        read_journal()


def test_outage_is_told_while_somebody_meets_it(caplog: Any) -> None:
    directory = conf.journal_dir()
    alarms.sound(directory, alarms.BROKER, "away")
    assert read_journal().outages_met_seconds["broker"] < 60
    long_ago = time.time() - OUTAGE_SECONDS - 1
    os.utime(directory / "broker.outage", (long_ago, long_ago))
    assert read_journal().outages_met_seconds == {}


def test_other_machines_in_the_folder_are_named() -> None:
    conf.journal_dir().mkdir(parents=True)
    assert read_journal().other_machines == []
    (conf.journal_dir() / "0123abcd.machine").write_text("web\x1b2")
    assert read_journal().other_machines == ["web\\x1b2"]


def test_tally_is_of_the_machine() -> None:
    conf.journal_dir().mkdir(parents=True)
    then = int(time.time()) - 60
    tally.add(conf.journal_dir(), folded=7, fold_at=then, fold_increments=5, fold_milliseconds=250)
    machine = read_machine()
    assert machine.sums == {**dict.fromkeys(tally.SUMS, 0), "folded": 7}
    fold = machine.last_fold
    assert fold is not None
    assert (fold.at.timestamp(), fold.increments) == (then, 5)
    assert fold.duration_seconds == 0.25


def test_machine_that_never_folded_has_no_last_fold() -> None:
    assert read_machine().last_fold is None


def test_tally_that_cannot_be_read_is_a_failure() -> None:
    (conf.journal_dir() / tally.FILE_NAME).mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        read_machine()
