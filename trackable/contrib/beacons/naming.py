"""Naming: how links name objects, which is by the labels of their models and by their keys."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.db.models import Model

from trackable.contrib.beacons.arrivals import text_of
from trackable.exceptions import TrackableError, UnsavedObject

#: a model's label and, unless a new object is to be made, a key
Name = tuple[str] | tuple[str, int | str]


class LinkError(TrackableError):
    """There can be no link to this: pass saved objects of models, and few of them."""


def name_of(obj: Any, *, can_be_new: bool = False) -> Name | None:
    """Return how a link names an object: by the label of its model, and its key.

    Where a new object can be meant, a model or its label names one, and so does an object that
    has no row: a template makes one of a model that it is given. Raises ``LinkError`` for what
    is no object of a model, ``UnsavedObject`` for one without a row.
    """
    if obj is None:
        return None
    if can_be_new and (model := _model(obj)) is not None:
        return (model._meta.label,)
    if not isinstance(obj, Model):
        raise LinkError(f"There is no link to {obj!a:.80}: pass an object of a model.")
    if not _has_row(obj):
        raise UnsavedObject(f"This {obj._meta.label} has no row yet: save it before linking to it.")
    if isinstance(obj.pk, tuple):
        raise LinkError(f"The key of {obj._meta.label} is made of several fields.")
    return obj._meta.label, obj.pk if type(obj.pk) is int else _text_of(obj)


def _text_of(obj: Model) -> str:
    try:
        return text_of(obj.pk)
    except ValueError as error:
        raise LinkError(f"There is no link to this {obj._meta.label}: {error}.") from error


def _model(obj: Any) -> type[Model] | None:
    """Return the model of which a new object is meant, if one is."""
    if isinstance(obj, type) and issubclass(obj, Model):
        return obj
    if isinstance(obj, Model):
        return None if _has_row(obj) else type(obj)
    if isinstance(obj, str):
        try:
            return apps.get_model(obj)
        except (LookupError, ValueError) as error:
            raise LinkError(f"There is no model {obj!a:.80}: name it as 'app.Model'.") from error
    return None


def _has_row(obj: Model) -> bool:
    """Tell whether an object has a row: a key that was set by hand may name one."""
    key = obj._meta.pk
    is_made = key.has_default() or key.has_db_default()
    return obj.pk is not None and not (obj._state.adding and is_made)
