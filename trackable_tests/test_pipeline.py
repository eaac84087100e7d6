"""From emit to rows, for every data class and broker, exact row by row."""

from __future__ import annotations

import zoneinfo
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections, models, transaction
from django.utils import timezone

from trackable import conf
from trackable.broker import Broker
from trackable.folding.collect import collect
from trackable.journal import segments
from trackable.messaging import process_messages, send_decrement_message
from trackable.models import LedgerEntry
from trackable_tests.counting import (
    DataClass,
    a_page,
    batch,
    counts,
    emit,
    emit_segment,
    entry,
    fold_until_settled,
    through_brokers,
    total,
)
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    LinkData,
    Page,
    PageData,
    PageHours,
    PageMonths,
    PageParentData,
    PageParentTotals,
    PageTotals,
    PageWeeks,
    PageYears,
)

pytestmark = pytest.mark.django_db

MOMENTS = [
    datetime(2026, 11, 21, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 11, 22, tzinfo=UTC),
    datetime(2026, 11, 30, 23, 30, tzinfo=UTC),
    datetime(2026, 12, 31, 12, 15, tzinfo=UTC),
    datetime(2027, 1, 1, tzinfo=UTC),
]
HOURS = [
    datetime(2026, 11, 21, 23, tzinfo=UTC),
    datetime(2026, 11, 22, 0, tzinfo=UTC),
    datetime(2026, 11, 30, 23, tzinfo=UTC),
    datetime(2026, 12, 31, 12, tzinfo=UTC),
    datetime(2027, 1, 1, 0, tzinfo=UTC),
]
#: the periods that the moments belong to, and what one hit, two, three, four and five add up to
EXPECTED: dict[str | None, dict[Any, int]] = {
    None: {None: 15},
    "hour": dict(zip(HOURS, (1, 2, 3, 4, 5), strict=True)),
    "day": {hour.date(): number for number, hour in enumerate(HOURS, start=1)},
    "week": {date(2026, 11, 16): 3, date(2026, 11, 30): 3, date(2026, 12, 28): 9},
    "month": {
        date(2026, 11, 1): 6,
        date(2026, 12, 1): 4,
        date(2027, 1, 1): 5,
    },
    "year": {date(2026, 1, 1): 10, date(2027, 1, 1): 5},
}
PARENTS: dict[DataClass, type[models.Model]] = {
    PageData: Page,
    PageTotals: Page,
    PageHours: Page,
    PageWeeks: Page,
    PageMonths: Page,
    PageYears: Page,
    PageParentData: Page,
    PageParentTotals: Page,
    DownloadData: Download,
    LinkData: Link,
}
MAKERS: dict[type[models.Model], Any] = {
    Page: a_page,
    Download: lambda title: Download.objects.create(title=title),
    Link: lambda code: Link.objects.create(code=f"{code} é/☃", url="https://example.org/"),
}


@pytest.mark.parametrize("data_cls", PARENTS, ids=lambda cls: cls.__name__)
def test_every_data_class_is_counted_row_by_row(
    broker_url: str | None, data_cls: DataClass
) -> None:
    one, other = map(MAKERS[PARENTS[data_cls]], ("one", "other"))
    for number, when in enumerate(MOMENTS, start=1):
        emit(one, data_cls=data_cls, when=when, times=number)
        emit(other, data_cls=data_cls, when=when, times=number, value=10)
    assert process_messages() == 30
    assert counts(data_cls) == {
        (obj.pk, start) if start else obj.pk: number * factor
        for obj, factor in ((one, 1), (other, 10))
        for start, number in EXPECTED[data_cls.period].items()
    }


def test_every_type_of_counter_is_added_exactly(broker_url: str | None) -> None:
    page = a_page()
    for _ in range(2):  # the second time onto a row that is there
        emit(page, "views", 3, times=5)
        emit(page, "score", -7, times=2)
        emit(page, "revenue", Decimal("0.10"), times=3)
        emit(page, "revenue", -1)
        emit(page, "seconds", 0.25, times=3)
        assert send_decrement_message(None, page, "views", None, {"value": 2})
        assert process_messages() == 15
    row = PageData.objects.get()
    assert (row.views, row.clicks, row.score) == (26, 0, -28)
    assert (row.revenue, row.seconds) == (Decimal("-1.40"), 1.5)


def test_floats_too_great_to_add_up_stop_nothing(broker_url: str | None) -> None:
    page, other = a_page("page"), a_page("other")
    emit(page, "seconds", 1.7e308, times=3)
    emit(other, "seconds", 0.5)
    process_messages()
    assert {0.5} <= set(counts(PageData, "seconds").values())


def test_folding_twice_counts_once(broker_url: str | None) -> None:
    emit(a_page(), times=3)
    assert process_messages() == 3
    assert process_messages() == 0
    assert total(PageData) == 3


def test_the_same_batch_delivered_twice_counts_once(redis_url: str, settings: Any) -> None:
    settings.TRACKABLE_BROKER_URL = redis_url
    emit_segment(a_page(), times=3)
    for _ in range(2):
        process_messages()
        for segment in segments.listing(conf.journal_dir(), segments.SHIPPED, segments.FOLDED):
            segment.become(segments.SEALED)
    assert (total(PageData), LedgerEntry.objects.count()) == (3, 1)


def test_folding_one_class_leaves_the_others_where_they_are(broker_url: str | None) -> None:
    page, link = a_page(), Link.objects.create(code="l")
    emit(page, times=2)
    emit(page, data_cls=PageParentData, times=3)
    emit(link, times=4)
    assert process_messages(PageParentData) == 3
    assert (total(PageData), total(PageParentData), total(LinkData)) == (0, 3, 0)
    assert process_messages(PageParentData) == 0
    assert process_messages() == 6
    assert (total(PageData), total(PageParentData), total(LinkData)) == (2, 3, 4)


def test_max_messages_bounds_a_fold(broker_url: str | None) -> None:
    page = a_page()
    for _ in range(3):
        emit(page, data_cls=PageTotals)
        emit_segment(page, data_cls=PageParentTotals)
    assert [process_messages(max_messages=4) for _ in range(3)] == [4, 2, 0]


def test_max_messages_bounds_a_fold_of_one_class(broker_url: str | None) -> None:
    page = a_page()
    for _ in range(3):
        emit(page, data_cls=PageTotals)
        emit_segment(page, data_cls=PageParentTotals)
    assert [process_messages(PageTotals, max_messages=2) for _ in range(3)] == [2, 1, 0]
    assert total(PageParentTotals) == 0


def test_a_transaction_of_the_callers_is_refused_and_nothing_is_lost(
    broker_url: str | None,
) -> None:
    emit(a_page(), times=3)
    with pytest.raises(RuntimeError), transaction.atomic():
        process_messages()
    assert total(PageData) == 0
    fold_until_settled()
    assert total(PageData) == 3


@pytest.mark.django_db(databases=["default", "other"])
def test_each_database_has_its_own_rows_and_ledger(broker_url: str | None, settings: Any) -> None:
    settings.TEST_DATABASE_OF = {"testapp.PageTotals": "other"}
    page = a_page()
    emit(page, times=2)
    emit(page, data_cls=PageTotals, times=3)
    assert process_messages() == 5
    assert [row.views for row in PageData.objects.using("default").all()] == [2]
    assert [row.views for row in PageTotals.objects.using("other").all()] == [3]
    ledgers = {alias: LedgerEntry.objects.using(alias).get().data_class for alias in connections}
    assert ledgers == {"default": "testapp.PageData", "other": "testapp.PageTotals"}
    fold_until_settled()
    assert process_messages() == 0


@through_brokers
def test_what_another_machine_published_is_folded(broker_url: str) -> None:
    page = a_page()
    with Broker() as machine:
        machine.publish(batch(PageTotals, entry(page, amount=7, hits=7)))
    assert (process_messages(), counts(PageTotals)) == (7, {page.pk: 7})


def test_a_fold_reports_its_progress(broker_url: str | None, settings: Any) -> None:
    settings.TRACKABLE_FOLD_MAX_COUNTERS = 1
    page = a_page()
    for _ in range(3):
        emit_segment(page)
    seen: list[int] = []
    report = collect(progress=lambda so_far: seen.append(so_far.increments))
    assert (seen, report.increments, report.batches) == ([1, 2, 3], 3, 3)


# time


@for_each(
    "zone, day, hours",
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Asia/Kolkata", date(2026, 6, 1), 24),
        ("Asia/Kathmandu", date(2026, 6, 1), 24),
        ("Pacific/Kiritimati", date(2026, 6, 1), 24),
    ],
)
def test_a_day_has_as_many_hours_as_the_zone_gives_it(
    zone: str, day: date, hours: float, settings: Any
) -> None:
    settings.TIME_ZONE = zone
    page = a_page()
    here = zoneinfo.ZoneInfo(zone)
    moment = datetime.combine(day - timedelta(days=1), datetime.min.time(), here).astimezone(UTC)
    end = moment + timedelta(days=3)
    while moment < end:
        emit(page, when=moment)
        moment += timedelta(minutes=15)
    process_messages()
    assert counts(PageData)[page.pk, day] == hours * 4


def test_the_hour_that_comes_twice_is_two_hours(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    page = a_page()
    for minutes in range(0, 180, 15):  # from 02:00 summer time to 04:00 winter time
        when = datetime(2026, 10, 25, 0, tzinfo=UTC) + timedelta(minutes=minutes)
        emit(page, data_cls=PageHours, when=when)
    process_messages()
    first = datetime(2026, 10, 25, 0, tzinfo=UTC)
    expected = {(page.pk, first + timedelta(hours=n)): 4 for n in range(3)}
    assert counts(PageHours) == expected


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Asia/Kathmandu"])
def test_hours_start_where_the_zone_starts_them(zone: str) -> None:
    page = a_page()
    with timezone.override(zone):
        when = datetime(2026, 6, 1, 10, 45, tzinfo=zoneinfo.ZoneInfo(zone))
        emit(page, data_cls=PageHours, when=when)
    process_messages()  # by a process with another zone
    assert counts(PageHours) == {(page.pk, when.replace(minute=0)): 1}


def test_the_day_is_that_of_the_event_in_its_own_zone() -> None:
    page = a_page()
    with timezone.override("Asia/Tokyo"):
        emit(page, when=datetime(2026, 6, 1, 23, 30, tzinfo=UTC))
    process_messages()
    assert counts(PageData) == {(page.pk, date(2026, 6, 2)): 1}


def test_now_is_the_time_without_another() -> None:
    page = a_page()
    before = timezone.now().date()
    emit(page)
    process_messages()
    assert counts(PageData) in ({(page.pk, day): 1} for day in (before, timezone.now().date()))
