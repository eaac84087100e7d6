"""Fields: the column of a distinct count, and which of them a data class has."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from django.db import models
from django.db.models.expressions import Combinable
from django.utils.translation import gettext_lazy as _

from trackable.exceptions import UnknownField
from trackable.uniques.estimates import Estimate

if TYPE_CHECKING:
    from trackable.models import TrackableData

    BinaryField = models.BinaryField[Any, Any]
else:
    BinaryField = models.BinaryField

NEVER: Final = "never"
#: How long one secret may live, shortest first.
ROTATIONS: Final = ("day", "week", "month", "year", NEVER)


class UniqueCount(BinaryField):
    """How many different visitors; a row has it as an ``Estimate``.

    ``rotates`` says how long one secret lives that visitors are hashed with: ``"day"``,
    ``"week"``, ``"month"``, ``"year"`` or ``"never"``. Who comes in two such times is two visitors
    to their union. By default it is the period of the data class, but at least a day.
    """

    description = _("Number of different visitors")

    def __init__(self, *args: Any, rotates: str | None = None, **kwargs: Any) -> None:
        self.rotates = rotates
        super().__init__(*args, **{"default": b"", **kwargs})

    @property
    def rotation(self) -> str:
        """How long one secret lives."""
        data_cls: Any = self.model
        period: str = data_cls.period or NEVER
        return self.rotates or (period if period in ROTATIONS else "day")

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        if kwargs.get("default") == b"":
            del kwargs["default"]
        if self.rotates is not None:
            kwargs["rotates"] = self.rotates
        return name, path, args, kwargs

    def get_default(self) -> Any:
        return Estimate(super().get_default())

    def from_db_value(self, value: Any, *_: Any) -> Estimate | None:
        return None if value is None else Estimate(value)

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, Estimate):
            return value
        return Estimate(super().to_python(value))

    def get_prep_value(self, value: Any) -> Any:
        if isinstance(value, Estimate):
            return value.sketch
        if value is None or isinstance(value, bytes | bytearray | memoryview | Combinable):
            return super().get_prep_value(value)
        raise TypeError(
            f"{self.name} counts visitors, and takes what another row has, not a"
            f" {type(value).__name__}."
        )

    def value_from_object(self, obj: models.Model) -> Any:
        """Return the sketch: a fixture with the number could not be loaded."""
        return self.get_prep_value(super().value_from_object(obj))


def stored(name: str) -> models.ExpressionWrapper[Any]:
    """Return a distinct count as bytes, for queries that merge many: nothing is estimated."""
    return models.ExpressionWrapper(models.F(name), output_field=models.BinaryField())


class Uniques(dict[str, UniqueCount]):
    """The distinct counts of one data class by name; a missing one is an ``UnknownField``."""

    def __init__(self, label: str, fields: Iterable[UniqueCount]) -> None:
        super().__init__({field.name: field for field in fields})
        self.label = label

    def __missing__(self, name: str) -> UniqueCount:
        have = ", ".join(self) or "none"
        raise UnknownField(
            f"{self.label} has no distinct count {name!r}: its distinct counts are {have}. Add a"
            " UniqueCount, correct the name, or use send_increment_message for other counters."
        )


@cache
def uniques_of(data_cls: type[TrackableData]) -> Uniques:
    """Return the distinct counts of a data class."""
    meta = data_cls._meta
    return Uniques(meta.label, [f for f in meta.concrete_fields if isinstance(f, UniqueCount)])
