"""Boundaries: coarse periods in zones whose clocks are set, and what is old enough."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackable.periods import PERIODS
from trackable.rollups.boundaries import EARLIEST, due, floor, following, kept_at, step_at
from trackable_tests.rollups.keeping import NOW, at

HOUR = timedelta(hours=1)
#: with clocks that are set at midnight, across midnight, by half an hour, past a whole day
ZONES = (
    *("UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Beirut", "America/Sao_Paulo"),
    *("America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati"),
)


def hours_of(day: datetime, zone: tzinfo) -> float:
    start = floor("day", day, zone)
    return (following("day", start, zone) - start) / HOUR  # type: ignore[operator, no-any-return]


def test_a_day_has_all_its_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert hours_of(at(2026, 3, 29, 12), berlin) == 23
    assert hours_of(at(2026, 10, 25, 12), berlin) == 25
    assert hours_of(at(2026, 4, 5, 0), ZoneInfo("Australia/Lord_Howe")) == 24.5


def test_a_day_without_midnight_begins_with_its_first_moment() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    start = floor("day", at(2023, 3, 26, 12), beirut)
    assert start == datetime(2023, 3, 26, 1, tzinfo=beirut)
    assert floor("day", start, beirut) == start


def test_a_day_begins_once_where_clocks_are_set_back_across_midnight() -> None:
    st_johns = ZoneInfo("America/St_Johns")  # from 00:01 to 23:01 of the day before
    start = floor("day", datetime(2010, 11, 7, 12, tzinfo=st_johns), st_johns)
    assert start == datetime(2010, 11, 7, 0, tzinfo=st_johns).astimezone(UTC)
    assert floor("day", at(2010, 11, 7, 3), st_johns) == start
    assert hours_of(at(2010, 11, 7, 12), st_johns) == 25


def test_hours_of_a_zone_of_half_hours_are_part_of_its_days() -> None:
    assert floor("day", at(2026, 11, 20, 18, 30), ZoneInfo("Asia/Kolkata")) == at(
        2026, 11, 20, 18, 30
    )
    assert floor("month", at(2026, 11, 20, 18), ZoneInfo("Asia/Kolkata")) == at(
        2026, 10, 31, 18, 30
    )


@given(
    st.integers(0, 50 * 366 * 24 * 4).map(lambda quarters: at(1990, 1, 1) + quarters * HOUR / 4),
    st.sampled_from(ZONES),
    st.sampled_from(PERIODS[1:]),
)
def test_each_moment_is_in_one_period_and_each_period_in_one_that_is_coarser(
    moment: datetime, name: str, step: str
) -> None:
    zone = ZoneInfo(name)
    start: Any = floor(step, moment, zone)
    end: Any = following(step, moment, zone)
    assert start <= moment < end
    assert floor(step, start, zone) == start
    assert floor(step, end, zone) == end
    if step != "week":
        coarser = PERIODS[PERIODS.index(step) + 1 :]
        assert all(floor(each, start, zone) == floor(each, moment, zone) for each in coarser[1:])
    day = moment.astimezone(zone).date()
    assert floor(step, day, zone) <= day < following(step, day, zone)  # type: ignore[operator]


def test_what_is_due_is_over_for_the_age() -> None:
    berlin = ZoneInfo("Europe/Berlin")

    def due_on(step: str, finest: str, days: int, now: datetime = NOW) -> Any:
        age = timedelta(days=days)
        return due(step, age=age, now=now, finest=finest, zone=berlin)

    assert due_on("day", "hour", 30) == datetime(2026, 10, 22, tzinfo=berlin)
    assert due_on("month", "day", 30) == date(2026, 10, 1)
    assert due_on("month", "day", 21, at(2026, 11, 21, 22)) == date(2026, 10, 1)
    assert due_on("month", "day", 21, at(2026, 11, 21, 23)) == date(2026, 11, 1)
    assert due_on("hour", "hour", 1) == at(2026, 11, 20, 12)
    assert due_on("year", "hour", 999_999_999) <= EARLIEST


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("America/New_York")])
def test_what_is_late_is_kept_with_what_there_is(zone: tzinfo) -> None:
    untils = {
        "day": datetime(2026, 10, 22, tzinfo=zone).astimezone(UTC),
        "month": datetime(2026, 3, 1, tzinfo=zone).astimezone(UTC),
    }

    def local(*parts: int) -> datetime:
        return datetime(*parts, tzinfo=zone).astimezone(UTC)  # type: ignore[arg-type, misc]

    def kept(start: Any, finest: str) -> tuple[str, Any]:
        asked = {"finest": finest, "zone": zone}
        return step_at(start, untils, **asked), kept_at(start, untils, **asked)

    assert kept(local(2026, 10, 22, 0), "hour") == ("hour", local(2026, 10, 22, 0))
    assert kept(local(2026, 10, 21, 23), "hour") == ("day", local(2026, 10, 21, 0))
    assert kept(local(2026, 2, 28, 23), "hour") == ("month", local(2026, 2, 1, 0))
    assert kept(date(2026, 3, 1), "day") == ("day", date(2026, 3, 1))
    assert kept(date(2026, 2, 28), "day") == ("month", date(2026, 2, 1))
    assert kept(date.min, "day") == ("day", date.min)
    assert kept(datetime.min.replace(tzinfo=UTC), "hour")[0] == "hour"
