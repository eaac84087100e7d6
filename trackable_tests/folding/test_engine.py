"""The engine: one transaction, each batch once, the unfit alone, and again after an error."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from trackable.batches import Batch, Entry, Malformed, batch_id
from trackable.folding import engine, ledger, upsert
from trackable.folding.engine import FoldReport, fold
from trackable.folding.rows import RowCleaner
from trackable.journal import segments
from trackable.models import LedgerEntry, QuarantinedMessage
from trackable_tests.bounds.threads import in_threads
from trackable_tests.counting import Crash, DataClass, a_page, batch, counts, entry, reasons, total
from trackable_tests.folding.failing import raising
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    DownloadData,
    LinkData,
    Page,
    PageData,
    PageHours,
    PageParentData,
    PageParentTotals,
    PageSizes,
    PageTotals,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pause")]

TOTALS = "testapp.PageTotals"
committing = pytest.mark.django_db(transaction=True)


# each batch once


def test_a_fold_reports_what_it_did() -> None:
    page = a_page()
    one = batch(PageTotals, entry(page, amount=5, hits=2), filtered=3, dropped=4)
    other = batch(PageTotals, entry(page, "likes", hits=6), entry(page))
    assert fold(TOTALS, [one, other]) == FoldReport(
        increments=3, batches=2, filtered=3, dropped=4, quarantined=1
    )


def test_reports_are_added_up() -> None:
    report = FoldReport(increments=1, quarantined=2)
    report += FoldReport(increments=10, batches=20)
    assert report == FoldReport(increments=11, batches=20, quarantined=2)


def test_a_batch_counts_once() -> None:
    sent = batch(PageTotals, entry(a_page()))
    assert fold(TOTALS, [sent, sent]) == FoldReport(increments=1, batches=1, duplicate_batches=1)
    assert fold(TOTALS, [sent]) == FoldReport(duplicate_batches=1)
    assert total(PageTotals) == 1


def test_a_known_batch_does_not_hide_a_new_one() -> None:
    page = a_page()
    fold(TOTALS, [known := batch(PageTotals, entry(page))])
    assert fold(TOTALS, [known, batch(PageTotals, entry(page))]).increments == 1
    assert total(PageTotals) == 2


def test_a_malformed_message_is_set_aside_once() -> None:
    garbage = Malformed.of(TOTALS, b"garbage", "no JSON")
    for _ in range(2):
        fold(TOTALS, [garbage, garbage])
    assert reasons() == ["no JSON"]


def test_a_batch_past_the_horizon_is_set_aside_whole() -> None:
    long_ago = timezone.now() - ledger.horizon() - timedelta(minutes=1)
    page = a_page()
    old_id = f"{int(long_ago.timestamp() * 1000):012x}" + "0" * 20
    old = replace(batch(PageTotals, entry(page), entry(page, "likes")), id=old_id)
    assert fold(TOTALS, [old, batch(PageTotals, entry(page))]).quarantined == 1
    assert (total(PageTotals), len(reasons())) == (1, 1)


def test_a_batch_without_entries_is_only_entered() -> None:
    assert fold(TOTALS, [batch(PageTotals, filtered=2)]) == FoldReport(batches=1, filtered=2)
    assert LedgerEntry.objects.get().filtered == 2


def test_the_statements_of_a_fold_do_not_grow_with_its_hits(
    django_assert_max_num_queries: Any,
) -> None:
    pages = [a_page(slug) for slug in "abcdefgh"]
    group = [batch(PageTotals, *(entry(page) for page in pages)) for _ in range(20)]
    with django_assert_max_num_queries(12):
        fold(TOTALS, group)
    assert counts(PageTotals) == {page.pk: 20 for page in pages}


# the unfit alone


@for_each("label", ["testapp.Gone", "nonsense", "testapp.Page", "\ud800"])
def test_a_class_that_is_none_is_set_aside(label: str) -> None:
    page = a_page()
    gone = Batch.of(batch_id(segments.new_id(), "a"), label, (entry(page), entry(page, "b")))
    assert fold(label, [gone]).quarantined == 1
    assert QuarantinedMessage.objects.get().increments == 2


@for_each(
    "bad",
    [
        {"amount": 1 << 40},
        {"amount": -(1 << 40)},
        {"amount": 0.5},
        {"amount": Decimal("0.5")},
        {"field": "likes"},
        {"object_id": "x"},
        {"period": "2026-11-21", "object_id": "0x1"},
        {"parent": "testapp.Gone"},
    ],
)
def test_a_bad_entry_takes_no_good_one_along(bad: dict[str, Any]) -> None:
    one, other = a_page("one"), a_page("other")
    group = [
        batch(PageTotals, entry(one, amount=3)),
        batch(PageTotals, entry(one)._replace(**bad), entry(other)),
        batch(PageTotals, entry(one, amount=4)),
    ]
    report = fold(TOTALS, group)
    assert (report.quarantined, report.increments) == (1, 3)
    assert counts(PageTotals) == {one.pk: 7, other.pk: 1}
    assert QuarantinedMessage.objects.get().batch_id == group[1].id


def test_what_has_no_parent_takes_nobody_along() -> None:
    page = a_page()
    gone = Page(pk=page.pk + 1)
    fold("testapp.PageParentTotals", [batch(PageParentTotals, entry(gone), entry(page))])
    assert (counts(PageParentTotals), reasons()) == ({page.pk: 1}, ["its object does not exist"])


def test_two_ways_to_write_a_key_are_one_row() -> None:
    uuid = "12345678-1234-5678-1234-567812345678"
    forms = (uuid, uuid.replace("-", ""), uuid.upper().replace("A", "a"))
    days = ("2026-11-21", "20261121", "2026-W47-6")
    entries = [
        Entry("testapp.Download", form, day, "views", 1, 1) for form in forms for day in days
    ]
    fold("testapp.DownloadData", [batch(DownloadData, *entries)])
    assert (list(counts(DownloadData).values()), reasons()) == ([9], [])


def test_a_class_whose_period_grew_longer_adds_the_shorter_ones_up() -> None:
    page = a_page()
    hours = [f"2026-11-21T{hour:02}:00:00+00:00" for hour in range(24)]
    fold("testapp.PageData", [batch(PageData, *(entry(page, period=hour) for hour in hours))])
    assert (list(counts(PageData).values()), reasons()) == ([24], [])


def test_sums_that_overflow_are_set_aside() -> None:
    page = a_page()
    entries = [entry(page, "small", (1 << 15) - 1), entry(page, "likes", hits=(1 << 63) - 1)]
    report = fold("testapp.PageSizes", [batch(PageSizes, *entries) for _ in range(3)])
    assert report.quarantined == 3
    assert total(PageSizes, "small") == (1 << 15) - 1


@pytest.mark.vendor("postgresql")
def test_a_column_that_fills_itself_keeps_no_sum_from_being_set_aside() -> None:
    with connection.cursor() as cursor:
        column = "extra bigint GENERATED ALWAYS AS IDENTITY"
        cursor.execute(f"ALTER TABLE testapp_pagetotals ADD COLUMN {column}")
    one, other = a_page("one"), a_page("other")
    fold(TOTALS, [batch(PageTotals, entry(one))])
    too_much = batch(PageTotals, entry(one, amount=(1 << 31) - 1))
    report = fold(TOTALS, [too_much, batch(PageTotals, entry(other))])
    assert (report.increments, report.quarantined) == (1, 1)
    assert counts(PageTotals) == {one.pk: 1, other.pk: 1}


TEXTS = ["", "1.5", "\0", "\ud800", "☃🐍", "x" * 300, "01", "1" * 32, str(1 << 63), "auth.User"]
DAYS = ["", "2026-11-21", "2026-11-21T10:00:00+00:00"]
TIMES = ["20261121", "2026-11-21T10:30:00+05:30", "0001-01-01T00:00:00+14:00", "9999-12-31"]
FIELDS = ["views", "score", "revenue", "seconds", "object_id", "small", "positive_big"]
NUMBERS = [1 << 31, 1 << 63, -(10**99), 0.5, 1.7e308, Decimal("0.01"), Decimal("9" * 99)]
ODD = {
    "parent": TEXTS,
    "object_id": TEXTS,
    "period": TEXTS + TIMES,
    "field": TEXTS + FIELDS,
    "amount": NUMBERS,
}


def an_odd_entry(dice: random.Random) -> Entry:
    cells = dice.sample(sorted(ODD), dice.randint(0, 3))
    good = Entry("testapp.Page", "1", dice.choice(DAYS), "views", 1, 1)
    return good._replace(**{cell: dice.choice(ODD[cell]) for cell in cells})


@for_each(
    "data_cls", [PageData, PageTotals, PageHours, PageParentData, PageSizes, DownloadData, LinkData]
)
def test_whatever_arrives_is_counted_or_set_aside(data_cls: DataClass) -> None:
    a_page()
    for seed in range(10):
        dice = random.Random(seed)
        group = [batch(data_cls, *(an_odd_entry(dice) for _ in range(4))) for _ in range(3)]
        report = fold(data_cls._meta.label, group)
        kept = QuarantinedMessage.objects.filter(batch_id__in=[sent.id for sent in group])
        set_aside = sum(kept.values_list("increments", flat=True))
        assert report.increments + set_aside == sum(sent.hits for sent in group)


# again after an error


@committing
@pytest.mark.parametrize("error", [OperationalError("deadlock"), InterfaceError("gone")])
@pytest.mark.parametrize("step", [(ledger, "claim"), (upsert, "add")], ids=["claim", "add"])
def test_what_may_succeed_is_tried_again(
    error: Exception, step: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = a_page()
    monkeypatch.setattr(*step, raising(error, getattr(*step), times=2))
    assert fold(TOTALS, [batch(PageTotals, entry(page, hits=3))]).increments == 3
    assert counts(PageTotals) == {page.pk: 1}


@committing
def test_a_content_type_of_a_transaction_that_was_undone_is_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = a_page()
    ContentType.objects.filter(app_label="testapp", model="page").delete()
    ContentType.objects.clear_cache()
    monkeypatch.setattr(upsert, "add", raising(OperationalError("deadlock"), upsert.add))
    assert fold(TOTALS, [batch(PageTotals, entry(page))]).increments == 1
    assert (counts(PageTotals), reasons()) == ({page.pk: 1}, [])


@committing
def test_a_commit_whose_answer_was_lost_does_not_count_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page = a_page()
    lost = raising(OperationalError("server has gone away"), connection._commit)
    monkeypatch.setattr(connection, "_commit", lost)
    before = connection.connection
    report = fold(TOTALS, [batch(PageTotals, entry(page))])
    assert (counts(PageTotals), report.duplicate_batches) == ({page.pk: 1}, 1)
    assert connection.connection is not before


@committing
def test_what_does_not_succeed_is_raised_and_folds_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing = raising(OperationalError("down"), upsert.add, times=engine.ATTEMPTS)
    monkeypatch.setattr(upsert, "add", failing)
    with pytest.raises(OperationalError, match="down"):
        fold(TOTALS, [sent := batch(PageTotals, entry(a_page()))])
    assert (PageTotals.objects.count(), LedgerEntry.objects.count()) == (0, 0)
    assert fold(TOTALS, [sent]).increments == 1


@committing
def test_a_parent_that_goes_while_it_is_counted_is_set_aside(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, gone = a_page(), Page(pk=999_999)
    answers = [lambda cleaner, rows, target: rows, RowCleaner._with_parents]
    monkeypatch.setattr(RowCleaner, "_with_parents", lambda *args: answers.pop(0)(*args))
    fold("testapp.PageParentTotals", [batch(PageParentTotals, entry(page), entry(gone))])
    assert (counts(PageParentTotals), len(reasons())) == ({page.pk: 1}, 1)


def test_a_crash_before_the_commit_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = batch(PageTotals, entry(a_page()))
    monkeypatch.setattr(upsert, "add", raising(Crash(), upsert.add))
    with pytest.raises(Crash):
        fold(TOTALS, [sent])
    assert (PageTotals.objects.count(), LedgerEntry.objects.count()) == (0, 0)
    assert fold(TOTALS, [sent]).increments == 1


def test_a_transaction_of_the_callers_is_refused() -> None:
    sent = batch(PageTotals, entry(a_page()))
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        fold(TOTALS, [sent])
    assert fold(TOTALS, [sent]).increments == 1


# together


@committing
def test_folds_that_hold_the_same_batches_count_them_once() -> None:
    pages = [a_page(slug) for slug in "abc"]
    group = [batch(PageTotals, *(entry(page) for page in pages)) for _ in range(8)]

    def fold_in_turn(turn: int) -> list[FoldReport]:
        starts = [(number + turn * 2) % 8 for number in range(0, 8, 2)]
        return [fold(TOTALS, group[at : at + 2]) for at in starts]

    found = in_threads(*(partial(fold_in_turn, turn) for turn in range(3)))
    reports = [report for each in found for report in each]
    assert counts(PageTotals) == {page.pk: 8 for page in pages}
    assert sum(report.increments for report in reports) == 24
    assert sum(report.duplicate_batches for report in reports) == 16
