"""Keys: an object's id, which travels as text, becomes a value that its column can hold.

What makes a key of a text raises ``ValueError`` or ``ValidationError``, which tell why it cannot.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from django.core import validators
from django.core.exceptions import ValidationError
from django.db import DEFAULT_DB_ALIAS, connections, models

#: What a column holds. The other validators are for forms: rows may exist that they would refuse.
BOUNDS: Final = (
    validators.MinValueValidator,
    validators.MaxValueValidator,
    validators.MaxLengthValidator,
    validators.DecimalValidator,
)
NO_PARENT: Final = "its object does not exist"


def parent_key(target: Any, alias: str) -> Callable[[str], Any]:
    """Return what makes a key of an object's id, to look the parent up by.

    Whether it exists is for the database to say.
    """
    while target.remote_field:
        target = target.target_field
    low, high = integers_of(target, alias)

    def key(text: str) -> Any:
        value = _to_python(target, text)
        if isinstance(value, int):
            if not low <= value <= high:
                raise ValueError(NO_PARENT)
        elif isinstance(value, float | Decimal):
            # No database can be asked for infinities, or for more digits than there are.
            _check_bounds(target, value)
        return value

    return key


def object_key(field: Any) -> Callable[[str], Any]:
    """Return what makes a key of an object's id, for a generic relation."""
    fit = _integers_that_fit(field)

    def key(text: str) -> Any:
        value = _to_python(field, text)
        if type(value) is int and value in fit:
            return value
        if value in field.empty_values and not field.blank:
            raise ValueError("the object id is blank")
        _check_bounds(field, value)
        return value

    return key


def _integers_that_fit(field: Any) -> range:
    """Return integers that need no look at each: if the least and the greatest fit, all do."""
    if not isinstance(field, models.IntegerField):
        return range(0)
    low, high = integers_of(field, DEFAULT_DB_ALIAS)  # which is what its validators know of
    try:
        _check_bounds(field, low)
        _check_bounds(field, high)
    except ValidationError:
        return range(0)
    return range(low, high + 1)


def _to_python(field: Any, text: str) -> Any:
    if _is_unstorable(text):
        raise ValueError("the object id has characters that no database stores")
    try:
        return field.to_python(text)
    except Exception as error:  # a field of the project's own may raise anything
        raise ValueError(reason_of(error)) from error


def _check_bounds(field: Any, value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("the object id is not finite")
    for validator in field.validators:
        if isinstance(validator, BOUNDS):
            validator(value)


def integers_of(field: models.Field[Any, Any], alias: str) -> tuple[int, int]:
    """Return the least and the greatest integer that the column can hold in its database."""
    kind = (
        field.get_internal_type() if isinstance(field, models.IntegerField) else "BigIntegerField"
    )
    low, high = connections[alias].ops.integer_field_range(kind)
    return low, high


def _is_unstorable(text: str) -> bool:
    if text.isascii():
        return "\0" in text
    return "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)


def reason_of(error: Exception) -> str:
    """Return what an error says, for people."""
    return " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
