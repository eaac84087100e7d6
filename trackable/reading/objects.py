"""Reading: what was counted for one object, asked for by names, as templates and URLconfs do."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db.models import Model

from trackable import sites
from trackable.counters import Amount, counters_of
from trackable.exceptions import BadTime, NotRegistered, UnknownField, UnsavedObject
from trackable.labels import folded_class_of
from trackable.models import TrackableData
from trackable.querysets import TrackableQuerySet, queryset_of
from trackable.reading.series import Point
from trackable.reading.windows import today
from trackable.uniques.fields import uniques_of

DataClass = type[TrackableData]


def total_of(obj: Model, field: str, *, days: int | None = None, data_cls: Any = None) -> Amount:
    """Return a total: of the last ``days``, today among them, or with ``None`` of all time.

    ``data_cls`` is as in ``data_class_of``. Raises what ``rows_of``, ``first_of`` and ``total()``
    do.
    """
    rows = rows_of(obj, field, data_cls=data_cls, has_time=days is not None)
    return (rows if days is None else rows.between(first_of(days), today())).total(field)


def series_of(
    obj: Model, field: str, *, days: int | None = None, by: str | None = None, data_cls: Any = None
) -> list[Point]:
    """Return the points of a time as in ``total_of``, by steps as in ``series()``."""
    rows = rows_of(obj, field, data_cls=data_cls, has_time=True)
    start, end = (None, None) if days is None else (first_of(days), today())
    return rows.series(field, by=by, start=start, end=end)


def rows_of(
    obj: Model, field: str, *, data_cls: Any = None, has_time: bool = False
) -> TrackableQuerySet[Any]:
    """Return the rows of an object, in the data class of ``data_class_of``.

    Raises what that does, and ``UnsavedObject`` for what has no row.
    """
    if not isinstance(obj, Model):
        raise UnsavedObject(f"{obj!a:.80} is no object that is counted: pass one that has a row.")
    found = data_class_of(type(obj), field, data_cls, has_time=has_time)
    return queryset_of(found).for_object(obj)


def first_of(days: int) -> date:
    """Return the first of so many days up to today. Raises ``BadTime``."""
    if isinstance(days, bool) or not isinstance(days, int) or days < 1:
        raise BadTime(f"{days!a:.80} is no number of days: pass a whole one from 1 on, or None.")
    last = today()
    return last - timedelta(days=min(days, last.toordinal()) - 1)


def data_class_of(
    model: type[Model], field: str, given: Any = None, *, has_time: bool = False
) -> DataClass:
    """Return the data class that is given, or else the first registered one that has the field.

    Given may be the class or its label, or an object of it: templates call what they get. With
    ``has_time`` one whose rows have a time goes first. Raises ``NotRegistered`` and
    ``UnknownField``.
    """
    if given is not None:
        return _given(given)
    registered = sites.data_classes_of(model)
    found = [cls for cls in registered if field in counters_of(cls) or field in uniques_of(cls)]
    if not registered:
        raise NotRegistered(
            f"{model.__qualname__} is not counted: register a data class for it in"
            " trackabledata.py."
        )
    if not found:
        names = ", ".join(cls._meta.label for cls in registered)
        raise UnknownField(f"None of {names} has a counter {field!a:.80}: correct the name.")
    return next((cls for cls in found if cls.period or not has_time), found[0])


def _given(given: Any) -> DataClass:
    found: Any = folded_class_of(given) if isinstance(given, str) else given
    if isinstance(found, TrackableData):
        return type(found)
    if isinstance(found, type) and issubclass(found, TrackableData):
        return found
    raise NotRegistered(f"There is no data class {given!a:.80}: name it as 'app.Class'.")
