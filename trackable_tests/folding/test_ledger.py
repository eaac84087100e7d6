"""The ledger: an id is entered once, and remembered for as long as anything is sent again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from trackable.batches import Batch, Malformed, id_time
from trackable.exceptions import LedgerRefused
from trackable.folding import ledger, quarantine
from trackable.folding.engine import fold
from trackable.journal.segments import TIME_LENGTH
from trackable.models import LedgerEntry
from trackable_tests.counting import a_page, batch, entry, reasons, total
from trackable_tests.protocol.clock import Clock
from trackable_tests.testapp.models import PageData, PageTotals

DAY = 24 * 3600

pytestmark = pytest.mark.django_db


def claim(*group: Batch | Malformed) -> set[str]:
    return ledger.claim("default", group)


def test_an_id_is_claimed_once() -> None:
    one, other = batch(PageData), batch(PageData)
    assert claim(one) == {one.id}
    assert claim(one, other) == {other.id}
    assert claim(one, other) == set()


def test_an_id_that_comes_twice_at_once_is_claimed_once() -> None:
    one = batch(PageData)
    assert claim(one, one) == {one.id}
    assert LedgerEntry.objects.count() == 1


def test_a_claim_tells_what_was_folded() -> None:
    one = batch(PageTotals, entry(a_page(), hits=3), entry(a_page("b")), filtered=4, dropped=5)
    claim(one)
    kept = LedgerEntry.objects.get(pk=one.id)
    assert (kept.data_class, kept.increments) == ("testapp.PageTotals", 4)
    assert (kept.filtered, kept.dropped) == (4, 5)


def test_a_claim_takes_more_than_one_statement_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "CHUNK_SIZE", 3)
    group = [batch(PageData) for _ in range(10)]
    assert claim(*group) == {item.id for item in group}


def test_great_numbers_and_odd_labels_are_kept() -> None:
    great = Batch.of("1" * 32, "x" * 300 + "\0\ud800", (entry(a_page(), hits=1 << 70),))
    assert claim(great, Malformed("2" * 32, "a\0b", "why", b"")) == {"1" * 32, "2" * 32}


def test_a_refusal_in_silence_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "_find", lambda entries, ids: set())
    with pytest.raises(LedgerRefused):
        claim(batch(PageData))


def test_it_shows_what_was_claimed() -> None:
    one, other = batch(PageData), batch(PageData)
    claim(one)
    assert ledger.shows("default", {one.id, other.id}) == {one.id}
    assert ledger.shows("default", set()) == set()


@pytest.mark.vendor("mariadb", "postgresql")
def test_entries_are_dated_right_whatever_the_zone_of_the_session() -> None:
    zone = {"postgresql": "TIME ZONE 'Asia/Karachi'"}.get(connection.vendor, "time_zone = '+05:00'")
    with connection.cursor() as cursor:
        cursor.execute(f"SET {zone}")
    claim(one := batch(PageData))
    with connection.cursor() as cursor:
        cursor.execute(
            "SET TIME ZONE 'UTC'" if zone.startswith("TIME") else "SET time_zone = 'SYSTEM'"
        )
    age = timezone.now() - LedgerEntry.objects.get(pk=one.id).folded_at
    assert abs(age) < timedelta(hours=1)


def test_it_is_pruned_past_the_horizon(settings: Any) -> None:
    settings.TRACKABLE_LEDGER_HORIZON = 3600
    margin = ledger.PRUNING_MARGIN + timedelta(hours=1)
    kept, forgotten = (sent_ago(age) for age in (margin - timedelta(minutes=1), margin * 2))
    assert ledger.prune("default") == 1
    assert ledger.shows("default", {kept.id, forgotten.id}) == {kept.id}


def test_a_database_that_is_away_keeps_no_other_from_being_pruned(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pruned = []

    def prune(alias: str) -> int:
        if alias == "away":
            raise OperationalError("gone")
        pruned.append(alias)
        return 1

    monkeypatch.setattr(ledger, "prune", prune)
    monkeypatch.setattr(ledger, "aliases", lambda: ["away", "default", "other"])
    with pytest.raises(OperationalError, match="gone"):
        ledger.prune_all()
    monkeypatch.setattr(ledger, "_pruned_at", -1e9)
    ledger.prune_hourly()
    assert pruned == ["default", "other"] * 2
    assert caplog.messages == ["The ledger in 'away' is not pruned this time: gone"] * 2


@pytest.mark.parametrize("ahead", [timedelta(days=365), timedelta(days=365 * 5000)])
def test_what_a_clock_that_is_ahead_has_sent_is_not_forgotten(ahead: timedelta) -> None:
    early = sent_ago(-ahead, folded_ago=timedelta(days=365))
    assert ledger.prune("default") == 0
    assert ledger.shows("default", {early.id}) == {early.id}


def test_a_message_that_is_no_batch_is_forgotten_by_when_it_came() -> None:
    for body, age in ((b"old", timedelta(days=365)), (b"new", timedelta(minutes=1))):
        claim(message := Malformed.of("testapp.PageData", body, "why"))
        LedgerEntry.objects.filter(pk=message.id).update(folded_at=timezone.now() - age)
    assert ledger.prune("default") == 1


def sent_ago(age: timedelta, *, folded_ago: timedelta | None = None) -> Batch:
    """Enter a batch that was sent some time ago, and folded then if nothing else is said."""
    now = timezone.now()
    sent = batch(PageData)
    sent = replace(sent, id=id_time((now - age).timestamp()) + sent.id[TIME_LENGTH:])
    claim(sent)
    folded_at = now - (age if folded_ago is None else folded_ago)
    LedgerEntry.objects.filter(pk=sent.id).update(folded_at=folded_at)
    return sent


def test_a_batch_is_past_the_horizon_by_its_own_time(settings: Any) -> None:
    settings.TRACKABLE_LEDGER_HORIZON = 3600
    one, now = batch(PageData), time.time()
    assert not ledger.is_past_horizon(one, now + 59 * 60)
    assert ledger.is_past_horizon(one, now + 61 * 60)


def test_the_clock_is_that_of_the_database() -> None:
    claim(batch(PageData))
    assert ledger.clock(LedgerEntry.objects.all()) == pytest.approx(time.time(), abs=60)
    assert ledger.clock(LedgerEntry.objects.none()) == pytest.approx(time.time(), abs=60)


@pytest.mark.vendor("mariadb", "postgresql")
def test_the_clock_is_right_whatever_the_zone_and_not_of_this_machine(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    claim(batch(PageData))
    settings.USE_TZ = False
    settings.TIME_ZONE = "Asia/Karachi"
    monkeypatch.setattr(ledger, "time", Mock(time=lambda: now - DAY))
    assert ledger.clock(LedgerEntry.objects.all()) == pytest.approx(now, abs=60)


def test_the_database_is_asked_for_the_time_of_what_is_not_of_this_day_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger, "clock", lambda rows: 0.0)
    now, of_today = time.time(), [batch(PageData), Malformed.of("x", b"", "why")]
    assert ledger.judged_at("default", of_today) == pytest.approx(now, abs=60)
    for days in (-2, 2):
        odd = replace(of_today[0], id=id_time(now + days * DAY) + of_today[0].id[TIME_LENGTH:])
        assert ledger.judged_at("default", [*of_today, odd]) == 0.0


@pytest.fixture
def clock() -> Iterator[Clock]:
    subject = Clock()
    with subject.ruling():
        yield subject


@pytest.mark.parametrize("skew_days", [-365, -6, -2, 0, 2, 9])
def test_a_batch_that_comes_after_its_entry_is_pruned_is_not_counted_again(
    clock: Clock, skew_days: int
) -> None:
    """Whatever the clock says of the machine that folds, and of the one that has pruned."""
    sent = batch(PageData, entry(a_page(), period="2026-11-21"))
    sent = replace(sent, id=id_time(clock.now) + sent.id[TIME_LENGTH:])
    fold(sent.data_class, [sent])
    clock.now += 7 * DAY - 60
    assert fold(sent.data_class, [sent]).duplicate_batches == 1
    clock.now += DAY + 120
    clock.skew_seconds = -skew_days * DAY
    ledger.prune("default")
    clock.skew_seconds = skew_days * DAY
    assert fold(sent.data_class, [sent]).quarantined == 1
    assert (total(PageData), reasons()) == (1, [quarantine.OLDER])


@pytest.mark.django_db(databases=["default", "other"])
def test_it_is_in_the_database_of_the_counters(settings: Any) -> None:
    settings.TEST_DATABASE_OF = {"testapp.PageTotals": "other"}
    assert ledger.alias_of("testapp.PageTotals") == "other"
    assert ledger.alias_of("testapp.PageData") == "default"
    assert ledger.alias_of("no.such.class") == "default"


def test_ids_that_sort_by_time_are_stored_as_they_are() -> None:
    claim(one := batch(PageData))
    with connection.cursor() as cursor:
        cursor.execute("SELECT batch_id FROM trackable_ledgerentry")
        assert cursor.fetchall()[0][0] == one.id
