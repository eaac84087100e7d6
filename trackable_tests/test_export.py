"""Sums and averages of each object over a time, as a table that nothing can misread."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.contenttypes.models import ContentType

from trackable.export import OBJECTS_AT_ONCE, Export, average, first_of, guarded, last_of
from trackable.messaging import process_messages
from trackable_tests.counting import emit
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
    PageSizes,
    PageTotals,
    PageWeeks,
    PageYears,
)

pytestmark = pytest.mark.django_db

VIEWS = ["views_sum", "views_average"]


def table(export: Export, zone: Any = UTC) -> list[list[str]]:
    """Return the rows that it writes, the header first."""
    file = io.StringIO(newline="")
    number = export.write(file, zone)
    rows = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    assert number == len(rows) - 1
    return rows


def views_on(page: Any, *days: tuple[int, int], **kwargs: Any) -> None:
    """Emit so many views on days of November 2026, and fold."""
    for day, number in days:
        emit(page, when=datetime(2026, 11, day, 12, tzinfo=UTC), times=number, **kwargs)
    process_messages()


@pytest.fixture
def page() -> Page:
    return Page.objects.create(slug="a", title="The page")


def test_each_object_has_its_sums_and_averages(page: Page) -> None:
    views_on(page, (1, 1), (4, 2))
    assert table(Export(PageData, ["views", "clicks"])) == [
        ["model", "object_id", "object", "days", *VIEWS, "clicks_sum", "clicks_average"],
        ["testapp.Page", str(page.pk), "The page", "4", "3", "0.75", "0", "0.0"],
    ]


def test_time_is_the_days_asked_for_both_included(page: Page) -> None:
    views_on(page, (1, 100), (2, 3), (4, 3), (5, 100))
    export = Export(PageData, ["views"], start=date(2026, 11, 2), end=date(2026, 11, 4))
    assert table(export)[1][3:] == ["3", "6", "2.0"]


@for_each(
    "data_cls, start, end, periods, total",
    [
        (PageHours, date(2026, 11, 2), date(2026, 11, 3), "48", "3"),
        (PageWeeks, date(2026, 11, 4), date(2026, 11, 9), "2", "7"),
        (PageMonths, date(2025, 12, 31), date(2026, 11, 1), "12", "7"),
        (PageYears, date(2024, 2, 29), date(2026, 1, 1), "3", "7"),
    ],
)
def test_periods_are_those_that_the_days_fall_into(
    data_cls: Any, start: date, end: date, periods: str, total: str, page: Page
) -> None:
    views_on(page, (2, 1), (3, 2), (9, 4), data_cls=data_cls)
    export = Export(data_cls, ["views"], start=start, end=end)
    assert table(export)[1][3:5] == [periods, total]


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), "23"), (date(2026, 10, 25), "25")])
def test_days_of_hours_are_those_of_the_time_zone(day: date, hours: str, page: Page) -> None:
    zone = ZoneInfo("Europe/Vienna")
    emit(page, data_cls=PageHours, when=datetime.combine(day, datetime.min.time(), zone))
    process_messages()
    assert table(Export(PageHours, ["views"], start=day, end=day), zone)[1][3] == hours


def test_without_a_time_there_are_sums_only(page: Page) -> None:
    emit(page, data_cls=PageTotals, times=2)
    process_messages()
    assert table(Export(PageTotals, ["views"])) == [
        ["model", "object_id", "object", "views_sum"],
        ["testapp.Page", str(page.pk), "The page", "2"],
    ]


def test_nothing_counted_is_a_header(page: Page) -> None:
    assert len(table(Export(PageData, ["views"]))) == 1
    views_on(page, (1, 1))
    export = Export(PageData, ["views"], start=date(2026, 12, 1), end=date(2026, 12, 2))
    assert len(table(export)) == 1


def test_sums_of_integers_are_integers_whatever_the_database_says(page: Page) -> None:
    kind = ContentType.objects.get_for_model(Page)
    for number in range(2):
        PageSizes.objects.create(content_type=kind, object_id=number, big=1 << 60, positive_small=1)
    rows = table(Export(PageSizes, ["big", "positive_small"]))[1:]
    assert [row[3:] for row in rows] == [[str(1 << 60), "1"]] * 2


def test_foreign_keys_and_other_keys_are_named(page: Page) -> None:
    link = Link.objects.create(code="L", url="https://example.com")
    download = Download.objects.create(title="File")
    views_on(page, (1, 1), data_cls=PageParentData)
    views_on(link, (1, 1))
    views_on(download, (1, 1))
    found = [table(Export(each, ["views"]))[1][:3] for each in (PageParentData, LinkData)]
    assert found == [["testapp.Page", str(page.pk), "The page"], ["testapp.Link", "L", "L"]]
    assert table(Export(DownloadData, ["views"]))[1][1:3] == [str(download.pk), "File"]


def test_objects_that_are_gone_keep_their_counts(page: Page) -> None:
    views_on(page, (1, 1))
    key = str(page.pk)
    page.delete()
    assert table(Export(PageData, ["views"]))[1][:4] == ["testapp.Page", key, "", "1"]


def test_objects_of_other_models_are_left_out(page: Page) -> None:
    views_on(page, (1, 1))
    assert len(table(Export(PageData, ["views"], model=Page))) == 2
    assert len(table(Export(PageData, ["views"], model=Link))) == 1


def test_decimals_and_floats_stay_what_they_are(page: Page) -> None:
    emit(page, "revenue", value=Decimal("10.10"))
    emit(page, "seconds", value=0.5, times=3)
    process_messages()
    row = table(Export(PageData, ["revenue", "seconds"]))[1]
    assert [Decimal(cell) for cell in row[4:]] == [Decimal("10.10")] * 2 + [Decimal("1.5")] * 2


@for_each("sign", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_text_is_no_formula(sign: str, page: Page) -> None:
    Page.objects.update(title=f'{sign}cmd|"/c",\r\n')
    views_on(page, (1, 1))
    assert table(Export(PageData, ["views"]))[1][2] == f'\'{sign}cmd|"/c",\r\n'


def test_negative_numbers_are_numbers(page: Page) -> None:
    emit(page, "score", value=-3)
    process_messages()
    assert table(Export(PageData, ["score"]))[1][4:] == ["-3", "-3.0"]
    assert (guarded(-3), guarded("-3"), guarded("3-")) == (-3, "'-3", "3-")


def test_lines_end_as_rfc_4180_says(page: Page) -> None:
    Page.objects.update(title='a "b", c')
    views_on(page, (1, 1))
    file = io.StringIO(newline="")
    Export(PageData, ["views"]).write(file, UTC)
    assert file.getvalue() == (
        "model,object_id,object,days,views_sum,views_average\r\n"
        f'testapp.Page,{page.pk},"a ""b"", c",1,1,1.0\r\n'
    )


def test_number_of_queries_does_not_grow_with_the_objects(
    django_assert_max_num_queries: Any,
) -> None:
    pages = Page.objects.bulk_create(
        Page(slug=f"p{number}") for number in range(OBJECTS_AT_ONCE // 2)
    )
    for page in pages:
        emit(page)
    process_messages()
    with django_assert_max_num_queries(6):
        assert len(table(Export(PageData, ["views"]))) == len(pages) + 1


@for_each(
    "total, periods, expected",
    [(1, 3, 0.333333), (Decimal(1), 3, Decimal("0.333333")), (None, 3, None), (0, 1, 0)],
)
def test_averages_are_rounded(total: Any, periods: int, expected: Any) -> None:
    assert average(total, periods) == expected


def test_without_time_zone_support_hours_are_naive(settings: Any) -> None:
    settings.USE_TZ = False
    zone = ZoneInfo("Asia/Tokyo")
    day = date(2026, 11, 21)
    assert first_of("hour", day, zone) == datetime(2026, 11, 21)  # noqa: DTZ001
    assert last_of("hour", day, zone) == datetime(2026, 11, 21, 23)  # noqa: DTZ001
