"""Targets: which data class, and whose objects, the options of a command mean."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.management.base import CommandError
from django.db import models

from trackable import sites
from trackable.counters import counters_of
from trackable.management import arguments
from trackable.management.arguments import CountersOf
from trackable.models import TrackableData


def data_class_of(
    model: type[models.Model] | None,
    label: str | None,
    fields: Sequence[str],
    among: CountersOf = counters_of,
) -> type[TrackableData]:
    """Return the data class of a label, or the model's first one that has all of the fields."""
    data_cls = _first_of(model, fields, among) if label is None else arguments.data_class(label)
    for name in fields:
        arguments.counter(data_cls, name, among)
    if model is not None and data_cls not in sites.data_classes_of(model):
        raise CommandError(
            f"{data_cls._meta.label} does not count for {model._meta.label}, but for"
            f" {_names_of(data_cls)}."
        )
    return data_cls


def _first_of(
    model: type[models.Model] | None, fields: Sequence[str], among: CountersOf
) -> type[TrackableData]:
    if model is None:
        raise CommandError("Say whose counts are meant with --model app.Model, or --data-class.")
    held = sites.data_classes_of(model)
    if not held:
        raise CommandError(f"{model._meta.label} is not counted: register a data class for it.")
    fitting = [each for each in held if among(each).keys() >= set(fields)]
    return fitting[0] if fitting else held[0]


def only_parent_of(data_cls: type[TrackableData]) -> type[models.Model]:
    """Return the model that a data class counts for, if that is one."""
    parents = arguments.parents_of(data_cls)
    if len(parents) == 1:
        return parents[0]
    label = data_cls._meta.label
    raise CommandError(f"{label} counts for {_names_of(data_cls)}: pick one with --model.")


def _names_of(data_cls: type[TrackableData]) -> str:
    return ", ".join(each._meta.label for each in arguments.parents_of(data_cls)) or "nothing"
