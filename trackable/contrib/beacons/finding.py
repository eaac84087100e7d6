"""Finding: the objects that a URL names, whatever a visitor has made of it."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import DataError
from django.db.models import Manager, Model, QuerySet

Objects = type[Model] | Manager[Any] | QuerySet[Any]

#: what comes of a key that no object could have
NO_KEY = (DataError, OverflowError, TypeError, ValidationError, ValueError)


def find(objects: Objects | None, key: Any) -> Model | None:
    """Return the object with this primary key, or ``None``: one query, and none for no key.

    ``objects`` are a model's, a manager's or a queryset's.
    """
    if objects is None or key is None or "\0" in str(key):
        return None
    manager = objects if isinstance(objects, Manager | QuerySet) else objects._default_manager
    try:
        # Not get(): what narrows a queryset may join, and find the object several times.
        found: list[Model] = list(manager.filter(pk=key)[:1])
    except NO_KEY:
        return None
    return found[0] if found else None
