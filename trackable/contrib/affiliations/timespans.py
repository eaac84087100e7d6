"""Timespans: the days of a report, as one or in periods, and the moments at which these end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.conf import settings
from django.utils import timezone

WHOLE: Final = "whole"
DAY: Final = "day"
MONTH: Final = "month"
#: Past so many periods a report is no longer read.
MAX_PERIODS: Final = 366
MONTHS_A_YEAR: Final = 12


@dataclass(frozen=True, slots=True)
class Timespan:
    """The days from the first to the last, both included, by day, by month or as a whole."""

    first: date
    last: date
    by: str = WHOLE

    @property
    def number(self) -> int:
        """The number of periods, before these are made."""
        if self.by == MONTH:
            return _month(self.last) - _month(self.first) + 1
        return (self.last - self.first).days + 1 if self.by == DAY else 1

    @property
    def periods(self) -> list[date]:
        """The starts of the periods: the first day of a month may be before the first one here."""
        if self.by == DAY:
            return [self.first + timedelta(days=days) for days in range(self.number)]
        if self.by == MONTH:
            months = range(_month(self.first), _month(self.first) + self.number)
            return [date(month // MONTHS_A_YEAR, month % MONTHS_A_YEAR + 1, 1) for month in months]
        return [self.first]

    @property
    def starts_at(self) -> datetime:
        return moment_of(self.first)

    @property
    def ends_at(self) -> datetime:
        return moment_of(self.last + timedelta(days=1))

    @property
    def ends(self) -> list[datetime]:
        """The moments at which the periods end, which belong to the next ones."""
        return [*map(moment_of, self.periods[1:]), self.ends_at]

    def text_of(self, period: date) -> str:
        """Return a period as a table has it: ``2026-11-21``, ``2026-11``."""
        return period.isoformat()[: len("2026-11")] if self.by == MONTH else period.isoformat()


def _month(day: date) -> int:
    return day.year * MONTHS_A_YEAR + day.month - 1


def moment_of(day: date) -> datetime:
    """Return when a day of the site begins, as rows have it."""
    start = datetime.combine(day, datetime.min.time())
    return timezone.make_aware(start, timezone.get_default_timezone()) if settings.USE_TZ else start


def today() -> date:
    """Return the day that it is for the site."""
    now = timezone.now()
    is_aware = timezone.is_aware(now)
    return timezone.localdate(now, timezone.get_default_timezone()) if is_aware else now.date()
