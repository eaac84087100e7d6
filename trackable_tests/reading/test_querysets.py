"""Reading counts back: totals, series and the objects on top, whatever a class counts, and how."""

from __future__ import annotations

import doctest
import random
import re
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import models
from django.db.migrations.state import ModelState
from django.test.utils import isolate_apps
from django.utils import timezone

import trackable
from trackable import TrackableTimeSeriesData, parents
from trackable.exceptions import (
    BadPeriod,
    BadSum,
    BadTime,
    NotRegistered,
    UnknownField,
    UnsavedObject,
    WrongDataClass,
)
from trackable.messaging import process_messages
from trackable.models import RolledUp
from trackable.periods import start_of
from trackable.querysets import TrackableQuerySet, queryset_of
from trackable.reading import sums, timelines, windows
from trackable.reading.series import Point
from trackable.rollups.rolling import roll_up
from trackable.uniques import sketches
from trackable_tests.counting import a_page, emit
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
    PageSizes,
    PageTotals,
    PageVisitors,
    PageWeeks,
    Unregistered,
)

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
KATHMANDU = ZoneInfo("Asia/Kathmandu")
DAY = date(2026, 11, 21)


@pytest.fixture
def page() -> Page:
    return a_page()


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> date:
    monkeypatch.setattr(windows, "today", lambda: DAY)
    return DAY


def days(
    page: Any, *counts: Any, data_cls: Any = PageData, field: str = "views", last: date = DAY
) -> None:
    """Give an object rows of the days up to the 21st, one for each count but zeros."""
    first = last - timedelta(days=len(counts) - 1)
    for number, count in enumerate(counts):
        if count:
            during = first + timedelta(days=number)
            data_cls.objects.create(parent=page, collected_during=during, **{field: count})


def hours(page: Page, counts: dict[datetime, int]) -> None:
    kind = ContentType.objects.get_for_model(Page)
    PageHours.objects.bulk_create(
        PageHours(content_type=kind, object_id=page.pk, collected_during=start, views=count)
        for start, count in counts.items()
    )


def values(points: list[Point]) -> dict[Any, Any]:
    return {point.start: point.value for point in points if point.value}


# one object


def test_total_is_of_the_object_alone(page: Page) -> None:
    other = a_page("b")
    link = Link.objects.create(pk=str(page.pk), url="https://example.com")
    days(page, 1, 2)
    days(other, 4)
    days(link, 8, data_cls=LinkData)
    assert PageData.objects.for_object(page).total("views") == 3
    assert PageData.objects.total("views") == 7
    assert LinkData.objects.for_object(link).total("views") == 8


def test_objects_are_told_by_every_kind_of_key_and_relation(page: Page) -> None:
    download, link = Download.objects.create(), Link.objects.create(code="ä/b")
    for obj, data_cls in [(download, DownloadData), (link, LinkData), (page, PageParentData)]:
        days(obj, 1, 2, data_cls=data_cls)
        assert data_cls.objects.for_object(obj).total("views") == 3
    PageParentTotals.objects.create(parent=page, views=5)
    assert PageParentTotals.objects.for_object(page).total("views") == 5
    assert page.parent_data.total("views") == 3


@isolate_apps("trackable_tests.testapp")
def test_objects_of_inheriting_models_are_counted_as_those_of_the_registered_one(
    page: Page,
) -> None:
    class Draft(Page):
        class Meta:
            app_label = "testapp"
            proxy = True

    class LongPage(Page):
        words = models.IntegerField()

        class Meta:
            app_label = "testapp"

    for data_cls in (PageData, PageParentData):
        days(page, 2, data_cls=data_cls)
        for obj in (Draft.objects.get(), LongPage(page_ptr=page, id=page.pk)):
            assert data_cls.objects.for_object(obj).total("views") == 2


def test_objects_that_it_does_not_count_for_are_refused(page: Page) -> None:
    with pytest.raises(WrongDataClass, match="does not count for Unregistered"):
        PageData.objects.for_object(Unregistered(pk=1))
    with pytest.raises(NotRegistered):
        PageSizes.objects.for_object(page)
    with pytest.raises(UnsavedObject, match="no row yet"):
        PageData.objects.for_object(Page())


def test_sums_have_the_counters_type(page: Page) -> None:
    PageData.objects.create(
        parent=page, collected_during=DAY, score=-3, revenue=Decimal("0.10"), seconds=0.5
    )
    PageData.objects.create(
        parent=page, collected_during=DAY.replace(day=2), revenue=Decimal("0.20"), seconds=1.5
    )
    for rows, revenue in [(PageData.objects.all(), "0.30"), (PageData.objects.none(), "0.00")]:
        found = [rows.total(name) for name in ("views", "score", "revenue", "seconds")]
        assert [type(each) for each in found] == [int, int, Decimal, float]
        assert str(found[2]) == revenue
    assert str(PageData.objects.series("revenue", by="month", end=DAY)[0].value) == "0.30"


def test_unknown_counters_are_refused_with_those_there_are(page: Page) -> None:
    for ask in (PageData.objects.total, PageData.objects.series, PageData.objects.top):
        with pytest.raises(UnknownField, match="its counters are views, clicks"):
            ask("vews")


def test_distinct_counts_are_united(page: Page, today: date) -> None:
    for day, keys in [(19, "abc"), (20, "cd"), (21, "")]:
        sketch = sketches.add(b"", map(ord, keys))
        days(page, sketch, data_cls=PageVisitors, field="visitors", last=DAY.replace(day=day))
    rows = PageVisitors.objects.for_object(page)
    assert rows.total("visitors") == 4
    assert [point.value for point in rows.series("visitors")] == [3, 2, 0]
    assert [point.value for point in rows.series("visitors", by="month")] == [4]
    assert rows.none().total("visitors") == 0
    with pytest.raises(BadSum, match=r"visitors counts different visitors.* ask for total\(\)"):
        rows.top("visitors")


def test_many_sketches_are_united_in_parts(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "SKETCHES_AT_ONCE", 2)
    for number in range(7):
        sketch = sketches.add(b"", [number, 99])
        days(
            page, sketch, data_cls=PageVisitors, field="visitors", last=DAY.replace(day=number + 1)
        )
    assert PageVisitors.objects.total("visitors") == 8


# times


def test_between_takes_days_with_both_ends_and_moments_without_the_last(page: Page) -> None:
    days(page, 1, 2, 4, 8)
    rows = PageData.objects.for_object(page)
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    assert rows.between(date(2026, 11, 19), date(2026, 11, 20)).total("views") == 6
    assert rows.between(midnight, midnight + timedelta(days=1)).total("views") == 4
    assert rows.between(None, midnight).total("views") == 3
    assert rows.between(DAY).between(None, DAY).total("views") == 8
    with pytest.raises(BadTime, match="no aware datetime"):
        rows.between(datetime(2026, 11, 20))  # noqa: DTZ001
    with pytest.raises(BadPeriod, match="without a time"):
        PageTotals.objects.between(DAY)


def test_days_of_hours_are_those_of_the_current_time_zone(page: Page) -> None:
    midnight = datetime(2026, 11, 20, 23, tzinfo=UTC)  # in Berlin
    hours(page, {midnight - timedelta(hours=1): 1, midnight: 2, midnight + timedelta(hours=24): 4})
    with timezone.override(BERLIN):
        assert PageHours.objects.between(DAY, DAY).total("views") == 2


def test_series_has_a_point_for_each_day_and_zeros_between(page: Page, today: date) -> None:
    days(page, 3, 0, 5, 0)
    points = PageData.objects.for_object(page).series("views")
    assert [point.value for point in points] == [3, 0, 5, 0]
    assert (points[0].start, points[-1].end) == (date(2026, 11, 18), date(2026, 11, 22))
    around = PageData.objects.series("views", start=date(2026, 11, 17), end=date(2026, 11, 18))
    assert [point.value for point in around] == [0, 3]
    assert PageData.objects.between(DAY, DAY).series("views") == [
        Point(DAY, DAY + timedelta(days=1), 0)
    ]


def test_series_of_nothing(page: Page, today: date) -> None:
    rows = PageData.objects.for_object(page)
    assert rows.series("views") == rows.series("views", by="week", end=DAY) == []
    assert [point.value for point in rows.series("views", start=DAY)] == [0]
    assert rows.series("views", start=DAY + timedelta(days=1)) == []
    assert PageHours.objects.series("views", by="month") == []


def test_coarser_steps_are_whole(page: Page, today: date) -> None:
    days(page, *range(1, 41))  # from October the 13th on
    rows = PageData.objects.for_object(page)
    weeks = rows.series("views", by="week", start=date(2026, 11, 12), end=date(2026, 11, 16))
    assert [(str(point.start), point.value) for point in weeks] == [
        ("2026-11-09", sum(range(28, 35))),
        ("2026-11-16", sum(range(35, 41))),
    ]
    assert [point.value for point in rows.series("views", by="month")] == [190, 630]
    assert [point.value for point in rows.series("views", by="year")] == [820]


def test_steps_that_rows_do_not_add_up_to_are_refused(page: Page) -> None:
    for data_cls, by in [(PageData, "hour"), (PageMonths, "week"), (PageWeeks, "month")]:
        with pytest.raises(BadPeriod, match=data_cls.__name__):
            data_cls.objects.series("views", by=by)
    with pytest.raises(BadPeriod, match="without a time"):
        PageTotals.objects.series("views")


@pytest.mark.parametrize("zone", [BERLIN, LORD_HOWE, KATHMANDU], ids=str)
def test_hours_add_up_to_the_steps_of_any_zone(
    zone: ZoneInfo, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both weeks of a change of clocks are among them, and hours of other zones."""
    chance = random.Random(7)
    first = datetime(2026, 3, 20, tzinfo=UTC)
    halves = chance.sample(range(2 * 24 * 220), 400)
    counts = {first + timedelta(minutes=30 * number): number % 9 + 1 for number in halves}
    hours(page, counts)
    rows = PageHours.objects.for_object(page)
    for is_in_database in (True, False):
        monkeypatch.setattr(timelines, "truncates", lambda *_, answer=is_in_database: answer)
        for by in ("hour", "day", "week", "month"):
            expected: dict[Any, int] = {}
            for start, count in counts.items():
                key = start_of(by, start, zone)
                expected[key] = expected.get(key, 0) + count
            assert values(rows.series("views", by=by, zone=zone)) == expected


def test_series_is_one_query(page: Page, django_assert_num_queries: Any) -> None:
    ContentType.objects.get_for_model(Page)
    hours(page, {datetime(2026, 3, 29, hour, tzinfo=UTC): 1 for hour in range(24)})
    rows = PageHours.objects.for_object(page)
    with django_assert_num_queries(1):
        week = rows.series("views", by="week", start=date(2026, 3, 25), end=DAY, zone=BERLIN)
    assert values(week) == {date(2026, 3, 23): 22, date(2026, 3, 30): 2}


def test_without_time_zone_support_hours_are_naive(page: Page, settings: Any) -> None:
    settings.USE_TZ = False
    settings.TIME_ZONE = "Asia/Kolkata"
    hours(page, {datetime(2026, 11, 21, hour): 1 for hour in (0, 12, 23)})  # noqa: DTZ001
    rows = PageHours.objects.for_object(page)
    assert rows.between(DAY, DAY).total("views") == 3
    assert rows.between(None, datetime(2026, 11, 21, 12)).total("views") == 1  # noqa: DTZ001
    assert values(rows.series("views", by="day", end=DAY)) == {DAY: 3}
    points = rows.series("views", start=DAY, end=DAY)
    assert len(points) == 24
    assert points[12] == Point(
        datetime(2026, 11, 21, 12, tzinfo=ZoneInfo("Asia/Kolkata")),
        datetime(2026, 11, 21, 13, tzinfo=ZoneInfo("Asia/Kolkata")),
        1,
    )


# rows of several steps


@pytest.fixture
def rolled_up(monkeypatch: pytest.MonkeyPatch, page: Page) -> Any:
    """Hours of a page, until November summed by day, and until October by month."""

    class Trackable:
        retention = {"hour": timedelta(days=30), "day": timedelta(days=90), "month": None}

    monkeypatch.setattr(PageHours, "Trackable", Trackable, raising=False)
    for step, until in [("month", datetime(2026, 10, 1)), ("day", datetime(2026, 11, 1))]:  # noqa: DTZ001
        RolledUp.objects.create(
            data_class="testapp.PageHours", step=step, until=until.replace(tzinfo=UTC)
        )
    starts = [(8, 1, 0), (9, 1, 0), (10, 30, 0), (10, 31, 0), (11, 1, 0), (11, 1, 5), (11, 2, 0)]
    moments = [datetime(2026, *start, tzinfo=UTC) for start in starts]
    hours(page, {moment: 1 << number for number, moment in enumerate(moments)})
    return PageHours.objects.for_object(page)


def test_points_span_the_finest_rows_that_there_are(rolled_up: Any) -> None:
    points = rolled_up.series("views", start=date(2026, 9, 15), end=date(2026, 11, 1))
    assert len(points) == 1 + 31 + 24
    assert points[0] == Point(date(2026, 9, 1), date(2026, 10, 1), 2)
    assert points[30] == Point(date(2026, 10, 30), date(2026, 10, 31), 4)
    assert points[32].start == datetime(2026, 11, 1, tzinfo=UTC)
    assert sum(point.value for point in points) == 2 + 4 + 8 + 16 + 32
    assert sum(point.value for point in rolled_up.series("views")) == 127


def test_steps_go_on_over_rows_of_several_steps(rolled_up: Any) -> None:
    weeks = rolled_up.series("views", by="week", end=date(2026, 11, 2))
    shown = [(str(point.start), str(point.end), point.value) for point in weeks]
    assert shown[:3] == [
        ("2026-08-01", "2026-09-01", 1),
        ("2026-09-01", "2026-10-01", 2),
        ("2026-10-01", "2026-10-05", 0),  # what is left of the week
    ]
    # days and hours
    assert shown[-2:] == [("2026-10-26", "2026-11-02", 60), ("2026-11-02", "2026-11-09", 64)]
    months = rolled_up.series("views", by="month", end=date(2026, 11, 2))
    assert [point.value for point in months] == [1, 2, 12, 112]


def test_coarse_rows_belong_to_their_period_whatever_the_zone(rolled_up: Any) -> None:
    west = ZoneInfo("America/New_York")
    months = rolled_up.series("views", by="month", end=date(2026, 11, 2), zone=west)
    assert {str(point.start): point.value for point in months}["2026-09-01"] == 2


@pytest.mark.django_db(transaction=True)
def test_a_roll_up_changes_no_sums_and_leaves_no_gaps(
    page: Page, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    class Trackable:
        retention = {"hour": timedelta(days=30), "day": timedelta(days=90), "month": None}

    settings.TIME_ZONE = "Europe/Berlin"
    monkeypatch.setattr(PageHours, "Trackable", Trackable, raising=False)
    last = datetime(2026, 11, 21, tzinfo=UTC)
    hours(page, {last - timedelta(hours=131 * number): number for number in range(32)})
    rows = PageHours.objects.for_object(page)

    def read() -> dict[str, list[Point]]:
        return {
            by: rows.series("views", by=by, start=date(2026, 5, 1), end=last.date())
            for by in ("hour", "day", "week", "month")
        }

    before = read()
    roll_up(PageHours, now=last)
    after = read()
    assert before["month"] == after["month"]
    for by, points in after.items():
        assert len(points) <= len(before[by])
        assert sum(each.value for each in points) == sum(each.value for each in before[by])
        ends = {str(each.end)[:10] for each in points[:-1]}
        assert ends == {str(each.start)[:10] for each in points[1:]}


def test_without_retention_no_query_is_for_roll_ups(
    page: Page, django_assert_num_queries: Any
) -> None:
    days(page, 1)
    with django_assert_num_queries(1):
        PageData.objects.for_object(page).series("views")


# many objects


def test_top_are_the_objects_of_the_greatest_sums(page: Page) -> None:
    low, high = a_page("low"), a_page("high")
    days(page, 100, 1, 1)
    days(low, 0, 0, 1)
    days(high, 0, 0, 9)
    found = PageData.objects.top("views", 2, start=date(2026, 11, 20))
    assert [(each.obj, each.value) for each in found] == [(high, 9), (page, 2)]
    assert PageData.objects.top("views")[0].value == 102
    assert PageData.objects.top("views", 0) == []


def test_distinct_rows_of_a_join_count_once(page: Page, today: date) -> None:
    days(page, 1, 2, data_cls=PageParentData)
    joined = PageParentData.objects.filter(parent__parent_data__views__gt=0).distinct()
    assert joined.total("views") == 3
    assert [point.value for point in joined.series("views")] == [1, 2]
    assert [(each.obj, each.value) for each in joined.top("views")] == [(page, 3)]


def test_objects_that_are_gone_make_room_for_the_next(page: Page) -> None:
    gone = [a_page(f"gone{number}") for number in range(3)]
    for obj in gone:
        days(obj, 9)
    days(page, 1)
    Page.objects.filter(pk__in=[obj.pk for obj in gone]).delete()
    assert [each.obj for each in PageData.objects.top("views", 2)] == [page]


def test_an_object_that_a_fold_moves_meanwhile_is_on_top_once(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, last, new = a_page("gone"), a_page("last"), a_page("new")
    for obj, views in ((gone, 9), (page, 5), (last, 1)):
        days(obj, views)
    Page.objects.filter(pk=gone.pk).delete()
    real, folds = parents.objects_of, [lambda: days(new, 100)]

    def interrupted(*args: Any) -> Any:
        while folds:
            folds.pop()()
        return real(*args)

    monkeypatch.setattr(parents, "objects_of", interrupted)
    assert [each.obj for each in PageData.objects.top("views", 2)] == [page, last]


def test_top_takes_two_queries_whatever_the_relation(
    page: Page, django_assert_num_queries: Any
) -> None:
    link, download = Link.objects.create(code="a"), Download.objects.create()
    pairs = [(page, PageParentData), (link, LinkData), (download, DownloadData)]
    for obj, data_cls in pairs:
        days(obj, 1, 2, data_cls=data_cls)
        with django_assert_num_queries(2):
            [top] = data_cls.objects.top("views")
        assert (top.obj, top.value) == (obj, 3)


# managers and databases


def test_data_classes_have_the_manager_and_migrations_do_not(page: Page) -> None:
    assert isinstance(PageData.objects.all(), TrackableQuerySet)
    assert type(PageData._base_manager) is models.Manager
    assert ModelState.from_model(PageData).managers == []


@isolate_apps("trackable_tests.testapp")
def test_a_manager_of_the_classes_own_stays_the_default_one() -> None:
    class Public(models.Manager[Any]):
        pass

    class OwnData(TrackableTimeSeriesData):
        views = models.IntegerField(default=0)
        objects = Public()

        class Meta:
            app_label = "testapp"

    class MoreData(TrackableTimeSeriesData):
        views = models.IntegerField(default=0)
        public = Public()

        class Meta:
            app_label = "testapp"

    assert type(OwnData._default_manager) is type(MoreData._default_manager) is Public
    assert isinstance(MoreData.objects.all(), TrackableQuerySet)
    assert queryset_of(OwnData, "other").db == "other"


@pytest.mark.django_db(databases=["default", "other"])
def test_rows_of_another_database_are_read_there(page: Page, settings: Any) -> None:
    # so that content types have other ids
    ContentType.objects.using("other").all().delete()
    ContentType.objects.clear_cache()
    kind = ContentType.objects.db_manager("other").get_for_model(Page)
    row = PageData(content_type_id=kind.pk, object_id=page.pk, collected_during=DAY, views=2)
    row.save(using="other")
    rows = PageData.objects.for_object(page)
    assert [rows.total("views"), rows.using("other").total("views")] == [0, 2]
    assert PageData.objects.using("other").top("views")[0].obj == page
    ContentType.objects.clear_cache()


def test_what_the_fold_has_counted_is_read_back(page: Page) -> None:
    with timezone.override(LORD_HOWE):
        for hour in range(48):
            when = datetime(2026, 4, 4, tzinfo=UTC) + timedelta(hours=hour)
            for data_cls in (PageHours, PageData):
                emit(page, data_cls=data_cls, when=when)
        process_messages()
        series = [
            each.objects.for_object(page).series("views", by="day", end=date(2026, 4, 6))
            for each in (PageHours, PageData)
        ]
    assert series[0] == series[1]
    assert [point.value for point in series[0]] == [13, 25, 10]  # they set them back


# the documentation


@isolate_apps("trackable_tests.testapp")
def test_examples_of_the_documentation_are_right(
    page: Page, today: date, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    blog = SimpleNamespace(Article=Page, ArticleData=PageData, ArticleHours=PageHours)
    monkeypatch.setitem(sys.modules, "blog.models", blog)  # type: ignore[arg-type]
    Page.objects.update(title="The article")
    days(page, 3, 0, 5, 2)
    days(Page.objects.create(title="Another one", slug="b"), 4)
    Page.objects.create(title="A third one", slug="c")
    names = {"__name__": "trackable_tests.testapp.blog", "models": models, "trackable": trackable}
    names["article"] = page
    text = (settings.BASE_DIR / "docs" / "how-to" / "queries.md").read_text()
    for language, code in re.findall(
        r"^```(python|pycon)\n(.*?)^```", text, re.MULTILINE | re.DOTALL
    ):
        if language == "python":
            exec(code, names)
        else:
            example = doctest.DocTestParser().get_doctest(code, names, "queries.md", None, 0)
            runner = doctest.DocTestRunner()
            assert runner.run(example, clear_globs=False).failed == 0
            names |= example.globs
    assert names["ViewedData"].objects.none().often().total("views") == 0
