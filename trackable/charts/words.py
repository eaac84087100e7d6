"""Words: amounts and periods as the language in force writes them."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.utils.formats import date_format, get_format, number_format

#: From here on, and below its inverse, a power of ten is easier to read.
MANY_DIGITS: Final = Decimal(10) ** 21
FEW_DIGITS: Final = Decimal(10) ** -6
#: the same for the ticks of an axis, which have little room
MANY_DIGITS_OF_TICKS: Final = Decimal(10) ** 12
TIMES: Final = "\u00d7"
TO: Final = " \u2013 "
SUPERSCRIPT: Final = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

DAY: Final = timedelta(days=1)


def number_in_words(value: Any, *, many_digits: Decimal = MANY_DIGITS) -> str:
    """Return an amount with the separators of the language: ``1,234.5``.

    A float is rounded to what can be read, and what has too many digits is a power of ten.
    """
    exact = Decimal(value or 0)
    if not exact.is_finite():
        return str(value)
    if exact and not FEW_DIGITS <= abs(exact) < many_digits:
        return _power(exact)
    if isinstance(value, float):
        exact = _rounded(exact)
    return _grouped(exact)


def tick_in_words(value: Decimal) -> str:
    """Return the number of a tick, shorter than ``number_in_words`` would if it is huge."""
    return number_in_words(value, many_digits=MANY_DIGITS_OF_TICKS)


def period_in_words(start: date, end: date) -> str:
    """Return the days, or hours, from a start to an end that is not in it: ``June 2025``."""
    if isinstance(start, datetime) and isinstance(end, datetime):
        if start.hour or start.minute or end - start < DAY:
            return date_format(start, "DATETIME_FORMAT")
        start, end = start.date(), end.date()
    if end - start <= DAY:
        return date_format(start, "DATE_FORMAT")
    if start.day == 1 and end == _months_after(start, 1):
        return date_format(start, "YEAR_MONTH_FORMAT")
    if start.day == start.month == 1 and end == _months_after(start, 12):
        return date_format(start, "Y")
    return TO.join(date_format(day, "DATE_FORMAT") for day in (start, end - DAY))


def last_day(end: date) -> date:
    """Return the last day before an end that is not in the period."""
    return (end - timedelta(microseconds=1)).date() if isinstance(end, datetime) else end - DAY


def short_day(day: date) -> str:
    """Return a day without its year, and its month in short: ``Jun 3``."""
    spelled = get_format("MONTH_DAY_FORMAT", use_l10n=True)
    return date_format(day, re.sub(r"(?<!\\)[EFN]", "M", str(spelled)))


def _grouped(exact: Decimal) -> str:
    return str(number_format(f"{exact:f}" if exact.is_zero() else exact, force_grouping=True))


def _rounded(exact: Decimal) -> Decimal:
    digits = ".1f" if abs(exact) >= 1000 else ".4g"
    return Decimal(format(exact, digits)).normalize() + 0


def _power(exact: Decimal) -> str:
    digits, _, exponent = f"{exact:.3g}".lower().partition("e")
    mantissa = number_format(Decimal(digits).normalize())
    return f"{mantissa}{TIMES}10{str(int(exponent)).translate(SUPERSCRIPT)}"


def _months_after(day: date, number: int) -> date:
    years, month = divmod(day.month - 1 + number, 12)
    return day.replace(year=day.year + years, month=month + 1)
