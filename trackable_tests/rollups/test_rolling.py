"""Rolling up: old rows become coarser ones, and the sums stay."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from django.utils import timezone

from trackable.folding.engine import fold
from trackable.models import RolledUp
from trackable.rollups import marks, portions, rolling
from trackable.rollups.rolling import roll_up, roll_up_all
from trackable_tests.counting import a_page, batch, counts, entry, total
from trackable_tests.rollups.keeping import (
    DAYS,
    HOURS_AND_DAYS,
    NOW,
    THREE_STEPS,
    Keep,
    add,
    at,
    sums,
)
from trackable_tests.testapp.models import (
    DownloadData,
    Link,
    LinkData,
    PageData,
    PageHours,
    PageParentData,
    PageVisitors,
)

pytestmark = pytest.mark.django_db

DAYS_AND_MONTHS = {"day": 30 * DAYS, "month": None}


def test_hours_of_old_days_become_days(keep: Keep) -> None:
    keep(PageHours, HOURS_AND_DAYS)
    for hour in (0, 7, 23):
        add(PageHours, 1, at(2026, 10, 21, hour), views=hour + 1)
        add(PageHours, 1, at(2026, 10, 22, hour))
    add(PageHours, 2, at(2026, 1, 1, 5), views=4)
    report = roll_up(PageHours, now=NOW)
    young = {(1, at(2026, 10, 22, hour)): 1 for hour in (0, 7, 23)}
    old = {(1, at(2026, 10, 21)): 33, (2, at(2026, 1, 1)): 4}
    assert counts(PageHours) == {**young, **old}
    assert (report.rows, report.unfinished) == (3, 0)
    assert marks.untils("default", PageHours) == {"day": at(2026, 10, 22)}


def test_what_is_rolled_up_is_left_alone(keep: Keep, django_assert_num_queries: Any) -> None:
    keep(PageHours, HOURS_AND_DAYS)
    add(PageHours, 1, at(2026, 10, 21, 5))
    roll_up(PageHours, now=NOW)
    with django_assert_num_queries(3):  # the mark; then the one row, and that none is before it
        assert roll_up(PageHours, now=NOW).rows == 0


def test_the_coarsest_step_is_made_at_once(keep: Keep) -> None:
    keep(PageHours, THREE_STEPS)
    for moment in (at(2025, 2, 3, 4), at(2025, 2, 28, 23), at(2025, 3, 1), at(2026, 3, 4, 5)):
        add(PageHours, 1, moment)
    assert roll_up(PageHours, now=NOW).rows == 3
    assert counts(PageHours) == {
        (1, at(2025, 2, 1)): 2,
        (1, at(2025, 3, 1)): 1,
        (1, at(2026, 3, 4)): 1,
    }
    assert marks.untils("default", PageHours) == {
        "day": at(2026, 10, 22),
        "month": at(2025, 10, 1),
    }


def test_days_become_months_later(keep: Keep) -> None:
    keep(PageHours, THREE_STEPS)
    for hour in range(3):
        add(PageHours, 1, at(2025, 9, 30, hour))
    roll_up(PageHours, now=at(2025, 11, 21))
    assert counts(PageHours) == {(1, at(2025, 9, 30)): 3}
    roll_up(PageHours, now=NOW)
    assert counts(PageHours) == {(1, at(2025, 9, 1)): 3}


def test_every_kind_of_counter_and_key(keep: Keep) -> None:
    keep(PageData, DAYS_AND_MONTHS)
    for day in (3, 4):
        amounts = {"views": 2, "score": -3, "revenue": Decimal("0.10"), "seconds": 0.1}
        add(PageData, 1, date(2026, 9, day), **amounts)
    roll_up(PageData, now=NOW)
    row = PageData.objects.get()
    assert row.collected_during == date(2026, 9, 1)
    assert (row.views, row.score, row.revenue) == (4, -6, Decimal("0.20"))
    assert row.seconds == pytest.approx(0.2)


def test_every_kind_of_object(keep: Keep) -> None:
    page, uuid = a_page(), "12345678-1234-5678-1234-567812345678"
    for data_cls, key in ((PageParentData, page.pk), (DownloadData, uuid), (LinkData, "a\nb")):
        keep(data_cls, DAYS_AND_MONTHS)
        for day in (1, 2, 3):
            add(data_cls, key, date(2026, 9, day))
        assert roll_up(data_cls, now=NOW).rows == 2
        assert (total(data_cls), data_cls._base_manager.count()) == (3, 1)


def test_distinct_counts_are_united(keep: Keep) -> None:
    from trackable.uniques import sketches

    keep(PageVisitors, DAYS_AND_MONTHS)
    seen = {1: [1, 2], 2: [2, 3], 3: []}
    for day, hashes in seen.items():
        sketch = sketches.add(b"", [each * 2**50 for each in hashes])
        add(PageVisitors, 1, date(2026, 9, day), visitors=sketch, views=1)
    assert roll_up(PageVisitors, now=NOW).rows == 2
    row = PageVisitors._base_manager.get()
    assert (row.visitors, row.views) == (3, 3)


@override_settings(TIME_ZONE="Asia/Kolkata")
def test_days_are_those_of_the_sites_zone_whatever_zone_is_active(keep: Keep) -> None:
    keep(PageHours, HOURS_AND_DAYS)
    kolkata = ZoneInfo("Asia/Kolkata")
    midnight = datetime(2026, 10, 1, tzinfo=kolkata)
    for moment in (midnight, at(2026, 9, 30, 19), midnight + timedelta(hours=23.5)):
        add(PageHours, 1, moment)
    with timezone.override("America/New_York"):
        roll_up(PageHours, now=NOW)
    assert counts(PageHours) == {(1, midnight): 3}


@override_settings(USE_TZ=False, TIME_ZONE="Europe/Berlin")
def test_sites_without_time_zones_are_rolled_up(keep: Keep) -> None:
    keep(PageHours, HOURS_AND_DAYS)
    for hour in (0, 2, 23):
        add(PageHours, 1, datetime(2026, 3, 29, hour))  # noqa: DTZ001
    roll_up(PageHours, now=NOW)
    assert list(PageHours.objects.values_list("collected_during", "views")) == [
        (datetime(2026, 3, 29), 3)  # noqa: DTZ001
    ]
    assert marks.untils("default", PageHours)["day"] == at(2026, 10, 21, 22)
    page = a_page()
    fold("testapp.PageHours", [batch(PageHours, entry(page, period="2026-03-29T05:00:00+00:00"))])
    assert PageHours.objects.get(object_id=page.pk).collected_during.hour == 0


def test_late_counts_are_added_to_what_there_is(keep: Keep) -> None:
    keep(PageHours, HOURS_AND_DAYS)
    page = a_page()
    add(PageHours, page, at(2026, 10, 21, 5))
    roll_up(PageHours, now=NOW)
    late = [entry(page, period=f"2026-10-21T{hour}:00:00+00:00") for hour in ("08", "09")]
    young = entry(page, period="2026-10-22T08:00:00+00:00")
    fold("testapp.PageHours", [batch(PageHours, *late, young)])
    assert counts(PageHours) == {
        (page.pk, at(2026, 10, 21)): 3,
        (page.pk, at(2026, 10, 22, 8)): 1,
    }


def test_folds_of_classes_without_retention_ask_nothing_more(
    keep: Keep, django_assert_max_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    page = a_page()
    asked = []
    for retention in (None, HOURS_AND_DAYS):
        keep(PageHours, retention)
        with CaptureQueriesContext(connection) as found:
            fold("testapp.PageHours", [batch(PageHours, entry(page, period="2026-10-21T08+00"))])
        asked.append(len(found))
    assert asked[1] - asked[0] == 1


def test_a_finer_row_that_slipped_through_is_summed_later(keep: Keep) -> None:
    keep(PageHours, THREE_STEPS)
    for moment in (at(2025, 2, 3), at(2026, 3, 4)):
        add(PageHours, 1, moment)
    roll_up(PageHours, now=NOW)
    for moment in (at(2025, 2, 3, 7), at(2026, 3, 4, 7), at(2026, 9, 1, 1)):
        add(PageHours, 1, moment)
    assert roll_up(PageHours, now=NOW, max_seconds=60).rows == 3
    assert counts(PageHours) == {
        (1, at(2025, 2, 1)): 2,
        (1, at(2026, 3, 4)): 2,
        (1, at(2026, 9, 1)): 1,
    }


def test_what_does_not_fit_stays_and_keeps_nobody_waiting(
    keep: Keep, caplog: pytest.LogCaptureFixture
) -> None:
    keep(PageHours, HOURS_AND_DAYS)
    for pk in range(1, 8):
        for hour in (1, 2, 3):
            add(PageHours, pk, at(2026, 9, 1, hour), views=2**31 - 1 if pk == 3 else 1)
    with caplog.at_level(logging.ERROR):
        report = roll_up(PageHours, now=NOW)
    assert (report.rows, report.refused_objects) == (18, 1)
    assert counts(PageHours) == {
        **{(pk, at(2026, 9, 1)): 3 for pk in (1, 2, 4, 5, 6, 7)},
        **{(3, at(2026, 9, 1, hour)): 2**31 - 1 for hour in (1, 2, 3)},
    }
    [record] = caplog.records
    assert "testapp.PageHours" in record.getMessage()
    assert "more than the column can hold" in record.getMessage()
    assert RolledUp.objects.get().until == at(2026, 10, 22)


def test_what_the_database_changes_is_not_deleted(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(PageHours, HOURS_AND_DAYS)
    for hour in (1, 2):
        add(PageHours, 1, at(2026, 9, 1, hour))
    add_all = portions.upsert.add

    def add_too_little(alias: str, data_cls: Any, rows: Any) -> None:
        add_all(alias, data_cls, [replace(row, amounts={"views": 1}) for row in rows])

    monkeypatch.setattr(portions.upsert, "add", add_too_little)
    assert roll_up(PageHours, now=NOW).refused_objects == 1
    assert (total(PageHours), PageHours.objects.count()) == (2, 2)


def test_an_object_of_many_rows_is_summed_in_several_turns(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(PageHours, HOURS_AND_DAYS)
    monkeypatch.setattr(portions, "ROWS_AT_A_TIME", 5)
    for hour in range(24):
        add(PageHours, 1, at(2026, 9, 1, hour))
        add(PageHours, 2, at(2026, 9, 1, hour))
    seen: list[int] = []
    roll_up(PageHours, now=NOW, progress=lambda report: seen.append(report.rows))
    assert counts(PageHours) == {(pk, at(2026, 9, 1)): 24 for pk in (1, 2)}
    assert len(seen) > 8


def test_time_that_is_up_ends_it_and_the_next_run_goes_on(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(PageHours, HOURS_AND_DAYS)
    monkeypatch.setattr(portions, "ROWS_AT_A_TIME", 4)
    for day in (1, 2, 3):
        for hour in range(6):
            add(PageHours, day, at(2026, 9, day, hour))
    clock = iter(range(1000))
    monkeypatch.setattr(rolling.time, "monotonic", lambda: float(next(clock)))
    runs = 0
    while roll_up(PageHours, now=NOW, max_seconds=2.5).unfinished:
        runs += 1
        assert sums(PageHours) == {1: 6, 2: 6, 3: 6}
    assert runs > 1
    assert counts(PageHours) == {(day, at(2026, 9, day)): 6 for day in (1, 2, 3)}


def test_old_rows_of_the_last_step_are_removed_if_that_is_asked_for(keep: Keep) -> None:
    retention = {"hour": 30 * DAYS, "day": 400 * DAYS}
    for moment in (at(2025, 10, 16, 23), at(2025, 10, 17), at(2025, 10, 17, 5)):
        add(PageHours, 1, moment)
    keep(PageHours, retention)
    assert roll_up(PageHours, now=NOW).removed == 0
    keep(PageHours, retention, remove_oldest=True)
    assert roll_up(PageHours, now=NOW).removed == 1
    assert counts(PageHours) == {(1, at(2025, 10, 17)): 2}


def test_a_class_that_fails_does_not_keep_the_others(
    keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    for data_cls, day in ((PageData, date(2020, 9, 2)), (PageHours, at(2020, 9, 2, 3))):
        keep(data_cls, {data_cls.period: 30 * DAYS, "month": None})
        add(data_cls, 1, day)
    of = rolling.table_of

    def fail(data_cls: Any, alias: Any) -> Any:
        if data_cls is PageData:
            raise OperationalError("away")
        return of(data_cls, alias)

    monkeypatch.setattr(rolling, "table_of", fail)
    with pytest.raises(OperationalError, match="away"):
        roll_up_all()
    assert counts(PageData) == {(1, date(2020, 9, 2)): 1}
    assert counts(PageHours) == {(1, at(2020, 9, 1)): 1}


def test_what_waits_can_be_told(keep: Keep) -> None:
    retention = {"hour": 30 * DAYS, "day": 400 * DAYS, "month": 4000 * DAYS}
    keep(PageHours, retention, remove_oldest=True)
    for moment in (at(2001, 1, 1), at(2020, 1, 1), at(2020, 1, 2), at(2026, 1, 1, 5)):
        add(PageHours, 1, moment)
    assert rolling.waiting(PageHours) == {"": 1, "month": 1, "day": 1}


def test_keys_that_the_database_takes_for_one_are_one_object(keep: Keep) -> None:
    """As those that differ in case alone, on MariaDB; elsewhere they are two."""
    keep(LinkData, {"day": 30 * DAYS, "month": None})
    for day, key in enumerate(("A", "a", "b", "A", "a"), 2):
        add(LinkData, Link(key), date(2020, 9, day))
    objects = LinkData.objects.values("object_id").distinct().count()
    report = roll_up(LinkData, now=NOW)
    assert (report.rows, report.refused_objects, total(LinkData)) == (5, 0, 5)
    assert LinkData.objects.count() == objects
