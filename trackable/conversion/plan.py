"""Plans: what a conversion reads of a record, and which counter of which row that goes to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from django.contrib.contenttypes.fields import GenericForeignKey
from django.core.exceptions import FieldDoesNotExist, ObjectDoesNotExist
from django.db import models
from django.utils import timezone

from trackable.counters import counters_of
from trackable.exceptions import TrackableError
from trackable.models import TrackableData
from trackable.periods import encode_start, start_of

PERIOD_FIELD: Final = "collected_during"


class BadConversion(TrackableError):  # noqa: N818
    """The options do not fit the models, or a record does not fit its counter."""


@dataclass(frozen=True, slots=True)
class Match:
    """Says that objects are found by a value: ``attribute`` of the record is their ``field``."""

    attribute: str
    model: type[models.Model]
    field: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How records of ``source`` become counts; attributes may be chains, with dots.

    ``updates`` are pairs of a record's attribute and a counter. ``link`` leads to the object
    itself, or ``match`` finds it. ``period`` is the attribute with the time.
    """

    source: type[models.Model]
    data_cls: type[TrackableData]
    updates: tuple[tuple[str, str], ...]
    link: str = "parent"
    match: Match | None = None
    period: str | None = None
    order_by: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise ``BadConversion``, or ``UnknownField`` for a counter that there is not."""
        if issubclass(self.source, self.data_cls):
            raise BadConversion("The counters would be added to themselves: pick another model.")
        if not self.updates:
            raise BadConversion("Say what is counted: --update-fields OLD_FIELD:COUNTER,...")
        if len(set(self.updates)) < len(self.updates):
            raise BadConversion("--update-fields has the same pair twice.")
        counters = counters_of(self.data_cls)
        for _, counter in self.updates:
            counters[counter]
        label = self.data_cls._meta.label
        if self.data_cls.period and not self.period:
            raise BadConversion(
                f"{label} counts by the {self.data_cls.period}: say when with"
                f" --key-fields OLD_FIELD:{PERIOD_FIELD}."
            )
        if self.period and not self.data_cls.period:
            raise BadConversion(f"{label} has no {PERIOD_FIELD}: leave --key-fields out.")
        for path in self._attributes():
            self._check_attribute(path)

    def _attributes(self) -> list[str]:
        parent = self.match.attribute if self.match else self.link
        period = [self.period] if self.period else []
        return [parent, *period, *(source for source, _ in self.updates)]

    def _check_attribute(self, path: str) -> None:
        first = path.partition(".")[0]
        names = {field.name for field in self.source._meta.get_fields()}
        if first not in names and not hasattr(self.source, first):
            known = ", ".join(sorted(names))
            raise BadConversion(f"{self.source._meta.label} has no {first!r}, but {known}.")

    def prefetched(self) -> list[str]:
        """Return the relations that are followed, as ``prefetch_related`` takes them."""
        paths = (relations_in(self.source, path.split(".")) for path in self._attributes())
        return sorted({"__".join(path) for path in paths if path})

    def start(self, record: models.Model) -> str | None:
        """Return the start of the record's period as it travels; ``None`` if it has no time."""
        period = self.data_cls.period
        if self.period is None or period is None:
            return ""
        value = value_of(record, self.period)
        if value is None:
            return None
        if isinstance(value, datetime):
            return encode_start(period, value if value.tzinfo else timezone.make_aware(value))
        if isinstance(value, date) and period != "hour":
            return start_of(period, datetime.combine(value, time.min, UTC), UTC).isoformat()
        raise BadConversion(f"{value!r} tells no {period}.")


def value_of(record: models.Model, path: str) -> Any:
    """Return the attribute at the end of a chain with dots; ``None`` where the chain breaks."""
    value: Any = record
    for name in path.split("."):
        if value is None:
            return None
        try:
            value = getattr(value, name)
        except ObjectDoesNotExist:
            return None
        except AttributeError as error:
            kind = type(value).__name__
            raise BadConversion(f"{kind} has no {name!r}: correct {path!r}.") from error
    return value


def relations_in(model: type[models.Model], names: Iterable[str]) -> list[str]:
    """Return the names, from the first on, that follow relations to one object."""
    found: list[str] = []
    current: Any = model
    for name in names:
        try:
            field = current._meta.get_field(name)
        except FieldDoesNotExist:
            break
        is_generic = isinstance(field, GenericForeignKey)
        if field.name != name:  # the column of a foreign key, which holds no object
            break
        if not is_generic and not (field.is_relation and (field.many_to_one or field.one_to_one)):
            break
        found.append(name)
        if is_generic:
            break
        current = field.related_model
    return found
