"""Hits become counts: each once, by its own time, whatever interrupts it or is cleaned up."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import Error, OperationalError
from django.db.models import Sum

from trackable.conversion.plan import BadConversion
from trackable.folding import upsert
from trackable.hitcounts import importer as module
from trackable.hitcounts import plan as plans
from trackable.hitcounts import tallies, totals
from trackable.hitcounts.importer import Importer, ImportReport
from trackable.messaging import process_messages
from trackable.models import LedgerEntry
from trackable_tests.counting import Crash, a_page, counts, emit, total
from trackable_tests.hitcounts.tables import (
    CRAWLER,
    FIRST,
    Hit,
    HitCount,
    TextHitCount,
    a_history,
    a_plan,
    clean_up,
    hit,
    import_hits,
    total_of,
)
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    LinkData,
    PageData,
    PageHours,
    PageMonths,
    PageParentData,
    PageTotals,
)

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
DAYS = [date(2026, 3, 4), date(2026, 3, 5), date(2026, 3, 6)]


def by_start(data_cls: Any = PageData) -> dict[Any, int]:
    return {start: views for (_, start), views in counts(data_cls).items()}


# each hit, by its own time


def test_hits_are_added_by_object_and_day() -> None:
    pages = [a_history("a"), a_history("b", 1)]
    assert import_hits() == ImportReport(objects=2, hits=7)
    a, b = (page.pk for page in pages)
    assert counts(PageData) == {(a, DAYS[0]): 1, (a, DAYS[1]): 2, (a, DAYS[2]): 3, (b, DAYS[0]): 1}


def test_days_are_those_of_the_time_zone_of_the_site(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    page = a_page()
    count = total_of(page)
    hit(count, FIRST)
    hit(count, FIRST + timedelta(hours=1))
    import_hits()
    assert by_start() == {DAYS[0]: 1, DAYS[1]: 1}


@pytest.mark.vendor("sqlite")
def test_days_are_those_of_the_rows_without_time_zones(settings: Any) -> None:
    settings.USE_TZ = False
    hit(total_of(a_page(), at=FIRST.replace(tzinfo=None)), FIRST.replace(tzinfo=None))
    assert import_hits() == ImportReport(objects=1, hits=1)
    assert by_start() == {DAYS[0]: 1}
    assert import_hits() == ImportReport(objects=1)


def test_every_kind_of_data_class_takes_them() -> None:
    a_history()
    for data_cls in (PageHours, PageMonths, PageParentData, PageTotals):
        import_hits(a_plan(data_cls=data_cls))
    assert by_start(PageHours) == {FIRST.replace(minute=0) + day * DAY: day + 1 for day in range(3)}
    assert (by_start(PageMonths), total(PageParentData)) == ({date(2026, 3, 1): 6}, 6)
    assert list(counts(PageTotals).values()) == [6]


def test_they_are_added_to_what_is_counted_already() -> None:
    page = a_history()
    emit(page, when=FIRST)
    process_messages()
    import_hits()
    assert by_start() == {DAYS[0]: 2, DAYS[1]: 2, DAYS[2]: 3}


@for_each(
    "make, model, data_cls",
    [
        (lambda: Download.objects.create(title="a"), Download, DownloadData),
        (lambda: Link.objects.create(code="a/b"), Link, LinkData),
    ],
)
def test_objects_with_other_keys_are_found_by_a_table_of_their_own(
    make: Any, model: Any, data_cls: Any
) -> None:
    hit(total_of(make(), table=TextHitCount), times=2)
    total_of(model(pk="x" * 32), 3, table=TextHitCount)
    plan = a_plan(model, data_cls, totals_table="shop_hits", remainder="none")
    assert import_hits(plan) == ImportReport(objects=1, hits=2, gone_objects=1, gone=3)
    assert total(data_cls) == 2


def test_hits_are_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tallies, "PAGE_SIZE", 4)
    monkeypatch.setattr(totals, "PAGE_SIZE", 4)
    monkeypatch.setattr(totals, "GROUP_SIZE", 3)
    for slug, days in zip("abcdefgh", (4, 1, 3, 2, 2, 1, 1, 4), strict=True):
        a_history(slug, days)
    for number, count in enumerate(HitCount.objects.all()):
        hit(count, FIRST, times=number)
    import_hits()
    expected = dict(HitCount.objects.values_list("object_pk", "hits"))
    sums = PageData.objects.values("object_id").annotate(sum=Sum("views"))
    assert {row["object_id"]: row["sum"] for row in sums} == expected


# the remainder


def test_a_remainder_without_a_place_is_refused_before_anything_is_done() -> None:
    a_history("a")
    a_history("b")
    clean_up(FIRST + DAY)
    with pytest.raises(BadConversion, match=r"When 2 hits on 2 objects .* --remainder-on"):
        import_hits()
    assert not LedgerEntry.objects.exists()


@for_each(
    "place, expected",
    [
        (date(2020, 1, 1), {date(2020, 1, 1): 3, DAYS[2]: 3}),
        ("oldest", {DAYS[2]: 6}),
        ("none", {DAYS[2]: 3}),
    ],
)
def test_a_remainder_goes_where_it_is_told(place: Any, expected: dict[date, int]) -> None:
    a_history()
    clean_up(FIRST + 2 * DAY)
    report = import_hits(a_plan(remainder=place))
    assert by_start() == expected
    assert report.hits + report.remainder + report.placeless == HitCount.objects.get().hits


def test_hits_that_have_no_rows_at_all_go_to_the_day_of_the_last() -> None:
    a_history()
    Hit.objects.all().delete()
    import_hits(a_plan(remainder="oldest"))
    assert by_start() == {DAYS[2]: 6}


def test_data_class_without_a_time_takes_every_hit() -> None:
    a_history()
    clean_up(FIRST + 2 * DAY)
    report = import_hits(a_plan(data_cls=PageTotals))
    assert (report.hits, report.remainder, total(PageTotals)) == (3, 3, 6)


def test_more_rows_than_the_total_says_are_counted_and_told() -> None:
    a_history()
    HitCount.objects.update(hits=4)
    assert import_hits() == ImportReport(objects=1, hits=6, surplus=2)


def test_rows_that_are_cleaned_up_meanwhile_are_in_the_remainder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_history()
    grouped = totals.grouped

    def grouped_and_cleaned(*args: Any) -> Any:
        for group in grouped(*args):
            clean_up(FIRST + DAY)
            yield group

    monkeypatch.setattr(module.totals, "grouped", grouped_and_cleaned)
    import_hits(a_plan(remainder=date(2020, 1, 1)))
    assert by_start() == {date(2020, 1, 1): 1, DAYS[1]: 2, DAYS[2]: 3}


def test_hits_that_come_meanwhile_are_left_for_the_next_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_history()
    grouped, come = totals.grouped, [1]

    def grouped_and_hit(*args: Any) -> Any:
        for group in grouped(*args):
            while come:
                hit(HitCount.objects.get(), datetime.now(UTC), times=come.pop())
            yield group

    monkeypatch.setattr(module.totals, "grouped", grouped_and_hit)
    assert import_hits() == ImportReport(objects=1, hits=6)
    assert import_hits() == ImportReport(objects=1, hits=1)
    assert total(PageData) == HitCount.objects.get().hits


# each once


def test_what_is_imported_is_not_imported_again() -> None:
    a_history()
    clean_up(FIRST + DAY)
    plan = a_plan(remainder="oldest")
    assert import_hits(plan).objects == 1
    assert import_hits(plan) == ImportReport(objects=1)
    assert total(PageData) == 6


def test_what_came_since_is_added_also_after_a_clean_up() -> None:
    a_history()
    import_hits()
    clean_up(FIRST + 2 * DAY)
    later = datetime.now(UTC)
    hit(HitCount.objects.get(), later, times=4)
    hit(total_of(a_page("new")), later, times=5)
    assert import_hits() == ImportReport(objects=2, hits=9)
    assert total(PageData) == 15


@for_each("stops_at", [0, 1, 2])
def test_an_import_that_is_killed_goes_on_where_it_was(
    monkeypatch: pytest.MonkeyPatch, stops_at: int
) -> None:
    for slug in "abc":
        a_history(slug)
    clean_up(FIRST + DAY)
    monkeypatch.setattr(totals, "GROUP_SIZE", 1)
    add, calls = upsert.add, []

    def add_or_die(*args: Any) -> None:
        calls.append(args)
        add(*args)
        if len(calls) == stops_at + 1:
            raise Crash

    monkeypatch.setattr(upsert, "add", add_or_die)
    plan = a_plan(remainder="oldest")
    with pytest.raises(Crash):
        import_hits(plan)
    assert total(PageData) == 6 * stops_at
    hit(HitCount.objects.last(), datetime.now(UTC))
    import_hits(plan)
    assert total(PageData) == 19


def test_two_imports_at_once_count_once() -> None:
    a_history()
    first, second = Importer(a_plan()), Importer(a_plan())
    first.start(), second.start()
    list(first.run())
    with pytest.raises(BadConversion, match="Another run"):
        list(second.run())
    third, fourth = Importer(a_plan()), Importer(a_plan())
    third.start(), fourth.start()
    list(third.run())
    with pytest.raises(BadConversion, match="Another run"):
        list(fourth.run())
    assert total(PageData) == 6


def test_a_database_that_fails_leaves_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise OperationalError("gone")

    a_history()
    with monkeypatch.context() as patched:
        patched.setattr(upsert, "add", fail)
        with pytest.raises(OperationalError):
            import_hits()
    assert import_hits().hits == 6


def test_dry_run_changes_nothing_and_needs_no_place() -> None:
    a_history()
    clean_up(FIRST + DAY)
    assert import_hits(dry=True) == ImportReport(objects=1, hits=5, placeless=1)
    assert (total(PageData), LedgerEntry.objects.count()) == (0, 0)


def test_it_begins_anew_when_told_to_forget() -> None:
    a_history()
    import_hits()
    PageData.objects.all().delete()
    assert import_hits(forget=True) == ImportReport(objects=1, hits=6)
    assert import_hits() == ImportReport(objects=1)


# what is left out


def test_hits_before_a_time_are_followed_by_those_before_a_later_one() -> None:
    a_history()
    early = a_plan(before=FIRST + DAY)
    assert import_hits(early) == ImportReport(objects=1, hits=1, elsewhen=5)
    assert import_hits(early) == ImportReport()
    assert import_hits(a_plan(before=FIRST + 2 * DAY)).hits == 2
    with pytest.raises(BadConversion, match=r"2026-03-06T22:30:00\+00:00 were imported"):
        import_hits(early)
    assert import_hits().hits == 3


def test_hits_since_a_time_have_no_remainder() -> None:
    a_history()
    clean_up(FIRST + DAY)
    plan = a_plan(since=FIRST + 2 * DAY)
    assert import_hits(plan) == ImportReport(objects=1, hits=3)
    assert import_hits(plan) == ImportReport(objects=1)
    with pytest.raises(BadConversion, match="--forget"):
        import_hits()


def test_crawlers_are_left_out_if_one_likes() -> None:
    a_history()
    hit(HitCount.objects.get(), agent=CRAWLER, times=4)
    report = import_hits(a_plan(without_crawlers=True))
    assert report == ImportReport(objects=1, hits=6, crawlers=4)


def test_objects_that_are_gone_are_left_out_and_told() -> None:
    page = a_history("a")
    a_history("b")
    page.delete()
    for data_cls in (PageData, PageParentData):
        report = import_hits(a_plan(data_cls=data_cls))
        assert report == ImportReport(objects=1, hits=6, gone_objects=1, gone=6)


def test_a_site_without_hits_has_nothing_to_import() -> None:
    assert import_hits() == ImportReport()
    total_of(a_page(), 3)
    assert import_hits(a_plan(remainder="none")) == ImportReport(objects=1, placeless=3)


# what is refused


def test_times_that_make_no_sense_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "now", lambda: FIRST)
    with pytest.raises(BadConversion, match="future"):
        Importer(a_plan(before=FIRST + DAY))
    with pytest.raises(BadConversion, match="not earlier"):
        Importer(a_plan(since=FIRST, before=FIRST))


def test_tables_that_are_not_there_are_named() -> None:
    with pytest.raises(BadConversion, match="no table shop_counts"):
        Importer(a_plan(totals_table="shop_counts"))


@pytest.mark.vendor("sqlite", "postgresql")  # MySQL's and MariaDB's hold twice as much
def test_more_than_a_counter_can_hold_ends_it_with_nothing_done() -> None:
    page = a_page()
    total_of(page, (1 << 31) - 1)
    emit(page, when=FIRST)
    process_messages()
    with pytest.raises(Error):
        import_hits(a_plan(remainder="oldest"))
    assert (total(PageData), LedgerEntry.objects.count()) == (1, 1)
