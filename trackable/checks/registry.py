"""Checks of what is registered: whether the rows can tell the objects that they count for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from django.core.checks import CheckMessage, Error
from django.db import models

from trackable import sites

if TYPE_CHECKING:
    from django.db.models import Model

    from trackable.models import TrackableData

UUID_LENGTH: Final = 36


def check_registry(**_: Any) -> list[CheckMessage]:
    """Find data classes that count for models whose keys they cannot hold."""
    return [
        message
        for site in sites.all_sites()
        for data_cls in site.data_classes()
        for model in site.get_parents(data_cls)
        for message in _check_pair(model, data_cls)
    ]


def _check_pair(model: type[Model], data_cls: type[TrackableData]) -> Iterator[CheckMessage]:
    if "parent" in data_cls.key_fields():
        target: Any = data_cls._meta.get_field("parent").related_model
        if not issubclass(model, target):
            yield Error(
                f"It is registered for {model._meta.label}, but its 'parent' is a foreign key to"
                f" {target._meta.label}.",
                hint=f"Register it for {target._meta.label}, or leave the foreign key out.",
                obj=data_cls,
                id="trackable.E009",
            )
    elif (cure := _misfit(data_cls._meta.get_field("object_id"), key_of(model))) is not None:
        yield Error(
            f"Its 'object_id' cannot hold the primary keys of {model._meta.label}.",
            hint=f"Add to the class: object_id = {cure}.",
            obj=data_cls,
            id="trackable.E008",
        )


def key_of(model: type[Model]) -> Any:
    """Return the field that a model's primary key is in the end, through any relations."""
    field: Any = model._meta.pk
    while getattr(field, "remote_field", None):
        field = field.target_field
    return field


def _misfit(object_id: Any, key: Any) -> str | None:
    """Return the ``object_id`` that would hold the key, or ``None`` if this one does."""
    if isinstance(key, models.UUIDField):
        fits = isinstance(object_id, models.UUIDField) or _holds(object_id, UUID_LENGTH)
        return None if fits else "models.UUIDField()"
    if isinstance(key, models.CharField | models.TextField):
        if _holds(object_id, key.max_length):
            return None
        length = f"max_length={key.max_length}" if key.max_length else "max_length=255"
        return f"models.CharField({length})"
    if isinstance(key, models.IntegerField) and isinstance(object_id, models.UUIDField):
        return "models.PositiveBigIntegerField()"
    return None


def _holds(object_id: Any, length: int | None) -> bool:
    if not isinstance(object_id, models.CharField | models.TextField):
        return False
    return object_id.max_length is None or (length is not None and object_id.max_length >= length)
