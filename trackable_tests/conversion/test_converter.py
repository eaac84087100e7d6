"""Records become counts: each once, added to what is there, whatever interrupts it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError

from trackable.conversion import adding as module
from trackable.conversion.converter import ConversionReport, Converter
from trackable.conversion.plan import BadConversion, Match
from trackable.folding import ledger
from trackable.messaging import process_messages
from trackable.models import LedgerEntry
from trackable_tests.conversion.old import FIRST_DAY, a_plan, convert, old_hits
from trackable_tests.counting import Crash, counts, emit, total
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    Link,
    LinkData,
    OldHits,
    Page,
    PageData,
    PageHours,
    PageMonths,
    PageParentData,
    PageTotals,
)

pytestmark = pytest.mark.django_db


def test_records_are_added_by_object_and_day() -> None:
    records = old_hits(3)
    assert convert() == ConversionReport(converted=3)
    key = records[0].page_id
    assert counts(PageData) == {
        (key, FIRST_DAY): 1,
        (key, FIRST_DAY + timedelta(1)): 2,
        (key, FIRST_DAY + timedelta(2)): 3,
    }


@pytest.mark.vendor("sqlite")
def test_records_are_added_without_time_zones(settings: Any) -> None:
    settings.USE_TZ = False
    old_hits(3)
    assert convert() == ConversionReport(converted=3)
    assert convert() == ConversionReport(before=3)


def test_counts_are_added_to_what_is_there() -> None:
    (record,) = old_hits(1, day=date(2026, 11, 21), hits=5)
    emit(record.page, when=datetime(2026, 11, 21, 12, tzinfo=UTC))
    process_messages()
    convert()
    assert counts(PageData) == {(record.page_id, date(2026, 11, 21)): 6}


def test_records_of_one_row_add_up() -> None:
    old_hits(5)
    convert(a_plan(data_cls=PageMonths))
    assert {month: views for (_, month), views in counts(PageMonths).items()} == {
        date(2020, 2, 1): 6,
        date(2020, 3, 1): 9,
    }


def test_data_class_without_a_time_takes_all() -> None:
    old_hits(5)
    convert(a_plan(data_cls=PageTotals, period=None))
    assert list(counts(PageTotals).values()) == [15]


def test_foreign_keys_are_parents_too() -> None:
    old_hits(5)
    convert(a_plan(data_cls=PageParentData))
    assert total(PageParentData) == 15


def test_moments_become_hours() -> None:
    moment = datetime(2020, 2, 27, 23, 59, tzinfo=UTC)
    old_hits(2, moment=moment)
    convert(a_plan(data_cls=PageHours, period="moment"))
    assert [hour for _, hour in counts(PageHours)] == [moment.replace(minute=0)]


def test_moments_become_days_of_the_current_time_zone(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    old_hits(1, moment=datetime(2020, 2, 27, 23, 59, tzinfo=UTC))
    convert(a_plan(period="moment"))
    assert [day for _, day in counts(PageData)] == [date(2020, 2, 28)]


def test_several_fields_are_converted_at_once() -> None:
    old_hits(2, sales=Decimal("1.25"))
    convert(a_plan(updates=(("hits", "views"), ("sales", "revenue"), ("hits", "score"))))
    sums = [total(PageData, field) for field in ("views", "revenue", "score")]
    assert sums == [3, Decimal("2.50"), 3]


def test_empty_values_add_nothing() -> None:
    old_hits(1, hits=None)
    assert convert() == ConversionReport(converted=1)
    assert counts(PageData) == {}


def test_objects_are_found_at_the_end_of_a_chain_and_by_generic_relations() -> None:
    link = Link.objects.create(code="L")
    kind = ContentType.objects.get_for_model(OldHits)
    (inner,) = old_hits(1)
    old_hits(1, page=None, content_type=kind, object_id=inner.pk)
    convert(a_plan(link="thing.page"))
    assert (total(PageData), Link.objects.get()) == (1, link)


def test_objects_are_found_by_a_value() -> None:
    Page.objects.bulk_create([Page(slug="b"), Page(slug="c")])
    for slug in ("b", "c", "c", "d", ""):
        old_hits(1, slug=slug, page=None, hits=2)
    report = convert(a_plan(match=Match("slug", Page, "slug")))
    assert (report.converted, report.without_object) == (3, 2)
    slugs = {page.pk: page.slug for page in Page.objects.all()}
    assert {slugs[key]: views for (key, _), views in counts(PageData).items()} == {"b": 2, "c": 4}


def test_objects_with_other_keys_are_found() -> None:
    Link.objects.create(code="L")
    old_hits(1, slug="L")
    convert(a_plan(data_cls=LinkData, match=Match("slug", Link, "code")))
    assert counts(LinkData) == {("L", FIRST_DAY): 1}


def test_records_without_object_or_time_are_left_out() -> None:
    old_hits(1, page=None)
    old_hits(2, day=None)
    assert convert() == ConversionReport(without_object=1, without_time=2)


@for_each("order_by", [(), ("-hits",), ("day", "hits")])
@for_each("batch_size", [1, 2, 5, 100])
def test_nothing_is_added_twice(order_by: tuple[str, ...], batch_size: int) -> None:
    old_hits(5)
    plan = a_plan(order_by=order_by)
    first = convert(plan, batch_size=batch_size)
    again = convert(plan, batch_size=3)
    assert (first.converted, again) == (5, ConversionReport(before=5))
    assert total(PageData) == 15


@pytest.mark.parametrize("order_by", [(), ("-hits",)])
def test_records_that_came_later_are_added(order_by: tuple[str, ...]) -> None:
    old_hits(3)
    plan = a_plan(order_by=order_by)
    convert(plan)
    old_hits(1, hits=0 if order_by else 10)
    assert convert(plan) == ConversionReport(before=3, converted=1)


def test_limit_counts_what_was_taken_before() -> None:
    old_hits(5)
    plan = a_plan(order_by=("-hits",))
    assert convert(plan, max_records=3).converted == 3
    assert total(PageData) == 12
    assert convert(plan, max_records=3) == ConversionReport(before=3)
    assert convert(plan, max_records=4, batch_size=10).converted == 1
    assert convert(max_records=9, plan=plan).converted == 1
    assert total(PageData) == 15


@pytest.mark.parametrize("batch_size", [2, 100])
def test_limit_holds_within_a_batch(batch_size: int) -> None:
    old_hits(5)
    assert convert(max_records=3, batch_size=batch_size).converted == 3


@pytest.mark.parametrize("error", [Crash(), OperationalError("gone")])
@pytest.mark.parametrize("place", ["before", "after"])
def test_interrupted_conversion_goes_on(
    place: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_hits(5)
    add, calls = module.upsert.add, []

    def add_or_fail(*args: Any) -> None:
        calls.append(args)
        if len(calls) == 2 and place == "before":
            raise error
        add(*args)
        if len(calls) == 2:
            raise error

    monkeypatch.setattr(module.upsert, "add", add_or_fail)
    with pytest.raises(type(error)):
        convert()
    assert total(PageData) == 3
    assert convert() == ConversionReport(before=2, converted=3)
    assert total(PageData) == 15


def test_marker_outlives_every_pruning(settings: Any) -> None:
    settings.TRACKABLE_LEDGER_HORIZON = 0
    old_hits(2)
    convert()
    ledger.prune("default")
    assert LedgerEntry.objects.count() == 1
    assert convert() == ConversionReport(before=2)


def changed_options() -> None:
    convert(a_plan(period="moment"))


def a_record_less() -> None:
    OldHits.objects.order_by("pk").first().delete()
    convert()


def emptied_table() -> None:
    OldHits.objects.all().delete()
    convert()


@for_each("change", [changed_options, a_record_less, emptied_table])
def test_what_cannot_be_told_is_refused(change: Callable[[], None]) -> None:
    old_hits(5, moment=datetime(2020, 2, 27, tzinfo=UTC))
    convert(max_records=4)
    with pytest.raises(BadConversion, match=r"4 records were converted before.*--forget"):
        change()
    assert total(PageData) == 10


def test_fields_of_different_progress_are_refused() -> None:
    old_hits(2)
    convert()
    with pytest.raises(BadConversion, match=r"hits:views 2, hits:clicks 0"):
        convert(a_plan(updates=(("hits", "views"), ("hits", "clicks"))))
    convert(a_plan(updates=(("hits", "clicks"),)))
    assert (total(PageData), total(PageData, "clicks")) == (3, 3)


def test_forgetting_begins_again() -> None:
    old_hits(2)
    convert()
    PageData.objects.all().delete()
    assert convert(forget=True) == ConversionReport(converted=2)
    assert total(PageData) == 3


def test_other_run_at_the_same_time_ends_one_of_them() -> None:
    old_hits(5)
    first, second = (Converter(a_plan(), batch_size=2) for _ in range(2))
    for each in (first, second):
        each.start()
    next(iter(first.run()))
    with pytest.raises(BadConversion, match="Another run"):
        next(iter(second.run()))
    second.start()
    assert sum(second.run()) == 3
    assert total(PageData) == 15


@pytest.mark.parametrize("order_by", [(), ("-hits",)])
def test_dry_run_writes_nothing(order_by: tuple[str, ...]) -> None:
    old_hits(5)
    assert convert(a_plan(order_by=order_by), dry=True).converted == 5
    assert (counts(PageData), LedgerEntry.objects.count()) == ({}, 0)
    convert()
    assert convert(dry=True, forget=True).converted == 5
    assert (total(PageData), convert()) == (15, ConversionReport(before=5))


@for_each("field, value", [("sales", Decimal("1.5")), ("slug", "many"), ("slug", "")])
def test_unfit_record_undoes_its_batch_and_is_named(field: str, value: Any) -> None:
    old_hits(3, **{field: value})
    plan = a_plan(updates=(("hits", "views"), (field, "clicks")))
    with pytest.raises(BadConversion, match=rf"Record {OldHits.objects.earliest('pk').pk}: "):
        convert(plan)
    assert (counts(PageData), LedgerEntry.objects.count()) == ({}, 0)


def test_unfit_records_are_left_out_on_request() -> None:
    old_hits(2, sales=Decimal("1.5"))
    old_hits(1, sales=None)
    told: list[str] = []
    plan = a_plan(updates=(("sales", "views"),))
    report = convert(plan, skips_unfit=True, on_unfit=told.append)
    assert (report.converted, report.unfit) == (1, 2)
    assert "'1.50' cannot be added to views" in told[0]


def test_sum_that_does_not_fit_is_unfit_too() -> None:
    old_hits(2, hits=(1 << 31) - 1, day=FIRST_DAY)
    with pytest.raises(BadConversion, match="more than the column can hold"):
        convert()
    assert counts(PageData) == {}


def test_object_that_is_not_counted_is_unfit() -> None:
    old_hits(1)
    with pytest.raises(BadConversion, match="does not count for Page"):
        convert(a_plan(data_cls=LinkData))


def test_number_of_queries_does_not_grow_with_the_records(
    django_assert_max_num_queries: Any,
) -> None:
    old_hits(200)
    with django_assert_max_num_queries(25):
        convert(batch_size=100)
