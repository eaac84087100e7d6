"""Checks of data classes as they are declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.db import models

from trackable.checks.retention import check_retention
from trackable.checks.uniques import check_uniques
from trackable.counters import NUMERIC_FIELDS, counters_of
from trackable.periods import PERIODS
from trackable.uniques.fields import uniques_of

if TYPE_CHECKING:
    from trackable.models import TrackableData

DURING = "collected_during"


def check_data_class(data_cls: type[TrackableData]) -> list[CheckMessage]:
    """Return what is wrong with a data class as it is declared."""
    if data_cls._meta.abstract or data_cls._meta.proxy:
        return []
    if data_cls._meta.parents:
        return [_inherits_a_table(data_cls)]
    return [
        *_check_counters(data_cls),
        *_check_period(data_cls),
        *_check_other_fields(data_cls),
        *_check_unique(data_cls),
        *_check_primary_key(data_cls),
        *check_retention(data_cls),
        *check_uniques(data_cls),
    ]


def _inherits_a_table(data_cls: type[TrackableData]) -> CheckMessage:
    return Error(
        "A data class cannot inherit from one that has a table: a fold writes one row.",
        hint="Make the class it inherits from abstract.",
        obj=data_cls,
        id="trackable.E005",
    )


def _check_counters(data_cls: type[TrackableData]) -> Iterator[CheckMessage]:
    counters = counters_of(data_cls)
    uniques = uniques_of(data_cls)
    for name in data_cls.counters or ():
        if name not in counters and name not in uniques:
            yield Error(
                f"'{name}' is listed as a counter but is no numeric field.",
                hint="Use an integer, decimal or float field of this class.",
                obj=data_cls,
                id="trackable.E003",
            )
    if not counters and not uniques:
        yield Error(
            "The data class has no counters.",
            hint="Add a field such as models.PositiveBigIntegerField(default=0).",
            obj=data_cls,
            id="trackable.E001",
        )
    for field in counters.values():
        if field.null:
            yield Error(
                f"The counter '{field.name}' may be null, and null plus one is null.",
                hint="Remove null=True and set default=0.",
                obj=field,
                id="trackable.E004",
            )
        if field.has_default() and field.get_default() != 0:
            yield CheckWarning(
                f"The counter '{field.name}' has a default of {field.get_default()!r}, and counts"
                " from 0.",
                hint="Set default=0.",
                obj=field,
                id="trackable.W005",
            )


def _check_period(data_cls: type[TrackableData]) -> Iterator[CheckMessage]:
    keyed = DURING in data_cls.key_fields()
    if not keyed and data_cls.period is not None:
        yield Error(
            f"The data class has a period but no '{DURING}'.",
            hint="Derive it from TrackableTimeSeriesData.",
            obj=data_cls,
            id="trackable.E002",
        )
    elif keyed and data_cls.period not in PERIODS:
        yield Error(
            f"{data_cls.period!r} is no period.",
            hint=f"Set period to one of {', '.join(map(repr, PERIODS))}.",
            obj=data_cls,
            id="trackable.E002",
        )
    elif keyed:
        yield from _check_period_field(data_cls)


def _check_period_field(data_cls: type[TrackableData]) -> Iterator[CheckMessage]:
    wanted = models.DateTimeField if data_cls.period == "hour" else models.DateField
    field = data_cls._meta.get_field(DURING)
    # A DateTimeField is a DateField too.
    if not isinstance(field, wanted) or isinstance(field, models.DateTimeField) != (
        data_cls.period == "hour"
    ):
        yield Error(
            f"'{DURING}' is a {type(field).__name__}, which cannot hold the start of a"
            f" {data_cls.period}.",
            hint=f"Set period in the data class itself, or make the field a {wanted.__name__}.",
            obj=data_cls,
            id="trackable.E007",
        )


def _check_other_fields(data_cls: type[TrackableData]) -> Iterator[CheckMessage]:
    """Find fields that a fold could not fill in when it makes a row."""
    known = {*data_cls.key_fields(), *counters_of(data_cls)}
    for field in data_cls._meta.local_concrete_fields:
        if field.name not in known and not _is_given(field):
            numeric = isinstance(field, NUMERIC_FIELDS)
            problem = "is not among the counters" if numeric else "is no numeric field to count in"
            yield Error(
                f"'{field.name}' {problem}, and a fold that makes a row has no value for it.",
                hint="Give it a default or a db_default, or make it a counter.",
                obj=field,
                id="trackable.E003",
            )


def _is_given(field: models.Field[Any, Any]) -> bool:
    by_database = getattr(field, "generated", False) or isinstance(field, models.AutoField)
    by_clock = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    defaults = field.has_default() or field.has_db_default() or field.null
    text = isinstance(field, models.CharField | models.TextField) and not field.primary_key
    return bool(by_database or by_clock or defaults or text)


def _check_unique(data_cls: type[TrackableData]) -> Iterator[CheckMessage]:
    """Find keys besides the one that an upsert goes by: it would meet the row of another."""
    key = set(data_cls.key_fields())
    meta = data_cls._meta
    found = [{f.name} for f in meta.local_concrete_fields if f.unique and not f.primary_key]
    found += [set(names) for names in meta.unique_together]
    found += [set(c.fields) for c in meta.constraints if isinstance(c, models.UniqueConstraint)]
    for names in found:
        if names and not names >= key:
            listed = ", ".join(sorted(names))
            yield Error(
                f"Rows are unique by {listed}, and by {', '.join(data_cls.key_fields())} too: a"
                " fold could not add to one of them.",
                hint="Remove that constraint (or unique=True, or make the OneToOneField a"
                " ForeignKey).",
                obj=data_cls,
                id="trackable.E006",
            )


def _check_primary_key(data_cls: type[TrackableData]) -> Iterator[CheckMessage]:
    """Find keys that run out: an upsert takes a number even where it only adds to a row."""
    key = data_cls._meta.pk
    if isinstance(key, models.AutoField) and not isinstance(key, models.BigAutoField):
        yield CheckWarning(
            f"The primary key is a {type(key).__name__}, and each count takes one of its numbers.",
            hint="Make it a BigAutoField, or leave it out.",
            obj=key,
            id="trackable.W006",
        )
