"""Counters: which fields of a data class count, and what may be added to them."""

from __future__ import annotations

import math
from collections.abc import Collection
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import ValidationError
from django.db import models

from trackable.exceptions import BadAmount, UnknownField
from trackable.uniques.fields import uniques_of

if TYPE_CHECKING:
    from trackable.models import TrackableData

    CounterField = models.Field[Any, Any]
else:
    CounterField = models.Field

NUMERIC_FIELDS: Final = (models.IntegerField, models.DecimalField, models.FloatField)
POSITIVE_FIELDS: Final = (
    models.PositiveIntegerField,
    models.PositiveBigIntegerField,
    models.PositiveSmallIntegerField,
)
#: What the base classes add: never a counter, whatever its type.
RESERVED_NAMES: Final = frozenset({"id", "content_type", "object_id", "parent", "collected_during"})

Amount = int | float | Decimal

#: Python refuses to write much longer integers in decimal.
MAX_SHOWN_BITS: Final = 1000


class Counters(dict[str, CounterField]):
    """The counters of one data class by name; a missing one is an ``UnknownField``."""

    def __init__(
        self, label: str, fields: dict[str, CounterField], uniques: Collection[str] = ()
    ) -> None:
        super().__init__(fields)
        self.label = label
        self._uniques = uniques

    def __missing__(self, name: str) -> CounterField:
        if name in self._uniques:
            raise UnknownField(
                f"{self.label} counts different visitors in {name!r}, and no amounts: use"
                " send_unique_message."
            )
        have = ", ".join(self) or "none"
        raise UnknownField(
            f"{self.label} has no counter {name!r}: its counters are {have}."
            " Add the field, or correct the name."
        )


@cache
def counters_of(data_cls: type[TrackableData]) -> Counters:
    """Return the counters of a data class: its numeric fields, or those it lists."""
    meta = data_cls._meta
    fields = {f.name: f for f in meta.concrete_fields if is_numeric(f) and not f.primary_key}
    for name in RESERVED_NAMES:
        fields.pop(name, None)
    if data_cls.counters is not None:
        fields = {name: fields[name] for name in data_cls.counters if name in fields}
    return Counters(meta.label, fields, uniques_of(data_cls))


@cache
def counts_of(data_cls: type[TrackableData]) -> Counters:
    """Return the counters of a data class, and its distinct counts after them."""
    return Counters(data_cls._meta.label, {**counters_of(data_cls), **uniques_of(data_cls)})


def is_numeric(field: models.Field[Any, Any]) -> bool:
    """Tell whether amounts can be added to a field."""
    return isinstance(field, NUMERIC_FIELDS) and not getattr(field, "generated", False)


def is_positive(field: models.Field[Any, Any]) -> bool:
    """Tell whether a counter stops at zero."""
    return isinstance(field, POSITIVE_FIELDS)


def clean_amount(field: CounterField, amount: Any) -> Amount:
    """Return the amount as the field's own type.

    Integers fit every field, decimals fit decimal and float fields, floats fit float fields.
    Raises ``BadAmount`` for anything else, for booleans, NaN, infinities, and for what the
    column could not hold.
    """
    if type(amount) is int:  # nearly every one
        low, high = field_range(field)
        if low <= amount <= high:
            return amount
    if isinstance(amount, bool) or not isinstance(amount, int | float | Decimal):
        raise _bad(field, amount, "is no number")
    if not _is_finite(amount):
        raise _bad(field, amount, "is not finite")
    if isinstance(field, models.FloatField):
        return _clean_float(field, amount)
    if isinstance(field, models.DecimalField):
        return _clean_decimal(field, amount)
    if not isinstance(amount, int):
        raise _bad(field, amount, "is not an integer")
    low, high = field_range(field)
    if not low <= amount <= high:
        raise _bad(field, amount, "is more than the column can hold")
    return amount


def _is_finite(amount: Amount) -> bool:
    if isinstance(amount, Decimal):
        return amount.is_finite()
    return isinstance(amount, int) or math.isfinite(amount)


def _clean_float(field: CounterField, amount: Amount) -> float:
    try:
        return float(amount)
    except OverflowError as error:
        raise _bad(field, amount, "is more than the column can hold") from error


def _clean_decimal(field: models.DecimalField[Any, Any], amount: Amount) -> Decimal:
    if isinstance(amount, float):
        raise _bad(field, amount, "is a float, which is not exact: pass a Decimal")
    value = Decimal(amount)
    try:
        for validator in field.validators:
            validator(value)
    except ValidationError as error:
        raise BadAmount(f"{_refusal(field, amount)}. {' '.join(error.messages)}") from error
    return value


def field_range(field: CounterField) -> tuple[int, int]:
    """Return the least and the greatest integer that can be added to a field at once, as it is.

    A positive field takes negative amounts: they bring it down to zero at most. What is no
    integer field has no such integers: its least is above its greatest.
    """
    return _range(type(field))  # type: ignore[arg-type]  # a class is hashable


@cache
def _range(kind: Any) -> tuple[int, int]:
    if not issubclass(kind, models.IntegerField):
        return 1, 0
    bits = 64 if issubclass(kind, BIG_FIELDS) else 16 if issubclass(kind, SMALL_FIELDS) else 32
    high = (1 << (bits - 1)) - 1
    return -high, high


BIG_FIELDS: Final = (models.BigIntegerField, models.PositiveBigIntegerField)
SMALL_FIELDS: Final = (models.SmallIntegerField, models.PositiveSmallIntegerField)


def _bad(field: CounterField, amount: Any, why: str) -> BadAmount:
    return BadAmount(f"{_refusal(field, amount)}: it {why}.")


def _refusal(field: CounterField, amount: Any) -> str:
    kind = type(field).__name__
    too_long = isinstance(amount, int) and amount.bit_length() > MAX_SHOWN_BITS
    shown = hex(amount) if too_long else str(amount)
    return f"{shown[:80]!r} cannot be added to {field.name} ({kind})"
