"""What tests of roll-ups share: retentions for data classes of the tests, and old rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db.models import Model

from trackable_tests.counting import DataClass
from trackable_tests.testapp.models import Page

Keep = Callable[..., None]

#: The time at which tests roll up.
NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
DAYS = timedelta(days=1)
HOURS_AND_DAYS = {"hour": 30 * DAYS, "day": None}
THREE_STEPS = {"hour": 30 * DAYS, "day": 400 * DAYS, "month": None}


def options(retention: Any = None, **others: Any) -> type:
    """Return a ``class Trackable``."""
    return type("Trackable", (), {"retention": retention, **others})


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def add(data_cls: DataClass, obj: Any, during: date, /, **counts: Any) -> None:
    """Make a row of an object, or of a page of that id."""
    pk, model = getattr(obj, "pk", obj), type(obj) if isinstance(obj, Model) else Page
    key: dict[str, Any] = {"parent_id": pk}
    if data_cls.parent_target() is None:
        key = {"content_type": ContentType.objects.get_for_model(model), "object_id": pk}
    data_cls._base_manager.create(**key, collected_during=during, **counts or {"views": 1})


def sums(data_cls: DataClass, field: str = "views") -> Counter[Any]:
    """Return the sum of each object over all its rows."""
    parent = "object_id" if data_cls.parent_target() is None else "parent_id"
    found: Counter[Any] = Counter()
    for key, value in data_cls._base_manager.values_list(parent, field):
        found[key] += value
    return found
