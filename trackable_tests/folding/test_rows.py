"""Rows: what is fit becomes a row, what is not is set aside with the reason."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.utils import timezone

from trackable.batches import Batch, Entry
from trackable.counters import field_range
from trackable.folding.aggregate import aggregate
from trackable.folding.keys import NO_PARENT
from trackable.folding.quarantine import Reject
from trackable.folding.rows import Row, RowCleaner
from trackable_tests.counting import DataClass, a_page
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    DownloadData,
    LinkData,
    Page,
    PageData,
    PageHours,
    PageMonths,
    PageParentData,
    PageSizes,
    PageTotals,
)

pytestmark = pytest.mark.django_db

DAY = "2026-11-21"
SIZES = "testapp.PageSizes"
UUID = "12345678-1234-5678-1234-567812345678"


def clean(data_cls: DataClass, *cells: tuple[Any, ...]) -> tuple[list[Row], list[Reject]]:
    """Clean entries of (parent, object id, period, field, amount), one hit each."""
    entries = tuple(Entry(*each, 1) for each in cells)
    found = aggregate([Batch.of("1" * 32, data_cls._meta.label, entries)])
    cleaner = RowCleaner(data_cls, "default")
    return cleaner.clean(found[data_cls._meta.label]), cleaner.rejects


def reason_of(data_cls: DataClass, *cells: Any) -> str:
    """Return why an entry is rejected beside another one that is not."""
    good = ("testapp.Page", "7", DAY, "views", 1)
    rows, rejects = clean(data_cls, cells, good)
    assert [row.origin[1] for row in rows] == ["7"]
    return rejects[0].reason


def test_a_key_has_the_types_of_its_fields() -> None:
    page_type = ContentType.objects.get_for_model(Page).pk
    rows, rejects = clean(PageData, ("testapp.Page", "7", DAY, "views", 3))
    assert [row.key for row in rows] == [(page_type, 7, date(2026, 11, 21))]
    assert (rows[0].amounts, rejects) == ({"views": 3}, [])


def test_an_hour_is_an_aware_datetime() -> None:
    rows, _ = clean(PageHours, ("testapp.Page", "7", "2026-11-21T10:00:00+00:00", "views", 1))
    assert rows[0].key[2] == datetime(2026, 11, 21, 10, tzinfo=UTC)


def test_a_class_without_a_period_has_no_time_in_its_key() -> None:
    rows, _ = clean(PageTotals, ("testapp.Page", "7", "", "views", 1))
    assert len(rows[0].key) == 2


def test_rows_come_in_the_order_of_their_keys() -> None:
    rows, _ = clean(PageData, *(("testapp.Page", str(n), DAY, "views", 1) for n in (10, 9, 100, 1)))
    assert [row.key[1] for row in rows] == [1, 9, 10, 100]


def test_the_counters_of_one_row_come_together() -> None:
    cells = ("testapp.Page", "7", DAY)
    rows, _ = clean(PageData, (*cells, "views", 1), (*cells, "revenue", Decimal("0.5")))
    assert [row.amounts for row in rows] == [{"views": 1, "revenue": Decimal("0.5")}]


def test_types_that_the_field_takes_are_added_up() -> None:
    cells = ("testapp.Page", "7", DAY, "seconds")
    rows, rejects = clean(PageData, (*cells, 1), (*cells, 0.5))
    assert ([row.amounts for row in rows], rejects) == ([{"seconds": 1.5}], [])


def test_of_types_that_do_not_fit_together_the_first_is_added() -> None:
    cells = ("testapp.Page", "7", DAY, "revenue")
    rows, rejects = clean(PageData, (*cells, Decimal("9999999999.99")), (*cells, 9_999_999_999))
    assert [row.amounts for row in rows] == [{"revenue": Decimal("9999999999.99")}]
    assert [reject.increments for reject in rejects] == [1]


@for_each(
    "cells, reason",
    [
        (("testapp.Page", "8", DAY, "likes", 1), "has no counter 'likes'"),
        (("testapp.Page", "8", DAY, "object_id", 1), "has no counter 'object_id'"),
        (("testapp.Page", "8", DAY, "id", 1), "has no counter 'id'"),
        (("testapp.Page", "8", DAY, "views", 0.5), "is not an integer"),
        (("testapp.Page", "8", DAY, "views", 1 << 40), "is more than the column can hold"),
        (("testapp.Page", "8", DAY, "revenue", Decimal("0.001")), "2 decimal places"),
        (("testapp.Nowhere", "8", DAY, "views", 1), "there is no model 'testapp.Nowhere'"),
        (("nonsense", "8", DAY, "views", 1), "there is no model 'nonsense'"),
        (("testapp.Page", "eight", DAY, "views", 1), "must be an integer"),
        (("testapp.Page", "-8", DAY, "views", 1), "greater than or equal to 0"),
        (("testapp.Page", "", DAY, "views", 1), ""),
        (("testapp.Page", "8\0", DAY, "views", 1), "no database stores"),
        (("testapp.Page", str(1 << 64), DAY, "views", 1), "less than or equal to"),
        (("testapp.Page", "8", "yesterday", "views", 1), "Invalid isoformat"),
        (("testapp.Page", "8", "", "views", 1), "Invalid isoformat"),
        (("testapp.Page", "8", "2026-11-21T10:00", "views", 1), "has no time zone"),
        (("testapp.Page", "8", "0001-01-01T00:00+14:00", "views", 1), ""),
    ],
)
def test_what_is_unfit_is_set_aside_with_the_reason(cells: tuple[Any, ...], reason: str) -> None:
    assert reason in reason_of(PageData, *cells)


def test_an_unfit_counter_leaves_its_row_to_the_others() -> None:
    cells = ("testapp.Page", "7", DAY)
    rows, rejects = clean(PageData, (*cells, "views", 0.5), (*cells, "clicks", 1))
    assert ([row.amounts for row in rows], len(rejects)) == ([{"clicks": 1}], 1)


def test_a_day_is_no_hour() -> None:
    _, rejects = clean(PageHours, ("testapp.Page", "7", DAY, "views", 1))
    assert rejects[0].reason == "the day 2026-11-21 is no hour"


def test_a_finer_period_falls_into_the_coarser_one() -> None:
    rows, _ = clean(PageMonths, ("testapp.Page", "7", DAY, "views", 1))
    assert rows[0].key[2] == date(2026, 11, 1)


@for_each(
    "data_cls, object_id, reason",
    [
        (DownloadData, "12", "not a valid UUID"),
        (LinkData, "x" * 65, "at most 64 characters"),
        (LinkData, "\ud800", "no database stores"),
    ],
)
def test_other_keys_are_checked_too(data_cls: DataClass, object_id: str, reason: str) -> None:
    rows, rejects = clean(data_cls, ("testapp.Page", object_id, DAY, "views", 1))
    assert (rows, reason in rejects[0].reason) == ([], True)


def test_a_parent_that_does_not_exist_is_set_aside() -> None:
    page = a_page()
    cells = [("testapp.Page", str(pk), DAY, "views", 1) for pk in (page.pk, page.pk + 1)]
    rows, rejects = clean(PageParentData, *cells)
    assert [row.key[0] for row in rows] == [page.pk]
    assert [reject.reason for reject in rejects] == ["its object does not exist"]


@for_each("text", [str(1 << 31), str(1 << 63), str(-(1 << 70)), "9" * 4000])
def test_no_database_is_asked_for_a_number_that_it_cannot_hold(text: str) -> None:
    page = a_page()
    cells = [("testapp.Page", key, DAY, "views", 1) for key in (text, str(page.pk))]
    rows, rejects = clean(PageParentData, *cells)
    assert [row.key[0] for row in rows] == [page.pk]
    assert [reject.reason for reject in rejects] == [NO_PARENT]


def test_a_content_type_that_was_replaced_is_found_again() -> None:
    old = ContentType.objects.get_for_model(Page).pk
    ContentType.objects.filter(pk=old).delete()
    rows, _ = clean(PageData, ("testapp.Page", "7", DAY, "views", 1))
    assert rows[0].key[0] != old
    assert ContentType.objects.filter(pk=rows[0].key[0], model="page").exists()


@pytest.mark.parametrize("name", ["positive_small", "positive_big"])
def test_decrements_that_are_too_much_together_bring_any_value_to_zero(name: str) -> None:
    field = PageSizes._meta.get_field(name)
    top = connection.ops.integer_field_range(field.get_internal_type())[1]
    low = field_range(field)[0]
    sent = Entry("testapp.Page", "7", "", name, 3 * low, 3)
    cleaner = RowCleaner(PageSizes, "default")
    [row] = cleaner.clean(aggregate([Batch.of("1" * 32, SIZES, (sent,))])[SIZES])
    assert (row.amounts, cleaner.rejects) == ({name: max(3 * low, -top)}, [])


def test_a_row_can_be_taken_apart_by_field() -> None:
    cells = ("testapp.Page", "7", DAY)
    [row], _ = clean(PageData, (*cells, "views", 1), (*cells, "clicks", 2))
    parts = [part for [part] in row.by_field()]
    assert [part.amounts for part in parts] == [{"views": 1}, {"clicks": 2}]
    assert [[reject.increments for reject in p.rejects(PageData, "")] for p in parts] == [[1], [1]]


def test_naive_hours_are_those_of_the_site_whoever_folds(settings: Any) -> None:
    settings.USE_TZ = False
    with timezone.override(ZoneInfo("Asia/Tokyo")):
        rows, _ = clean(PageHours, ("testapp.Page", "7", f"{DAY}T12:00:00+00:00", "views", 1))
    assert [row.key[-1].isoformat() for row in rows] == [f"{DAY}T12:00:00"]
