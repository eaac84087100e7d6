"""Tables at their bounds: full counters, objects and columns that go, a table that changes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.db import Error, connection, models

from trackable.counters import is_positive
from trackable.folding import overflows, upsert
from trackable.folding.engine import fold
from trackable.messaging import process_messages
from trackable.models import QuarantinedMessage
from trackable_tests.bounds.columns import COUNTERS, bound_of
from trackable_tests.bounds.databases import (
    PARENTS,
    TOTALS,
    Attempts,
    Elsewhere,
    committing,
    execute,
    servers,
)
from trackable_tests.counting import DataClass, a_page, batch, counts, emit, entry, reasons, total
from trackable_tests.testapp.models import Page, PageHours, PageParentTotals, PageSizes, PageTotals

DAY = "2026-11-21"

pytestmark = pytest.mark.django_db


# what a column cannot hold


def step_of(field: models.Field[Any, Any], sign: int) -> Any:
    if isinstance(field, models.DecimalField):
        return sign * Decimal("0.01")
    return sign * (sys.float_info.max / 2 if isinstance(field, models.FloatField) else 1)


@pytest.mark.parametrize("sign", [1, -1], ids=["most", "least"])
@pytest.mark.parametrize(("data_cls", "name"), COUNTERS)
def test_a_full_counter_takes_nobody_along(data_cls: DataClass, name: str, sign: int) -> None:
    field = data_cls._meta.get_field(name)
    neighbour = next(n for n in ("clicks", "big", "small") if n != name and hasattr(data_cls, n))
    pages = [a_page(slug) for slug in ("full", "empty", "nearly")]
    period = DAY if data_cls.period else ""
    label, step, bound = data_cls._meta.label, step_of(field, sign), bound_of(field, sign)
    fold(label, [batch(data_cls, *(entry(page, name, abs(step), period=period) for page in pages))])
    rows = data_cls._base_manager
    rows.filter(object_id=pages[0].pk).update(**{name: bound})
    rows.filter(object_id=pages[2].pk).update(**{name: bound - step})
    added = [entry(page, name, step, 5, period=period) for page in pages]
    report = fold(label, [batch(data_cls, *added, entry(pages[0], neighbour, 7, period=period))])
    values = dict(rows.values_list("object_id", name))
    assert [values[page.pk] for page in pages] == [bound, step + abs(step), bound]
    assert rows.values_list(neighbour, flat=True).get(object_id=pages[0].pk) == 7
    if is_positive(field) and sign < 0:  # it stops at zero
        assert (report.increments, report.quarantined) == (22 - 6, 0)
        return
    kept = QuarantinedMessage.objects.get()
    assert (kept.increments, kept.reason) == (5, overflows.REASON)
    assert report.increments == 11


def test_thousands_of_full_counters_are_found_with_few_statements(
    django_assert_max_num_queries: Any,
) -> None:
    number = 2000
    pages = [Page(pk=pk) for pk in range(1, number + 1)]
    sent = [batch(PageTotals, *(entry(page) for page in pages)) for _ in range(2)]
    fold(TOTALS, [sent[0]])
    field = PageTotals._meta.get_field("views")
    PageTotals.objects.exclude(object_id__in=[1, 2]).update(views=bound_of(field))
    with django_assert_max_num_queries(70):
        report = fold(TOTALS, [sent[1]])
    assert (report.quarantined, report.increments) == (number - 2, 2)
    assert total(PageTotals) == (number - 2) * bound_of(field) + 4


def test_a_counter_that_fills_up_with_its_own_sum_is_set_aside() -> None:
    page, top = a_page(), bound_of(PageSizes._meta.get_field("big"))
    fold("testapp.PageSizes", [batch(PageSizes, entry(page, "big", top))])
    fold("testapp.PageSizes", [batch(PageSizes, entry(page, "big", 1), entry(page, "small", 1))])
    assert list(PageSizes.objects.values_list("big", "small")) == [(top, 1)]
    assert reasons() == [overflows.REASON]


# parents that are deleted


def test_counts_of_a_generic_relation_outlive_their_object() -> None:
    page, other = a_page("gone"), a_page("other")
    emit(page, data_cls=PageTotals)
    emit(other, data_cls=PageTotals)
    key = page.pk
    page.delete()
    assert (process_messages(), counts(PageTotals)) == (2, {key: 1, other.pk: 1})


def test_counts_of_a_foreign_key_are_set_aside_without_their_object() -> None:
    page, other = a_page("gone"), a_page("other")
    emit(page, data_cls=PageParentTotals, times=3)
    emit(other, data_cls=PageParentTotals)
    page.delete()
    assert (process_messages(), counts(PageParentTotals)) == (1, {other.pk: 1})
    assert reasons() == ["its object does not exist"]
    assert QuarantinedMessage.objects.get().increments == 3


@servers
@committing
def test_an_object_that_is_deleted_during_the_fold_takes_nobody_along(
    elsewhere: Elsewhere, attempts: Attempts, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [a_page(slug) for slug in "abcde"]
    sent = batch(PageParentTotals, *(entry(page) for page in pages))
    real = upsert.add

    def add(*args: Any) -> None:
        # The fold has seen the object by now; PostgreSQL would find out at COMMIT alone.
        elsewhere(Page.objects.filter(pk=pages[1].pk).delete).result()
        real(*args)

    monkeypatch.setattr(upsert, "add", add)
    report = fold(PARENTS, [sent])
    assert (report.increments, report.quarantined, attempts) == (4, 1, [1])
    assert counts(PageParentTotals) == {page.pk: 1 for page in pages if page != pages[1]}
    assert "refuses" in reasons()[0]


# tables that are changed


@contextmanager
def renamed_column() -> Iterator[None]:
    """Take a counter's column away for a while, as a migration does for good."""
    table = connection.ops.quote_name(PageHours._meta.db_table)
    execute(f"ALTER TABLE {table} RENAME COLUMN views TO gone")
    try:
        yield
    finally:
        execute(f"ALTER TABLE {table} RENAME COLUMN gone TO views")


@contextmanager
def column_more() -> Iterator[None]:
    """Add a column that code of an earlier version does not know of, and cannot fill."""
    field = models.IntegerField(default=0)
    field.set_attributes_from_name("later")
    field.model = PageHours
    with connection.schema_editor() as editor:
        editor.add_field(PageHours, field)
    try:
        yield
    finally:
        with connection.schema_editor() as editor:
            editor.remove_field(PageHours, field)


@committing
@pytest.mark.parametrize("change", [renamed_column, column_more])
def test_code_that_is_older_than_its_table_loses_nothing(
    change: Callable[[], Any], attempts: Attempts
) -> None:
    page = a_page()
    emit(page, data_cls=PageHours, times=2)
    emit(page, data_cls=PageTotals)
    with change():
        for _ in range(2):
            with pytest.raises(Error):
                process_messages()
            assert (counts(PageTotals), PageHours.objects.values("pk").count()) == ({page.pk: 1}, 0)
        assert reasons() == []
    assert process_messages() == 2
    assert list(counts(PageHours).values()) == [2]


def test_messages_for_a_field_that_was_removed_are_set_aside() -> None:
    page = a_page()
    emit(page, data_cls=PageTotals)
    old = batch(PageTotals, entry(page, "visits", hits=4), entry(page))
    assert fold(TOTALS, [old]).increments == 1
    assert process_messages() == 1
    assert "has no counter 'visits': its counters are views" in reasons()[0]


@committing
def test_a_column_that_grows_while_messages_wait_takes_what_they_bring() -> None:
    page = a_page()
    fold(TOTALS, [batch(PageTotals, entry(page))])
    old, new = PageTotals._meta.get_field("views"), models.PositiveBigIntegerField(default=0)
    new.set_attributes_from_name("views")
    new.model = PageTotals
    with connection.schema_editor() as editor:
        editor.alter_field(PageTotals, old, new)
    try:
        fold(TOTALS, [batch(PageTotals, entry(page, amount=5))])
        assert (counts(PageTotals), reasons()) == ({page.pk: 6}, [])
    finally:
        with connection.schema_editor() as editor:
            editor.alter_field(PageTotals, new, old)
