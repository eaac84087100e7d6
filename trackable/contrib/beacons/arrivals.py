"""Arrivals: what travelled of a beacon, read back and validated before a database is asked.

``{"at": "<ISO 8601, aware>", "target": ["app.Model", "<key>"], "source": [the same],
"entity": ["app.Model", "<key>" or None, snapshot or None]}``, of which ``"at"`` alone is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import AutoField, Model
from django.utils import timezone

# How text becomes a key is imported where it is used: every process has these names, and few fold.

#: what a beacon keeps of a key
MAX_KEY_LENGTH: Final = 64
NAMES: Final = frozenset({"at", "target", "source", "entity"})


@dataclass(frozen=True, slots=True)
class Reference:
    """An object of the site's, named by its model and by its key as text."""

    model: type[Model]
    key: str


@dataclass(frozen=True, slots=True)
class Visit:
    """An entity that came at a time: its model, its key if it has one, and what was seen of it."""

    model: type[Model]
    key: Any
    snapshot: Any
    at: datetime


@dataclass(frozen=True, slots=True)
class Arrival:
    """A beacon as it travelled."""

    at: datetime
    target: Reference | None
    source: Reference | None
    entity: Visit | None


def read(values: Mapping[str, Any]) -> Arrival:
    """Return what the values of a record say. Raises ``ValueError``, which says what is wrong."""
    if unknown := values.keys() - NAMES:
        raise ValueError(f"a beacon has no {min(unknown)[:40]!r}")
    at = _moment(values.get("at"))
    return Arrival(
        at,
        _reference(values.get("target"), "target"),
        _reference(values.get("source"), "source"),
        _visit(values.get("entity"), at),
    )


def key_of(model: type[Model], text: str) -> Any:
    """Return a key of a model as its own type, from text.

    Raises ``ValueError`` for what cannot be one, or is longer than a beacon keeps.
    """
    from trackable.folding.keys import reason_of

    try:
        key = _key_maker(model)(text)
    except (ValidationError, OverflowError) as error:
        raise ValueError(reason_of(error)) from error
    text_of(key)
    return key


def entity_key_of(model: type[Model], text: str | None) -> Any:
    """Return the key of an entity as its own type; ``None`` where the database has to make one.

    What cannot be a key names no entity, which a database that makes the keys mends by a new one.
    Raises ``ValueError`` for it where the database does not.
    """
    if not text and not (is_automatic(model) or key_field(model).has_default()):
        raise ValueError(f"a new {model._meta.label} needs a key")
    try:
        return key_of(model, text) if text else None
    except ValueError:
        if is_automatic(model):
            return None
        raise


def is_automatic(model: type[Model]) -> bool:
    """Tell whether the database makes the keys: of these nobody else may choose new ones."""
    field = key_field(model)
    return isinstance(field, AutoField) or bool(field.has_db_default())


def text_of(key: Any) -> str:
    """Return a key as a beacon keeps it. Raises ``ValueError`` if it is too long."""
    text = str(key)
    if len(text) > MAX_KEY_LENGTH:
        raise ValueError(f"a key of {len(text)} characters is too long: {MAX_KEY_LENGTH} can be")
    return text


def key_field(model: type[Model]) -> Any:
    """Return the field that a model's keys are of, also where the key points to another model."""
    field: Any = model._meta.pk
    while field.remote_field:
        field = field.target_field
    return field


@lru_cache(maxsize=256)
def _key_maker(model: type[Model]) -> Callable[[str], Any]:
    from trackable.folding.keys import object_key

    return object_key(key_field(model))


def _moment(value: Any) -> datetime:
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            raise ValueError("it has no zone")
        moment = found.astimezone(UTC)
        if settings.USE_TZ:
            return moment
        # In the zone that the site keeps its times in, whichever is active.
        return timezone.make_naive(moment, timezone.get_default_timezone())
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"the time {str(value)[:40]!r} cannot be read: {error}") from error


def _reference(value: Any, name: str) -> Reference | None:
    match value:
        case None:
            return None
        case [str(label), str(key)]:
            model = _model(label)
            return Reference(model, text_of(_named(name, key_of, model, key)))
    raise ValueError(f"its {name} has another shape")


def _visit(value: Any, at: datetime) -> Visit | None:
    match value:
        case None:
            return None
        case [str(label), str() | None as key, snapshot]:
            model = _model(label)
            return Visit(model, _named("entity", entity_key_of, model, key), snapshot, at)
    raise ValueError("its entity has another shape")


def _named(name: str, make: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return make(*arguments)
    except ValueError as error:
        raise ValueError(f"its {name}: {error}") from error


def _model(label: str) -> type[Model]:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError) as error:
        raise ValueError(f"there is no model {label[:100]!r}") from error
