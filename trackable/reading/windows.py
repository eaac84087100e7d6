"""Windows: the rows of a time, and the step that each belongs to, as the database is asked."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Case, DateField, DateTimeField, ExpressionWrapper, F, Q, Value, When
from django.db.models.functions import Trunc
from django.utils import timezone

from trackable.exceptions import BadPeriod, BadTime
from trackable.periods import current_zone
from trackable.reading.series import DAY, Span, offsets, span_of
from trackable.rollups.boundaries import Start

DURING = "collected_during"


def period_of(data_cls: Any) -> str:
    """Return the period of a data class's rows. Raises ``BadPeriod`` if they have none."""
    if data_cls.period is None:
        raise BadPeriod(
            f"{data_cls._meta.label} has one row an object, without a time: derive it from"
            " TrackableTimeSeriesData, or ask for total()."
        )
    period: str = data_cls.period
    return period


def today() -> date:
    """Return the date in the current time zone."""
    return datetime.now(current_zone()).date()


def window(
    data_cls: Any, days: int | None, start: date | None, end: date | None, zone: tzinfo
) -> Span:
    """Return the span of so many days up to today, or from ``start`` to ``end``; open for none.

    Raises ``BadPeriod`` for a class whose rows have no time, and ``BadTime``.
    """
    if days is not None:
        if start is not None or end is not None:
            raise BadTime("It is days, or start and end: leave one of the two out.")
        if days < 1:
            raise BadTime(f"{days} days hold nothing: the first one is today.")
        end = today()
        start = date.min if days > end.toordinal() else end - (days - 1) * DAY
    if start is None and end is None:
        return None, None
    return span_of(period_of(data_cls), aware(start), aware(end), zone)


def within(span: Span) -> Q:
    """Return the condition for the rows of a span."""
    low, high = span
    found = Q()
    if low is not None:
        found &= Q(**{f"{DURING}__gte": stored(low)})
    if high is not None:
        found &= Q(**{f"{DURING}__lt": stored(high)})
    return found


def aware(moment: date | None) -> date | None:
    """Return a naive datetime as an aware one, if that is what the project has."""
    if isinstance(moment, datetime) and moment.tzinfo is None and not settings.USE_TZ:
        return timezone.make_aware(moment, timezone.get_default_timezone())
    return moment


def stored(start: Start) -> Start:
    """Return the start of a row as its column has it."""
    if isinstance(start, datetime) and not settings.USE_TZ:
        return timezone.make_naive(start, timezone.get_default_timezone())
    return start


def loaded(start: Start) -> Start:
    """Return what a column had as the start of a row: a date, or a datetime in UTC."""
    if not isinstance(start, datetime):
        return start
    moment = aware(start)
    assert isinstance(moment, datetime)
    return moment.astimezone(UTC)


def local_step(step: str, low: datetime, high: datetime, zone: tzinfo) -> Any:
    """Return the day, week, month or year, in a zone, that a row of an hour belongs to.

    With the zone's offsets as Python knows them, so that the database need have no table of
    time zones (MariaDB's is empty unless somebody fills it), nor the same version of it.
    """
    *changes, (_, last) = offsets(low, high, zone)
    whens = [When(Q(**{f"{DURING}__lt": until}), then=_later(offset)) for until, offset in changes]
    local = Case(*whens, default=_later(last)) if whens else _later(last)
    return Trunc(local, step, tzinfo=UTC, output_field=DateField())


def _later(offset: timedelta) -> Any:
    shifted = F(DURING) + Value(offset, models.DurationField()) if offset else F(DURING)
    return ExpressionWrapper(shifted, DateTimeField())


def truncates(connection: Any, period: str) -> bool:
    """Tell whether a database can be asked for the steps of rows of a period, and is quick at it.

    SQLite calls Python for every row. Hours become local by an offset, if they are kept in UTC.
    """
    if connection.vendor == "sqlite":
        return False
    has_zones = connection.features.supports_timezones
    is_utc = settings.USE_TZ and (has_zones or connection.timezone_name == "UTC")
    return period != "hour" or is_utc
