"""Rows: turns what travelled into keys and amounts that the database can take, or says why not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core import validators
from django.core.exceptions import ValidationError
from django.db import connections, models
from django.utils import timezone

from trackable.batches import plus
from trackable.counters import Amount, clean_amount, counters_of, field_range, is_positive
from trackable.exceptions import BadAmount, TrackableError
from trackable.folding.aggregate import Delta, Deltas, RowKey
from trackable.folding.chunks import chunked
from trackable.folding.quarantine import Reject
from trackable.models import TrackableData
from trackable.periods import decode_start

#: Few enough for the parameters of one statement in every database.
LOOKUP_SIZE: Final = 500

#: What a column holds. The other validators are for forms: rows may exist that they would refuse.
BOUNDS: Final = (
    validators.MinValueValidator,
    validators.MaxValueValidator,
    validators.MaxLengthValidator,
    validators.DecimalValidator,
)
NO_PARENT: Final = "its object does not exist"


@dataclass(slots=True)
class Row:
    """A row to be written: the values of the key fields, and the amounts by counter."""

    key: tuple[Any, ...]
    amounts: dict[str, Amount]
    origin: RowKey
    deltas: Deltas

    def by_field(self) -> list[list[Row]]:
        """Return the row as one row for each of its counters."""
        return [
            [Row(self.key, {name: amount}, self.origin, self._deltas_of(name))]
            for name, amount in self.amounts.items()
        ]

    def rejects(self, data_cls: type[TrackableData], reason: str) -> list[Reject]:
        """Return the row's deltas as they are set aside."""
        label = data_cls._meta.label
        return [
            Reject.of_delta(label, self.origin, field, delta, reason)
            for (field, _), delta in self.deltas.items()
        ]

    def _deltas_of(self, name: str) -> Deltas:
        return {key: delta for key, delta in self.deltas.items() if key[0] == name}


class Unfit(Exception):  # noqa: N818
    """What travelled cannot be a row; the message is the reason."""


def data_class(label: str) -> type[TrackableData]:
    """Return the data class of a label. Raises ``Unfit``."""
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise Unfit(f"there is no data class {label[:100]!r}") from error
    if not issubclass(model, TrackableData):
        raise Unfit(f"{label} is no data class")
    return model


def with_each_key_once(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows in lists that one statement can take, each in the order it had.

    A key comes twice when two periods, or two ways to write an id, have become the same.
    """
    lists: list[list[Row]] = []
    seen: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        if seen[row.key] == len(lists):
            lists.append([])
        lists[seen[row.key]].append(row)
        seen[row.key] += 1
    return lists


class RowCleaner:
    """Makes rows of one data class; what is unfit is collected in ``rejects``."""

    def __init__(self, data_cls: type[TrackableData], alias: str) -> None:
        self.data_cls = data_cls
        self.alias = alias
        self.rejects: list[Reject] = []
        self.has_bad_amounts = False
        self._counters = counters_of(data_cls)
        self._parent_target = data_cls.parent_target()
        self._content_types: dict[str, int] = {}

    def clean(self, found: dict[RowKey, Deltas]) -> list[Row]:
        """Return the rows in the order of their keys, which every fold locks them in."""
        self._content_types.clear()
        rows = [row for origin, deltas in found.items() if (row := self._row(origin, deltas))]
        if self._parent_target is not None:
            rows = self._with_parents(rows, self._parent_target)
        return sorted(rows, key=lambda row: row.key)

    def _row(self, origin: RowKey, deltas: Deltas) -> Row | None:
        try:
            key = self._key(*origin)
        except (Unfit, ValueError, OverflowError, ValidationError) as error:
            self._reject(origin, deltas, _reason(error))
            return None
        row = Row(key, {}, origin, {})
        for (field, kind), delta in deltas.items():
            try:
                amount = self._amount(self._counters[field], delta)
                row.amounts[field] = plus(row.amounts.get(field, type(amount)()), amount)
                row.deltas[field, kind] = delta
            except TrackableError as error:
                self.has_bad_amounts |= isinstance(error, BadAmount)
                self._reject(origin, {(field, kind): delta}, str(error))
        return row if row.amounts else None

    def _amount(self, field: models.Field[Any, Any], delta: Delta) -> Amount:
        """Return what to add; decrements that are too much together bring any value to zero."""
        if is_positive(field) and isinstance(delta.amount, int) and delta.hits > 1:
            low, _ = field_range(field)
            if low * delta.hits <= delta.amount < low:
                return max(delta.amount, -_integers_of(field, self.alias)[1])
        return clean_amount(field, delta.amount)

    def _key(self, parent: str, object_id: str, period: str) -> tuple[Any, ...]:
        if _is_unstorable(object_id):
            raise Unfit("the object id has characters that no database stores")
        if self._parent_target is not None:
            key: tuple[Any, ...] = (_parent_key(self._parent_target, object_id, self.alias),)
        else:
            field = self.data_cls._meta.get_field("object_id")
            key = (self._content_type(parent), _object_key(field, object_id))
        start = decode_start(self.data_cls.period, period)
        return key if start is None else (*key, _stored(start))

    def _content_type(self, label: str) -> int:
        """Return the id of a model, as the database has it now.

        Not from Django's cache: that keeps ids of rows which a rollback or a restore removed.
        """
        if label not in self._content_types:
            try:
                meta = apps.get_model(label)._meta.concrete_model._meta
            except (LookupError, ValueError) as error:
                raise Unfit(f"there is no model {label[:100]!r}") from error
            content_type, _ = ContentType.objects.db_manager(self.alias).get_or_create(
                app_label=meta.app_label, model=meta.model_name
            )
            self._content_types[label] = content_type.pk
        return self._content_types[label]

    def _with_parents(self, rows: list[Row], target: models.Field[Any, Any]) -> list[Row]:
        manager = target.model._base_manager.using(self.alias)
        present: set[Any] = set()
        for chunk in chunked({row.key[0] for row in rows}, LOOKUP_SIZE):
            found = manager.filter(**{f"{target.attname}__in": chunk})
            present.update(found.values_list(target.attname, flat=True))
        for row in rows:
            if row.key[0] not in present:
                self.rejects += row.rejects(self.data_cls, NO_PARENT)
        return [row for row in rows if row.key[0] in present]

    def _reject(self, origin: RowKey, deltas: Deltas, reason: str) -> None:
        self.rejects += Row((), {}, origin, deltas).rejects(self.data_cls, reason)


def _parent_key(target: Any, text: str, alias: str) -> Any:
    """Return a key to look a parent up by; whether it exists is for the database to say."""
    while target.remote_field:
        target = target.target_field
    value = _to_python(target, text)
    if isinstance(value, int):
        low, high = _integers_of(target, alias)
        if not low <= value <= high:
            raise Unfit(NO_PARENT)
    elif isinstance(value, float | Decimal):
        # No database can be asked for infinities, or for more digits than there are.
        _check_bounds(target, value)
    return value


def _object_key(field: Any, text: str) -> Any:
    value = _to_python(field, text)
    if value in field.empty_values and not field.blank:
        raise Unfit("the object id is blank")
    _check_bounds(field, value)
    return value


def _to_python(field: Any, text: str) -> Any:
    try:
        return field.to_python(text)
    except Exception as error:  # a field of the project's own may raise anything
        raise Unfit(_reason(error)) from error


def _check_bounds(field: Any, value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise Unfit("the object id is not finite")
    for validator in field.validators:
        if isinstance(validator, BOUNDS):
            validator(value)


def _integers_of(field: models.Field[Any, Any], alias: str) -> tuple[int, int]:
    """Return the least and the greatest integer that the column can hold in its database."""
    kind = (
        field.get_internal_type() if isinstance(field, models.IntegerField) else "BigIntegerField"
    )
    low, high = connections[alias].ops.integer_field_range(kind)
    return low, high


def _stored(start: date | datetime) -> date | datetime:
    if isinstance(start, datetime) and not settings.USE_TZ:
        return timezone.make_naive(start)
    return start


def _is_unstorable(text: str) -> bool:
    return "\0" in text or any("\ud800" <= character <= "\udfff" for character in text)


def _reason(error: Exception) -> str:
    return " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
