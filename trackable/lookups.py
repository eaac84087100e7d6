"""Lookups: finds many objects at once by values from elsewhere, and only by equal ones.

A database may take ``/A`` for ``/a`` (MariaDB does, unless told otherwise); the paths of a log
are different then, so what is found is compared again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.db import DatabaseError, models, router, transaction

from trackable.exceptions import TrackableError
from trackable.folding.chunks import chunked

#: Few enough for the parameters of one statement in every database.
CHUNK_SIZE: Final = 500

Values = tuple[tuple[str, Any], ...]


class BadLookup(TrackableError):  # noqa: N818
    """The model has no such field: correct the name."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Why there is no object."""

    reason: str


UNKNOWN: Final = Absent("no such object")
UNFIT: Final = Absent("a value that its field does not take")
AMBIGUOUS: Final = Absent("several objects")


def values_of(captured: Mapping[str, Any]) -> Values:
    """Return what objects are looked up by, so that it can be remembered."""
    return tuple(sorted(captured.items()))


class Finder:
    """Finds objects of a model by the values of the named fields, or of their relations'.

    Loads the fields that are looked at, the key and ``needed``. Raises ``BadLookup``.
    """

    def __init__(
        self, model: type[models.Model], names: Iterable[str], *, needed: Iterable[str] = ()
    ) -> None:
        self.model = model
        self.names = sorted(names)
        self._fields = {name: field for name in self.names if (field := _plain(model, name))}
        self._check_names()
        loaded = {"pk", *needed, *(field.name for field in self._fields.values())}
        self._objects = model._default_manager.only(*sorted(loaded))

    def _check_names(self) -> None:
        for name in self.names:
            try:
                self.model._default_manager.filter(**{name: None})
            except FieldError as error:
                text = f"{self.model._meta.label} cannot be looked up by {name!r}: {error}"
                raise BadLookup(text) from error
            except (TypeError, ValueError):
                pass  # it is there, and does not like None

    def find(self, wanted: Iterable[Values]) -> dict[Values, models.Model | Absent]:
        """Return the object, or why there is none, for each of the values."""
        found: dict[Values, models.Model | Absent] = {}
        cleaned: dict[Values, Values] = {}
        for values in dict.fromkeys(wanted):
            clean = self._clean(values)
            if clean is None:
                found[values] = UNFIT
            else:
                cleaned[values] = clean
        by_values = self._find(list(dict.fromkeys(cleaned.values())))
        return found | {values: by_values.get(cleaned[values], UNKNOWN) for values in cleaned}

    def create(self, wanted: Iterable[Values]) -> dict[Values, models.Model | Absent]:
        """Make an object of each of the values, and return it, or why that failed.

        Raises ``BadLookup`` if they are not all of the model's own fields.
        """
        if len(self._fields) != len(self.names):
            raise BadLookup("Objects are made of the model's own fields only: look up by these.")
        alias = router.db_for_write(self.model)
        with transaction.atomic(using=alias):
            return {values: self._create(values, alias) for values in wanted}

    def _create(self, values: Values, alias: str) -> models.Model | Absent:
        clean = self._clean(values)
        if clean is None:
            return UNFIT
        try:
            with transaction.atomic(using=alias):
                return self.model._default_manager.using(alias).create(**dict(clean))
        except (DatabaseError, ValidationError, ValueError) as error:
            return Absent(f"cannot be made: {error}")

    def _clean(self, values: Values) -> Values | None:
        try:
            return tuple((name, self._clean_value(name, value)) for name, value in values)
        except (ValidationError, ValueError):
            return None

    def _clean_value(self, name: str, value: Any) -> Any:
        if isinstance(value, str) and "\0" in value:
            raise ValueError("no database stores NUL")
        field = self._fields.get(name)
        return value if field is None else field.clean(value, None)

    def _find(self, wanted: list[Values]) -> dict[Values, models.Model | Absent]:
        found: dict[Values, models.Model | Absent] = {}
        for values, obj in self._candidates(wanted):
            known = found.setdefault(values, obj)
            if isinstance(known, models.Model) and known.pk != obj.pk:
                found[values] = AMBIGUOUS
        return found

    def _candidates(self, wanted: list[Values]) -> Iterator[tuple[Values, models.Model]]:
        if len(self.names) == 1 and self._fields:
            [(name, field)] = self._fields.items()
            for chunk in chunked(wanted, CHUNK_SIZE):
                within = {f"{name}__in": [value for ((_, value),) in chunk]}
                for obj in self._objects.filter(**within):
                    yield ((name, getattr(obj, field.attname)),), obj
        else:
            for values in wanted:
                yield from ((values, obj) for obj in self._matches(values))

    def _matches(self, values: Values) -> list[models.Model]:
        try:
            found = list(self._objects.filter(**dict(values)).distinct()[:CHUNK_SIZE])
        except (ValidationError, ValueError):
            return []
        return [obj for obj in found if self._is_equal(obj, values)]

    def _is_equal(self, obj: models.Model, values: Values) -> bool:
        own = [(self._fields[name], value) for name, value in values if name in self._fields]
        return all(getattr(obj, field.attname) == value for field, value in own)


def _plain(model: type[models.Model], name: str) -> models.Field[Any, Any] | None:
    """Return the model's own field of a name if it is no relation."""
    try:
        field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    return field if isinstance(field, models.Field) and not field.is_relation else None
