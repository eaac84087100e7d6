"""Alarms: once per outage."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.core import mail

from trackable import alarms, notices


@pytest.fixture(autouse=True)
def capture(
    admins: None,
    mails_at_once: None,
    settings: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings.TRACKABLE_CAPTURE_CONNECTION_ERRORS = True
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def pass_a_minute(directory: Path) -> None:
    for marker in directory.glob("*.outage"):
        os.utime(marker, (time.time() - 61, time.time() - 61))


def test_an_outage_is_mailed_once(tmp_path: Path) -> None:
    for _ in range(3):
        alarms.sound(tmp_path, alarms.BROKER, "The broker is away.")
    assert [message.body for message in mail.outbox] == ["The broker is away."]


def test_the_next_outage_is_mailed_again(tmp_path: Path) -> None:
    alarms.sound(tmp_path, alarms.BROKER, "away")
    pass_a_minute(tmp_path)
    alarms.end(tmp_path, alarms.BROKER)
    alarms.sound(tmp_path, alarms.BROKER, "away")
    assert len(mail.outbox) == 2


def test_a_broker_outage_is_only_logged_by_default(
    tmp_path: Path, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TRACKABLE_CAPTURE_CONNECTION_ERRORS = False
    alarms.sound(tmp_path, alarms.BROKER, "away")
    assert mail.outbox == []
    assert caplog.messages == ["away"]


def test_a_journal_that_is_full_is_mailed_in_any_case(tmp_path: Path, settings: Any) -> None:
    settings.TRACKABLE_CAPTURE_CONNECTION_ERRORS = False
    alarms.sound(tmp_path, alarms.JOURNAL, "full")
    assert len(mail.outbox) == 1


def test_an_outage_that_somebody_has_just_met_is_not_over(tmp_path: Path) -> None:
    alarms.sound(tmp_path, alarms.JOURNAL, "full")
    alarms.end(tmp_path, alarms.JOURNAL)
    alarms.sound(tmp_path, alarms.JOURNAL, "full")
    assert len(mail.outbox) == 1


def test_the_end_of_no_outage_says_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alarms.end(tmp_path, alarms.BROKER)
    assert caplog.messages == []


def test_a_mail_that_cannot_be_sent_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: str) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(alarms, "mail_admins", refuse)
    alarms.sound(tmp_path, alarms.BROKER, "away")
    assert "ADMINS could not be mailed" in caplog.text


def test_where_nothing_can_be_written_an_outage_is_mailed_once_too(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for _ in range(3):
        alarms.sound(tmp_path / "file" / "journal", alarms.JOURNAL, "full")
    assert len(mail.outbox) == 1


def test_a_mail_server_that_hangs_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    answered = threading.Event()
    monkeypatch.setattr(alarms, "mail_admins", lambda *_: answered.wait())
    alarms.sound(tmp_path, alarms.JOURNAL, "full")
    assert not answered.is_set()
    answered.set()


def test_where_nothing_can_be_written_processes_mail_once_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    for _ in range(3):
        notices.forget()  # as in another process
        alarms.sound(tmp_path / "file" / "journal", alarms.JOURNAL, "full")
    assert len(mail.outbox) == 1
    pass_a_minute(tmp_path)
    alarms.end(tmp_path / "file" / "journal", alarms.JOURNAL)
    alarms.sound(tmp_path / "file" / "journal", alarms.JOURNAL, "full")
    assert len(mail.outbox) == 2


def test_where_not_even_that_can_be_written_each_process_mails_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "file"))
    for _ in range(3):
        alarms.sound(tmp_path / "file" / "journal", alarms.JOURNAL, "full")
    assert len(mail.outbox) == 1


def test_a_file_in_the_place_of_the_journal_is_mailed_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for _ in range(3):
        alarms.sound(tmp_path / "file", alarms.JOURNAL, "full")
    assert len(mail.outbox) == 1
