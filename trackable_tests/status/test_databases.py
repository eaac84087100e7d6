"""What the ledger and the quarantine say, at a bounded cost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from trackable.folding import ledger
from trackable.folding.ledger import DatabaseNow
from trackable.models import LedgerEntry, QuarantinedMessage
from trackable.status import databases
from trackable.status.databases import read_database
from trackable.status.figures import Database, Folded, Quarantined

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)


def enter(name: str, age: timedelta, fold_id: str = "f", **numbers: int) -> None:
    LedgerEntry.objects.create(
        batch_id=name, fold_id=fold_id, folded_at=DatabaseNow() - age, **numbers
    )


def set_aside(data_class: str, age: timedelta = HOUR, increments: int = 1) -> None:
    QuarantinedMessage.objects.create(
        batch_id="b",
        data_class=data_class,
        reason="r",
        increments=increments,
        quarantined_at=timezone.now() - age,
    )


def read() -> Database:
    return read_database("default")


def test_empty_database_has_no_figures() -> None:
    found = read()
    nothing = Folded(0, 0, 0, 0, is_partial=False)
    assert (found.last_fold, found.oldest_entry_at) == (None, None)
    assert (found.last_hour, found.last_day) == (nothing, nothing)
    assert (found.quarantine.messages, found.quarantine.oldest_at) == (0, None)


def test_last_fold_is_the_newest_transaction() -> None:
    enter("a", 3 * HOUR, "old", increments=100)
    enter("b", HOUR, "new", increments=10)
    enter("c", HOUR, "new", increments=1)
    fold = read().last_fold
    assert fold is not None
    assert fold.increments == 11
    assert fold.age_seconds == pytest.approx(3600, abs=60)
    # A time that trembles would look like a new fold at each scrape.
    assert fold.at == LedgerEntry.objects.order_by("folded_at").last().folded_at


@pytest.mark.vendor("sqlite")
def test_times_are_in_utc_without_time_zones(settings: Any) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "Asia/Kolkata"
    enter("a", HOUR)
    fold = read().last_fold
    assert fold is not None
    assert fold.age_seconds == pytest.approx(3600, abs=60)
    assert (datetime.now(UTC) - fold.at).total_seconds() == pytest.approx(3600, abs=60)


def test_sums_are_of_the_last_hour_and_day() -> None:
    enter("a", HOUR / 2, increments=1, filtered=2, dropped=3, damaged=4)
    enter("b", 2 * HOUR, increments=10, filtered=20, dropped=30, damaged=40)
    enter("c", 25 * HOUR, increments=100)
    found = read()
    assert found.last_hour == Folded(1, 2, 3, 4, is_partial=False)
    assert found.last_day == Folded(11, 22, 33, 44, is_partial=False)
    assert found.oldest_entry_age_seconds == pytest.approx(25 * 3600, abs=60)


def test_no_more_than_the_newest_entries_are_added_up(monkeypatch: Any) -> None:
    monkeypatch.setattr(databases, "MAX_ENTRIES", 2)
    for hours, name in enumerate("abc", start=2):
        enter(name, hours * HOUR, increments=10 ** (hours - 2))
    found = read()
    assert (found.last_day.increments, found.last_day.is_partial) == (11, True)
    assert (found.last_hour.increments, found.last_hour.is_partial) == (0, False)


def test_marks_of_conversions_are_no_folds() -> None:
    LedgerEntry.objects.create(batch_id="m", fold_id="m", folded_at=ledger.never(), increments=99)
    found = read()
    assert (found.last_fold, found.last_day.increments) == (None, 0)


def test_quarantine_is_told_by_data_class() -> None:
    set_aside("testapp.PageData", 2 * HOUR, increments=5)
    set_aside("testapp.PageData")
    quarantine = read().quarantine
    assert (quarantine.messages, quarantine.increments, quarantine.is_partial) == (2, 6, False)
    assert quarantine.data_classes == {"testapp.PageData": Quarantined(2, 6)}
    assert quarantine.oldest_age_seconds == pytest.approx(7200, abs=60)


def test_data_classes_that_are_none_are_one() -> None:
    for label in ("made.Up", "made\x1bup", "auth.User", "testapp.LinkHits"):
        set_aside(label)
    assert read().quarantine.data_classes.keys() <= {"unknown", "testapp.LinkHits"}
    assert read().quarantine.messages == 4


def test_no_more_than_the_newest_messages_are_counted(monkeypatch: Any) -> None:
    monkeypatch.setattr(databases, "MAX_QUARANTINED", 2)
    for age in (3 * HOUR, HOUR, HOUR):
        set_aside("testapp.PageData", age)
    quarantine = read().quarantine
    assert (quarantine.messages, quarantine.is_partial) == (2, True)
    assert quarantine.oldest_age_seconds == pytest.approx(3 * 3600, abs=60)


def test_numbers_that_somebody_made_up_can_be_added_up() -> None:
    most = (1 << 63) - 1
    for name in "ab":
        enter(name, timedelta(minutes=1), increments=most)
        set_aside("testapp.PageData", increments=most)
    found = read()
    assert found.last_hour.increments == pytest.approx(2 * most)
    assert found.quarantine.increments == pytest.approx(2 * most)


def test_no_query_reads_payloads(django_assert_max_num_queries: Any) -> None:
    set_aside("testapp.PageData")
    with django_assert_max_num_queries(8) as asked:
        read()
    assert not any("payload" in query["sql"] for query in asked)


@pytest.mark.vendor("sqlite")
def test_every_query_on_the_ledger_goes_by_its_index(django_assert_max_num_queries: Any) -> None:
    enter("a", HOUR)
    with django_assert_max_num_queries(8) as asked:
        read()
    statements = [query["sql"] for query in asked if "ledgerentry" in query["sql"]]
    assert len(statements) == 3
    for statement in statements:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement.replace('%', '%%')}")
            plan = " ".join(row[-1] for row in cursor)
        assert "SEARCH trackable_ledgerentry USING" in plan
