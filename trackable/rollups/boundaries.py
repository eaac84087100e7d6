"""Boundaries: where coarse periods start, which are old enough, and where counts are kept.

Pure: neither clock nor database nor settings. A *start* is what ``collected_during`` holds: a
date for periods of a day and longer, for hours an aware datetime. A coarse period of hours
begins at the first moment of its first day in the zone, so days of 23 and 25 hours are whole,
and an hour belongs to the period that its start falls into, of whichever zone the hour is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

from trackable.periods import PERIODS, start_of

Start = date | datetime

#: step -> the moment before which all rows are of this step, or of a coarser one
Untils = Mapping[str, datetime]

DAY: Final = timedelta(days=1)
#: What is before this stays as it is: MySQL has no earlier dates, Python not much earlier ones.
EARLIEST: Final = datetime(1000, 1, 1, tzinfo=UTC)


def floor(step: str, start: Start, zone: tzinfo) -> Start:
    """Return the start of the coarse period that a period falls into, of the same type."""
    if not isinstance(start, datetime):
        return _first_day(step, start)
    if step == "hour":
        return start_of(step, start, zone)
    return midnight(_first_day(step, _day_of(start, zone)), zone)


def following(step: str, start: Start, zone: tzinfo) -> Start:
    """Return the start of the coarse period after the one that a period falls into."""
    if not isinstance(start, datetime):
        return _next_day(step, _first_day(step, start))
    day = _first_day(step, _day_of(start, zone))
    while (moment := midnight(day, zone)) <= start:  # a zone may leave out a whole day
        day = _next_day(step, day)
    return moment


def due(step: str, *, age: timedelta, now: datetime, finest: str, zone: tzinfo) -> Start:
    """Return the start before which all periods of the step are over for at least the age.

    A datetime if ``finest``, the period of the data class, is the hour, else a date.
    """
    try:
        moment = max(now.astimezone(UTC) - age, EARLIEST)
    except OverflowError:
        moment = EARLIEST
    return floor(step, start_in(moment, finest=finest, zone=zone), zone)


def step_at(start: Start, untils: Untils, *, finest: str, zone: tzinfo) -> str:
    """Return the finest step of which there are rows at a time: what late counts belong to too."""
    for step in reversed(PERIODS):
        if step in untils and _is_before(start, untils[step], zone):
            return step
    return finest


def kept_at(start: Start, untils: Untils, *, finest: str, zone: tzinfo) -> Start:
    """Return where the counts of a period are kept: its start, or that of a coarse period."""
    step = step_at(start, untils, finest=finest, zone=zone)
    return start if step == finest else floor(step, start, zone)


def moment_of(start: Start, zone: tzinfo) -> datetime:
    """Return a start as an aware datetime."""
    return start if isinstance(start, datetime) else midnight(start, zone)


def start_in(moment: datetime, *, finest: str, zone: tzinfo) -> Start:
    """Return a moment as a start: itself for hours, else the day that it is in."""
    return moment if finest == "hour" else _day_of(moment, zone)


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return the first moment of a day in a zone, in UTC; the clocks may be set at midnight."""
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _is_before(start: Start, until: datetime, zone: tzinfo) -> bool:
    if isinstance(start, datetime):
        return EARLIEST <= start < until
    return EARLIEST.date() <= start < _day_of(until, zone)


def _day_of(moment: datetime, zone: tzinfo) -> date:
    """Return the last day whose first moment has come.

    Not the date in the zone: where clocks are set back across midnight that is yesterday again.
    """
    day = moment.astimezone(zone).date() + DAY
    while midnight(day, zone) > moment:
        day -= DAY
    return day


def _first_day(step: str, day: date) -> date:
    found = start_of(step, datetime.combine(day, time.min, UTC), UTC)
    if isinstance(found, datetime):
        raise ValueError(f"{step!r} is not coarser than another period.")
    return found


def _next_day(step: str, first: date) -> date:
    match step:
        case "day":
            return first + DAY
        case "week":
            return first + 7 * DAY
        case "month":
            return (first + 31 * DAY).replace(day=1)
        case "year":
            return first.replace(year=first.year + 1)
    raise ValueError(f"{step!r} is not coarser than another period.")
