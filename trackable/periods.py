"""Calendar periods: where one starts, and how its start is written in a journal.

Periods of a day and longer start at a ``date``; an hour starts at an aware ``datetime``.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final

from django.utils import timezone

PERIODS: Final = ("hour", "day", "week", "month", "year")

#: Every offset from UTC in use is a multiple of this, so no period starts within one.
QUARTER_SECONDS: Final = 900


def start_of(period: str, moment: datetime, zone: tzinfo) -> date | datetime:
    """Return the start of the period that an aware moment falls into.

    Raises ``ValueError`` for a period that is none of ``PERIODS``.
    """
    local = moment.astimezone(zone)
    match period:
        case "hour":
            return local.replace(minute=0, second=0, microsecond=0).astimezone(UTC)
        case "day":
            return local.date()
        case "week":
            return local.date() - timedelta(days=local.weekday())
        case "month":
            return local.date().replace(day=1)
        case "year":
            return local.date().replace(month=1, day=1)
    raise ValueError(f"{period!r} is no period: use one of {', '.join(PERIODS)}.")


def encode_start(period: str | None, moment: datetime | None) -> str:
    """Return the start of the moment's period (now, if ``None``) as the journal writes it."""
    if period is None:
        return ""
    zone = current_zone()
    if moment is None:
        return _encode_quarter(period, zone, int(time.time()) // QUARTER_SECONDS)
    return start_of(period, moment, zone).isoformat()


def current_zone() -> tzinfo:
    """Return Django's current time zone.

    Where none was ever activated in this context, to find that out by Django's own means takes
    longer than all else of an emit together.
    """
    if _ACTIVATED is not None and _ACTIVATED.get(None) is None:
        return timezone.get_default_timezone()
    return timezone.get_current_timezone()


def _variable_of(local: Any) -> ContextVar[Any] | None:
    """Return the context variable that an ``asgiref.local.Local`` keeps its values in.

    ``None`` where this version of asgiref keeps them elsewhere.
    """
    variable = getattr(getattr(local, "_storage", None), "_data", None)
    return variable if isinstance(variable, ContextVar) else None


_ACTIVATED: Final = _variable_of(getattr(timezone, "_active", None))


@lru_cache(maxsize=256)
def _encode_quarter(period: str, zone: tzinfo, quarter: int) -> str:
    moment = datetime.fromtimestamp(quarter * QUARTER_SECONDS, UTC)
    return start_of(period, moment, zone).isoformat()


def decode_start(period: str | None, text: str) -> date | datetime | None:
    """Return what ``encode_start`` wrote, as the start of this period.

    A finer period than the class now has falls into the coarser one. Raises ``ValueError`` for
    a coarser one, and for what is no time.
    """
    if period is None:
        return None
    if "T" not in text:
        return _coarsened(period, date.fromisoformat(text))
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    if period == "hour":
        return moment.astimezone(UTC)  # in the zone of the event it may start at a half
    return start_of(period, moment, timezone.get_current_timezone())


def _coarsened(period: str, day: date) -> date | datetime:
    if period == "hour":
        raise ValueError(f"the day {day} is no hour")
    return start_of(period, datetime.combine(day, datetime.min.time(), UTC), UTC)
