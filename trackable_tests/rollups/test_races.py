"""Roll-ups beside folds, and beside one another: nothing is lost, and nothing is doubled."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections, transaction

from trackable.folding import upsert
from trackable.folding.engine import fold
from trackable.folding.rows import Row
from trackable.rollups import portions
from trackable.rollups.rolling import RollUpReport, roll_up
from trackable_tests.bounds.databases import BLOCKED_POLL_SECONDS, blocked, committing, servers
from trackable_tests.bounds.threads import in_threads
from trackable_tests.counting import a_page, batch, counts, entry, reasons, total
from trackable_tests.faults.waiting import until
from trackable_tests.rollups.keeping import HOURS_AND_DAYS, NOW, Keep, add, at
from trackable_tests.testapp.models import Page, PageHours

HOURS = "testapp.PageHours"

pytestmark = pytest.mark.django_db


def roll() -> RollUpReport:
    return roll_up(PageHours, now=NOW)


def fold_hour(*pages: Page, hour: int, day: int = 1) -> None:
    period = f"2026-09-{day:02}T{hour:02}:00:00+00:00"
    fold(HOURS, [batch(PageHours, *(entry(page, period=period) for page in pages))])


@committing
def test_folds_and_roll_ups_at_once(keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(PageHours, HOURS_AND_DAYS)
    monkeypatch.setattr(portions, "ROWS_AT_A_TIME", 8)
    pages = [a_page(slug) for slug in "abcde"]
    for page in pages:
        for day in (1, 2, 3):
            for hour in range(0, 24, 5):
                add(PageHours, page, at(2026, 9, day, hour))

    def fold_late(turn: int) -> Any:
        def fold_some() -> None:
            for number in range(12):
                fold_hour(*pages[turn:], hour=(number * 5 + turn) % 24, day=number % 3 + 1)

        return fold_some

    in_threads(roll, roll, fold_late(0), fold_late(1))
    assert total(PageHours) == 5 * 3 * 5 + 12 * (5 + 4)
    roll()
    assert sorted(counts(PageHours)) == [
        (page.pk, at(2026, 9, day)) for page in pages for day in (1, 2, 3)
    ]
    assert (total(PageHours), reasons()) == (75 + 108, [])


@servers
@committing
def test_what_a_fold_adds_before_rows_are_deleted_is_not_deleted_with_them(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(PageHours, HOURS_AND_DAYS)
    page = a_page()
    for hour in (3, 4):
        add(PageHours, page, at(2026, 9, 1, hour))
    is_summed = threading.Event()
    delete = portions._Transaction._delete

    def delete_once_a_fold_waits(work: Any, pks: Any) -> None:
        is_summed.set()
        monkeypatch.undo()
        until(blocked, every=BLOCKED_POLL_SECONDS)
        delete(work, pks)

    def fold_then() -> None:
        assert is_summed.wait(30)
        fold_hour(page, hour=9)  # a row that nobody has locked
        fold_hour(page, hour=4)

    monkeypatch.setattr(portions._Transaction, "_delete", delete_once_a_fold_waits)
    in_threads(roll, fold_then)
    coarse, *late = ((page.pk, at(2026, 9, 1, hour)) for hour in (0, 4, 9))
    assert counts(PageHours) == {coarse: 2, late[0]: 1, late[1]: 1}
    keep(PageHours, HOURS_AND_DAYS)
    roll()
    assert counts(PageHours) == {coarse: 4}


@servers
@committing
@pytest.mark.parametrize("is_coarse", [False, True])
def test_a_roll_up_that_waits_for_a_fold_sums_what_that_adds(keep: Keep, is_coarse: bool) -> None:
    """Into a row that is to be summed up, or the one that is to be made."""
    keep(PageHours, HOURS_AND_DAYS)
    page = a_page()
    for hour in (3, 4):
        add(PageHours, page, at(2026, 9, 1, hour))
    key = PageHours.objects.values_list("content_type_id", "object_id").first()
    is_folded = threading.Event()

    def fold_slowly() -> None:
        with transaction.atomic():
            row = Row((*key, at(2026, 9, 1, 0 if is_coarse else 4)), {"views": 5}, ("",) * 3, {})
            upsert.add("default", PageHours, [row])
            is_folded.set()
            until(blocked, every=BLOCKED_POLL_SECONDS)

    def roll_then() -> None:
        assert is_folded.wait(30)
        roll()

    in_threads(fold_slowly, roll_then)
    assert counts(PageHours) == {(page.pk, at(2026, 9, 1)): 7}


@committing
def test_a_row_that_a_fold_made_by_what_it_knew_before_is_summed_by_the_next_run(
    keep: Keep,
) -> None:
    from trackable.folding.aggregate import aggregate
    from trackable.folding.rows import RowCleaner

    keep(PageHours, HOURS_AND_DAYS)
    page = a_page()
    add(PageHours, page, at(2026, 9, 1, 3))
    made = batch(PageHours, entry(page, period="2026-09-01T04:00:00+00:00"))
    rows = RowCleaner(PageHours, "default").clean(aggregate([made])[HOURS])
    roll()
    upsert_in_a_transaction(rows)
    assert len(counts(PageHours)) == 2
    assert roll().rows == 1
    assert counts(PageHours) == {(page.pk, at(2026, 9, 1)): 2}


def upsert_in_a_transaction(rows: list[Row]) -> None:
    with transaction.atomic():
        upsert.add("default", PageHours, rows)
    connections.close_all()
