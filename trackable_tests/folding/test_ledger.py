"""The ledger: an id is entered once, and remembered for as long as anything is sent again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from trackable.batches import Batch, Malformed
from trackable.exceptions import LedgerRefused
from trackable.folding import ledger
from trackable.models import LedgerEntry
from trackable_tests.counting import a_page, batch, entry
from trackable_tests.testapp.models import PageData, PageTotals

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
    great = Batch("1" * 32, "x" * 300 + "\0\ud800", (entry(a_page(), hits=1 << 70),))
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
    kept, forgotten = batch(PageData), batch(PageData)
    margin = ledger.PRUNING_MARGIN + timedelta(hours=1)
    for item, age in ((kept, margin - timedelta(minutes=1)), (forgotten, margin * 2)):
        claim(item)
        LedgerEntry.objects.filter(pk=item.id).update(folded_at=timezone.now() - age)
    assert ledger.prune("default") == 1
    assert ledger.shows("default", {kept.id, forgotten.id}) == {kept.id}


def test_a_batch_is_past_the_horizon_by_its_own_time(settings: Any) -> None:
    settings.TRACKABLE_LEDGER_HORIZON = 3600
    one, now = batch(PageData), timezone.now()
    assert not ledger.is_past_horizon(one, now + timedelta(minutes=59))
    assert ledger.is_past_horizon(one, now + timedelta(minutes=61))


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
