"""The command sends kept segments again; folds know what is counted, and count what is not."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest
from django.core.management.base import CommandError

from trackable import conf
from trackable.folding.collect import collect
from trackable.journal import segments
from trackable.journal.segments import FOLDED, OPEN, SEALED, SHIPPED
from trackable.messaging import process_messages
from trackable.models import LedgerEntry
from trackable_tests.commands.running import run
from trackable_tests.counting import a_page, emit_segment, through_brokers, total
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import PageData

pytestmark = pytest.mark.django_db


def listed(*states: str) -> list[segments.Segment]:
    return segments.listing(conf.journal_dir(), *states)


def test_what_is_folded_is_recognised(broker_url: str | None) -> None:
    emit_segment(a_page(), value=3)
    assert process_messages() == 1
    run("replay_trackable_journal")
    report = collect()
    assert (report.increments, report.duplicate_batches, total(PageData)) == (0, 1, 3)
    assert len(listed(FOLDED)) == 1


def test_what_a_database_has_lost_is_counted_again(broker_url: str | None) -> None:
    emit_segment(a_page(), value=3)
    process_messages()
    for model in (PageData, LedgerEntry):  # they go back together
        model.objects.all().delete()
    assert run("replay_trackable_journal").out.startswith("1 segment ")
    assert (process_messages(), total(PageData)) == (1, 3)


@through_brokers
def test_what_a_broker_has_lost_is_shipped_at_once(broker_url: str) -> None:
    emit_segment(a_page())
    run("ship_trackable_journal")
    assert (len(listed(SHIPPED)), listed(SEALED)) == (1, [])
    from kombu import Connection

    from trackable.broker import queue_name

    with Connection(broker_url) as connection:
        connection.default_channel.queue_purge(queue_name(PageData._meta.label))
    assert process_messages() == 0
    said = run("replay_trackable_journal")
    assert said.out == "1 segment sent again; the next fold knows what is counted.\n"
    assert (process_messages(), total(PageData)) == (1, 1)


def test_since_takes_what_was_changed_since(settings: Any) -> None:
    settings.TRACKABLE_JOURNAL_RETENTION = 86400
    page = a_page()
    for age_seconds in (7200, 60):
        emit_segment(page)
        process_messages()
        (newest,) = [s for s in listed(FOLDED) if time.time() - s.changed_at() < 30]
        os.utime(newest.path, (time.time() - age_seconds,) * 2)
    said = run("replay_trackable_journal", "--since", "1h")
    assert said.out == (
        "1 segment to be read again by the next fold, which knows what is counted.\n"
    )
    assert (len(listed(FOLDED)), len(listed(SEALED)), len(listed(OPEN))) == (1, 1, 0)


@for_each("text", ["yesterday", "", "5", "1e9h", "2026-13-01", "99999999999d"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match="is no time: write 90m"):
        run("replay_trackable_journal", "--since", text)


@for_each("text", ["2026-11-21", "2026-11-21T09:30", "2026-11-21 09:30+02:00", "0s"])
def test_a_time_may_be_a_date(text: str) -> None:
    assert run("replay_trackable_journal", "--since", text).out.startswith("0 segments ")


def test_a_broker_that_is_away_is_a_failure_and_loses_nothing(settings: Any) -> None:
    emit_segment(a_page())
    process_messages()
    settings.TRACKABLE_BROKER_URL = "redis://127.0.0.1:1/0"
    with pytest.raises(CommandError, match=r"1 segment still to ship.*BROKER_URL"):
        run("replay_trackable_journal")
    assert len(listed(SEALED)) == 1


def test_a_journal_that_cannot_be_used_is_a_failure(tmp_path: Any, settings: Any) -> None:
    (tmp_path / "file").touch()
    settings.TRACKABLE_JOURNAL_DIR = str(tmp_path / "file")
    with pytest.raises(CommandError, match="cannot be used"):
        run("replay_trackable_journal")
