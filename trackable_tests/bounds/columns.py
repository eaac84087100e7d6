"""Counters of every size, and what their columns hold."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import Any

from django.db import connection, models

from trackable.counters import field_range, is_positive
from trackable_tests.testapp.models import PageData, PageSizes

COUNTERS = [
    (PageData, "views"),
    (PageData, "score"),
    (PageData, "revenue"),
    (PageData, "seconds"),
    (PageSizes, "small"),
    (PageSizes, "big"),
    (PageSizes, "positive_small"),
    (PageSizes, "positive_big"),
]


def bound_of(field: models.Field[Any, Any], sign: int = 1) -> Any:
    """Return the greatest value that the column holds in this database, or the least."""
    if isinstance(field, models.DecimalField):
        return sign * (Decimal(10) ** (field.max_digits - field.decimal_places) - Decimal("0.01"))
    if isinstance(field, models.FloatField):
        return sign * sys.float_info.max
    if is_positive(field) and sign < 0:
        return 0
    if connection.vendor == "sqlite":
        return field_range(field)[sign > 0]
    return connection.ops.integer_field_range(field.get_internal_type())[sign > 0]
