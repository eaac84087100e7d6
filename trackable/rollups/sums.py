"""Sums: what the counters of several rows come to, exactly where their type is exact."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal
from functools import reduce
from typing import Final

from django.db import models

from trackable.amounts import plus
from trackable.counters import Amount, CounterField

#: Floats are added in another order than before, which may change their last digits.
TOLERANCE: Final = 1e-9


def total(field: CounterField, values: Iterable[Amount]) -> Amount:
    """Return the sum of what some rows have in a counter; of floats it may be infinite."""
    if isinstance(field, models.DecimalField):
        return reduce(plus, values, Decimal(0))
    return sum(values)


def is_equal(field: CounterField, one: Amount, other: Amount) -> bool:
    """Tell whether two sums of a counter are the same."""
    if isinstance(field, models.FloatField):
        return math.isclose(one, other, rel_tol=TOLERANCE)
    return one == other
