"""Marks: how far the rows of a data class are rolled up, as their database keeps it."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from trackable.models import RolledUp, TrackableData


def untils(alias: str, data_cls: type[TrackableData]) -> dict[str, datetime]:
    """Return the moment, by step, before which all rows are of this step or a coarser one.

    Aware datetimes, in one query. A row that a fold adds while its period is rolled up is finer,
    until the next run.
    """
    found = _rows(alias, data_cls).values_list("step", "until")
    return {step: _aware(until) for step, until in found}


def of_database(alias: str) -> dict[str, dict[str, datetime]]:
    """Return the moments of all data classes that a database has, by their labels."""
    found: dict[str, dict[str, datetime]] = {}
    rows = RolledUp._base_manager.using(alias).order_by("data_class", "until")
    for label, step, until in rows.values_list("data_class", "step", "until"):
        found.setdefault(label, {})[step] = _aware(until)
    return found


def advance(alias: str, data_cls: type[TrackableData], step: str, until: datetime) -> None:
    """Enter that all is done until then; another machine may have come further."""
    stored = until if settings.USE_TZ else timezone.make_naive(until)
    rows = _rows(alias, data_cls).filter(step=step)
    if not rows.filter(until__lt=stored).update(until=stored) and not rows.exists():
        mark = RolledUp(data_class=_label(data_cls), step=step, until=stored)
        RolledUp._base_manager.using(alias).bulk_create([mark], ignore_conflicts=True)


def _rows(alias: str, data_cls: type[TrackableData]) -> QuerySet[RolledUp]:
    return RolledUp._base_manager.using(alias).filter(data_class=_label(data_cls))


def _label(data_cls: type[TrackableData]) -> str:
    return (data_cls._meta.concrete_model or data_cls)._meta.label


def _aware(moment: datetime) -> datetime:
    return (moment if settings.USE_TZ else timezone.make_aware(moment)).astimezone(UTC)
