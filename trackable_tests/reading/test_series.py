"""Steps of a time: whole ones, in every zone, also where the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trackable.exceptions import BadPeriod, BadTime
from trackable.periods import PERIODS, start_of
from trackable.reading import series
from trackable.reading.series import Point, fill

BERLIN = ZoneInfo("Europe/Berlin")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
KOLKATA = ZoneInfo("Asia/Kolkata")
HOUR = timedelta(hours=1)

ZONES = [
    *map(ZoneInfo, ("UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "Africa/Cairo")),
    *(BERLIN, LORD_HOWE, KOLKATA, timezone(timedelta(hours=-3))),
]


def hours_of(day: date, zone: ZoneInfo) -> list[Point]:
    low, high = series.span_of("hour", day, day, zone)
    assert low is not None
    assert high is not None
    return fill({}, "hour", (low, high), zone, 0)


def elapsed(point: Point) -> timedelta:
    assert isinstance(point.start, datetime)
    assert isinstance(point.end, datetime)
    return point.end.astimezone(UTC) - point.start.astimezone(UTC)


def test_gaps_are_zeros() -> None:
    values = {date(2026, 11, 1): 3, date(2026, 11, 3): 5}
    assert fill(values, "day", (date(2026, 11, 1), date(2026, 11, 4)), UTC, 0) == [
        Point(date(2026, 11, 1), date(2026, 11, 2), 3),
        Point(date(2026, 11, 2), date(2026, 11, 3), 0),
        Point(date(2026, 11, 3), date(2026, 11, 4), 5),
    ]


@pytest.mark.parametrize(
    ("zone", "day", "number"),
    [
        (BERLIN, date(2026, 3, 29), 23),
        (BERLIN, date(2026, 10, 25), 25),
        (BERLIN, date(2026, 11, 21), 24),
        # half an hour less and more: one hour of the day is short, or long
        (LORD_HOWE, date(2026, 10, 4), 24),
        (LORD_HOWE, date(2026, 4, 5), 24),
        (KOLKATA, date(2026, 11, 21), 24),
        (ZoneInfo("Pacific/Apia"), date(2011, 12, 30), 0),  # they had none
    ],
)
def test_days_have_as_many_hours_as_clocks_show(zone: ZoneInfo, day: date, number: int) -> None:
    assert len(hours_of(day, zone)) == number


def test_hour_of_lord_howe_that_the_change_cuts_is_half_or_one_and_a_half() -> None:
    spring = [elapsed(point) for point in hours_of(date(2026, 10, 4), LORD_HOWE)]
    autumn = [elapsed(point) for point in hours_of(date(2026, 4, 5), LORD_HOWE)]
    assert (spring[2], sum(spring, timedelta())) == (HOUR / 2, 23.5 * HOUR)
    assert (autumn[1], sum(autumn, timedelta())) == (1.5 * HOUR, 24.5 * HOUR)


def test_hours_are_shown_in_their_zone() -> None:
    point = hours_of(date(2026, 11, 21), KOLKATA)[0]
    assert point.start == datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
    assert point.start.isoformat() == "2026-11-21T00:00:00+05:30"


@settings(max_examples=60)
@example(moment=datetime(2026, 10, 3, 12), zone=LORD_HOWE, step="hour")  # noqa: DTZ001
@given(
    moment=st.datetimes(datetime(1990, 1, 1), datetime(2040, 1, 1)),  # noqa: DTZ001
    zone=st.sampled_from(ZONES),
    step=st.sampled_from(PERIODS),
)
def test_steps_are_those_that_the_fold_counts_by(moment: datetime, zone: Any, step: str) -> None:
    first = moment.replace(tzinfo=UTC)
    points = fill({}, step, (first, first + 40 * series.LENGTHS[step]), zone, 0)
    assert all(one.end == next_one.start for one, next_one in pairwise(points))
    for point in points[1:]:
        if isinstance(point.start, datetime):
            assert isinstance(point.end, datetime)
            last = point.end.astimezone(UTC) - series.INSTANT
            assert start_of(step, point.start, zone) == start_of(step, last, zone) == point.start
        else:
            assert series.step_of(step, point.end - series.DAY, zone) == point.start


def test_time_of_dates_includes_both_days_and_that_of_moments_not_its_end() -> None:
    day, noon = date(2026, 11, 21), datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert series.span_of("day", day, day, UTC) == (day, date(2026, 11, 22))
    assert series.span_of("hour", day, day, BERLIN) == (
        datetime(2026, 11, 20, 23, tzinfo=UTC),
        datetime(2026, 11, 21, 23, tzinfo=UTC),
    )
    assert series.span_of("hour", noon, noon + HOUR, BERLIN) == (noon, noon + HOUR)
    # a row belongs to a time by its start: this day began before noon, the next one does not
    assert series.span_of("day", noon, noon + 12 * HOUR, UTC) == (date(2026, 11, 22),) * 2


def test_times_at_the_ends_of_the_calendar_are_open_or_empty() -> None:
    for period in PERIODS:
        for zone in ZONES:
            assert series.span_of(period, date.min, date.max, zone) == (None, None)
            span = series.span_of(period, date.max, date.min, zone)
            assert series.overlap(span, (None, None)) is None
            assert None not in series.widened("year", span, zone)


def test_naive_moments_are_refused() -> None:
    with pytest.raises(BadTime, match="no aware datetime"):
        series.span_of("hour", datetime(2026, 11, 21), None, UTC)  # noqa: DTZ001


def test_steps_that_rows_do_not_add_up_to_are_refused() -> None:
    for period, step, text in [
        ("day", "hour", "finer than that: ask by='day'"),
        ("month", "week", "finer than that"),
        ("week", "month", "does not consist of whole weeks"),
        ("day", "quarter", "no step: use one of hour"),
    ]:
        with pytest.raises(BadPeriod, match=text):
            series.check_step("app.Data", period, step)


def test_more_points_than_anybody_can_look_at_are_refused() -> None:
    with pytest.raises(BadPeriod, match="coarser step"):
        fill({}, "day", (date(1, 1, 1), date(2026, 1, 1)), UTC, 0)


def test_widened_to_whole_steps() -> None:
    span = (datetime(2026, 3, 27, 12, tzinfo=UTC), datetime(2026, 3, 30, 12, tzinfo=UTC))
    assert series.widened("week", span, BERLIN) == (
        datetime(2026, 3, 22, 23, tzinfo=UTC),
        datetime(2026, 4, 5, 22, tzinfo=UTC),
    )
    days = (date(2026, 11, 15), date(2026, 12, 1))
    assert series.widened("month", days, UTC) == (date(2026, 11, 1), date(2026, 12, 1))


def test_offsets_change_where_the_clocks_do() -> None:
    year = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
    assert series.offsets(*year, BERLIN) == [
        (datetime(2026, 3, 29, 1, tzinfo=UTC), HOUR),
        (datetime(2026, 10, 25, 1, tzinfo=UTC), 2 * HOUR),
        (year[1], HOUR),
    ]
    assert [offset / HOUR for _, offset in series.offsets(*year, LORD_HOWE)] == [11, 10.5, 11]
    assert series.offsets(*year, KOLKATA) == [(year[1], 5.5 * HOUR)]
