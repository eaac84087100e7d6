"""Times: what ``start``, ``end`` and ``days`` of a request say together."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from django.utils import timezone

from trackable.api.parameters import DEFAULT_DAYS
from trackable.api.problems import Problem, unfit
from trackable.periods import current_zone
from trackable.reading.series import LENGTHS

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY: Final = timedelta(days=1)
MAX_POINTS: Final = 5000


@dataclass(frozen=True, slots=True)
class Time:
    """Days, both included, or moments, of which ``end`` is not. ``None`` is open."""

    start: date | None = None
    end: date | None = None

    @property
    def words(self) -> dict[str, str | None]:
        """Both ends, as answers have them."""
        return {"start": text_of(self.start), "end": text_of(self.end)}

    @property
    def bounds(self) -> dict[str, Any]:
        """Both ends, as querysets take them."""
        return {"start": self.start, "end": self.end}


def text_of(start: date | None) -> str | None:
    """Return a day, or a moment in the current time zone with its offset, in ISO 8601."""
    if isinstance(start, datetime) and timezone.is_aware(start):
        start = start.astimezone(current_zone())
    return None if start is None else start.isoformat()


def time_of(sent: Mapping[str, Any]) -> Time:
    """Return the time that a request names, open where it names none. Raises ``Problem``."""
    start, end, days = sent["start"], sent["end"], sent["days"]
    if days is not None:
        if start is not None or end is not None:
            raise unfit("days", "It is days, or start and end: leave one of the two out.")
        return _last(days)
    if start is not None and end is not None:
        if isinstance(start, datetime) != isinstance(end, datetime):
            raise unfit("end", "Let start and end be two days, or two moments.")
        if start > end:
            raise unfit("end", "The end is before the start: exchange the two.")
    return Time(start, end)


def closed_time_of(sent: Mapping[str, Any], step: str) -> Time:
    """Return the time that a request names; without one, the last ``DEFAULT_DAYS``.

    Raises ``Problem``, also for more steps than ``MAX_POINTS``.
    """
    time = time_of(sent)
    if time.start is None:
        if time.end is not None:
            raise unfit("start", "Give a start too, or days in place of both.")
        time = _last(DEFAULT_DAYS)
    elif time.end is None:
        is_moment = isinstance(time.start, datetime)
        time = Time(time.start, timezone.now() if is_moment else _today())
    _check_length(time, step)
    return time


def _check_length(time: Time, step: str) -> None:
    length: Any = time.end - time.start  # type: ignore[operator]  # both are of one kind
    if length < timedelta():
        raise unfit("start", "It is later than now: give an end too.")
    if (length + DAY) / LENGTHS[step] > MAX_POINTS:
        raise _too_long()


def _too_long() -> Problem:
    return unfit(
        "by", f"There are at most {MAX_POINTS} points: take a coarser step, or a shorter time."
    )


def _last(days: int) -> Time:
    today = _today()
    return Time(today - (days - 1) * DAY, today)


def _today() -> date:
    return timezone.now().astimezone(current_zone()).date()
