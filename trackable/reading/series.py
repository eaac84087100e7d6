"""Series: values over time as points, one for each step, with zeros where nothing was counted.

Pure: neither clock nor database nor settings. Rows belong to the step that their period starts
in. Their starts are dates, or for hours datetimes in UTC, and a time is half-open: from a start
up to another one, which is not included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

from trackable.counters import Amount
from trackable.exceptions import BadPeriod, BadTime
from trackable.periods import PERIODS, QUARTER_SECONDS, start_of
from trackable.rollups.boundaries import Start, following, midnight

#: period -> the steps that its rows add up to; a week may lie in two months
STEPS: Final = {
    "hour": PERIODS,
    "day": ("day", "week", "month", "year"),
    "week": ("week",),
    "month": ("month", "year"),
    "year": ("year",),
}
MAX_POINTS: Final = 100_000
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
QUARTER: Final = timedelta(seconds=QUARTER_SECONDS)
INSTANT: Final = timedelta(microseconds=1)
LENGTHS: Final = {"hour": HOUR, "day": DAY, "week": 7 * DAY, "month": 28 * DAY, "year": 365 * DAY}

FIRST: Final = date(2, 1, 1)
LAST: Final = date(9998, 12, 31)

#: From a start, up to one that is not included; ``None`` is open.
Span = tuple[Start | None, Start | None]


@dataclass(frozen=True, slots=True)
class Point:
    """What was counted from ``start`` up to ``end``, which is not included.

    Both are dates for steps of a day and longer, and aware datetimes for hours.
    """

    start: date | datetime
    end: date | datetime
    value: Amount


def check_step(label: str, period: str, step: str) -> None:
    """Raise ``BadPeriod`` if rows of a period do not add up to whole steps."""
    if step not in PERIODS:
        raise BadPeriod(f"{step!r} is no step: use one of {', '.join(PERIODS)}.")
    if step in STEPS[period]:
        return
    if PERIODS.index(step) < PERIODS.index(period):
        why = f"is finer than that: ask by={period!r}"
    else:
        why = f"does not consist of whole {period}s: count by days, or ask by={period!r}"
    raise BadPeriod(f"{label} has rows of a {period}, and a {step} {why}.")


def coarser(one: str, other: str) -> str:
    """Return the coarser one of two steps."""
    return max(one, other, key=PERIODS.index)


def span_of(period: str, start: date | None, end: date | None, zone: tzinfo) -> Span:
    """Return the rows' starts that a time holds: dates include both days, datetimes are half-open.

    What is in the first or the last year that there is, is open: at the ends of the calendar
    there is no room for another zone, or for a whole step. Raises ``BadTime`` for a naive datetime.
    """
    for each in (start, end):
        if isinstance(each, datetime) and each.tzinfo is None:
            raise BadTime(f"{each} is no aware datetime: pass one with a time zone, or a date.")
    if start is not None:
        start = None if start.year < FIRST.year else LAST if start.year > LAST.year else start
    if end is not None:
        end = None if end.year > LAST.year else FIRST if end.year < FIRST.year else end
    if end is not None and not isinstance(end, datetime):
        end += DAY
    return (
        None if start is None else _starting_at(period, start, zone),
        None if end is None else _starting_at(period, end, zone),
    )


def _starting_at(period: str, start: date, zone: tzinfo) -> Start:
    """Return the first start of a row that is not before a day or a moment."""
    if period == "hour":
        return start.astimezone(UTC) if isinstance(start, datetime) else midnight(start, zone)
    return first_day(start, zone) if isinstance(start, datetime) else start


def first_day(moment: datetime, zone: tzinfo) -> date:
    """Return the first day that does not begin before a moment."""
    day = moment.astimezone(zone).date()
    while midnight(day, zone) < moment:
        day += DAY
    return day


def step_of(step: str, start: Start, zone: tzinfo) -> Start:
    """Return the start of the step that a row belongs to, by the row's own start."""
    moment = start if isinstance(start, datetime) else datetime(*start.timetuple()[:3], tzinfo=UTC)
    return start_of(step, moment, zone if isinstance(start, datetime) else UTC)


def next_step(step: str, start: Start, zone: tzinfo) -> Start:
    """Return the start of the step after one."""
    if not isinstance(start, datetime):
        return following(step, start, zone)
    after = start + HOUR
    is_usual = start.astimezone(zone).utcoffset() == after.astimezone(zone).utcoffset()
    if not is_usual or start_of("hour", after, zone) != after:
        # the clocks change within it, perhaps by half an hour
        after = start + QUARTER
        while start_of("hour", after, zone) == start:
            after += QUARTER
    return after


def fill(
    values: Mapping[Any, Amount], step: str, span: tuple[Start, Start], zone: tzinfo, zero: Amount
) -> list[Point]:
    """Return the points of a span, in order: those at its ends are cut where it ends.

    ``values`` are by the starts of steps. Raises ``BadPeriod`` for more points than anybody
    can look at.
    """
    first, end = _in_steps(step, span, zone)
    if (end - first) / LENGTHS[step] > MAX_POINTS:
        raise BadPeriod(f"From {first} to {end} are too many points: ask for a coarser step.")
    return [
        Point(_shown(max(start, first), zone), _shown(min(after, end), zone), value)
        for start, after in _steps(step, first, end, zone)
        for value in [values.get(start, zero)]
    ]


def _steps(step: str, first: Start, end: Any, zone: tzinfo) -> Iterator[tuple[Any, Any]]:
    start = step_of(step, first, zone)
    while start < end:
        after = next_step(step, start, zone)
        yield start, after
        start = after


def _in_steps(step: str, span: tuple[Start, Start], zone: tzinfo) -> Any:
    """Return a span as dates, if the starts of steps are dates."""
    first, end = span
    if step == "hour":
        return span
    return (
        first.astimezone(zone).date() if isinstance(first, datetime) else first,
        first_day(end, zone) if isinstance(end, datetime) else end,
    )


def overlap(one: Span, other: Span) -> Span | None:
    """Return what two spans have in common; ``None`` for nothing."""
    low: Any = max((each for each in (one[0], other[0]) if each is not None), default=None)
    high: Any = min((each for each in (one[1], other[1]) if each is not None), default=None)
    return None if low is not None and high is not None and low >= high else (low, high)


def holds(span: Span, start: Any) -> bool:
    """Tell whether the start of a row is in a span."""
    low, high = span
    return (low is None or low <= start) and (high is None or start < high)


def widened(step: str, span: Span, zone: tzinfo) -> Span:
    """Return the span of all steps that have part in a span, in the same terms."""
    low, high = span
    return (
        None if low is None else _same(low, step_of(step, low, zone), zone),
        None if high is None else _same(high, _end_of_last(step, high, zone), zone),
    )


def _end_of_last(step: str, end: Start, zone: tzinfo) -> Start:
    last = end - (INSTANT if isinstance(end, datetime) else DAY)
    return next_step(step, step_of(step, last, zone), zone)


def _same(model: Start, start: Start, zone: tzinfo) -> Start:
    is_to_be_moment = isinstance(model, datetime) and not isinstance(start, datetime)
    return midnight(start, zone) if is_to_be_moment else start


def _shown(start: Start, zone: tzinfo) -> Start:
    return start.astimezone(zone) if isinstance(start, datetime) else start


def offsets(low: datetime, high: datetime, zone: tzinfo) -> list[tuple[datetime, timedelta]]:
    """Return the offsets from UTC that a zone has from one moment to another, in order.

    Each comes with the moment, to the quarter of an hour, at which it ends.
    """
    found: list[tuple[datetime, timedelta]] = []
    moment = low
    while moment < high:
        after = min(moment + DAY, high)
        if _offset(moment, zone) != _offset(after, zone):
            after = _change(moment, after, zone)
            found.append((after, _offset(moment, zone)))
        moment = after
    return [*found, (high, _offset(high, zone))]


def _change(moment: datetime, after: datetime, zone: tzinfo) -> datetime:
    """Return the first quarter of an hour that has another offset than a moment before it."""
    at = datetime.fromtimestamp((moment.timestamp() // QUARTER_SECONDS + 1) * QUARTER_SECONDS, UTC)
    while _offset(at, zone) == _offset(moment, zone) and at < after:
        at += QUARTER
    return at


def _offset(moment: datetime, zone: tzinfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
