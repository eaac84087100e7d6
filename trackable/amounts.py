"""Amounts: what is added up, exactly where its type is exact."""

from __future__ import annotations

import math
import sys
from decimal import Context, Decimal
from typing import Any, Final

EXACT: Final = Context(prec=200)


def plus(one: Any, other: Any) -> Any:
    """Add two amounts of one type: decimals without rounding, floats without becoming infinite."""
    if type(one) is int:
        return one + other
    return EXACT.add(one, other) if isinstance(one, Decimal) else _finite(one + other)


def times(amount: Any, number: int) -> Any:
    """Multiply an amount: decimals without rounding, floats without becoming infinite."""
    if type(amount) is int:
        return amount * number
    if isinstance(amount, Decimal):
        return EXACT.multiply(amount, number)
    return _finite(amount * number)


def _finite(amount: Any) -> Any:
    """An infinite sum could not travel, and would keep everything behind it from travelling."""
    if isinstance(amount, float) and math.isinf(amount):
        return math.copysign(sys.float_info.max, amount)
    return amount
