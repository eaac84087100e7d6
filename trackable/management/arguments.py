"""Arguments: what several commands take, made into what it names, or a ``CommandError``."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from difflib import get_close_matches

from django.apps import apps
from django.core.management.base import CommandError
from django.db import models

from trackable import sites
from trackable.counters import CounterField, counters_of
from trackable.exceptions import UnknownField
from trackable.models import TrackableData


def data_class(label: str) -> type[TrackableData]:
    """Return the data class of a label: ``app.Model``."""
    found = _find(label)
    if found is not None and issubclass(found, TrackableData):
        return found
    known = [model for model in apps.get_models() if issubclass(model, TrackableData)]
    what = "is no data class" if found else "is unknown"
    raise CommandError(f"{label!r} {what}.{guess(label, _labels(known))}")


def model(label: str) -> type[models.Model]:
    """Return the model of a label: ``app.Model``."""
    found = _find(label)
    if found is None:
        raise CommandError(f"{label!r} is no model.{guess(label, _labels(apps.get_models()))}")
    return found


def counter(data_cls: type[TrackableData], name: str) -> CounterField:
    """Return the counter of a name."""
    try:
        return counters_of(data_cls)[name]
    except UnknownField as error:
        raise CommandError(f"{error}{guess(name, counters_of(data_cls))}") from error


def guess(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" with the known word that is most like it, else nothing."""
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(word.lower(), by_lower, n=1)
    return f" Did you mean {by_lower[close[0]]}?" if close else ""


def data_classes_of(model: type[models.Model]) -> list[type[TrackableData]]:
    """Return the data classes of a model in every registry, in the order in which emits look."""
    found = [cls for site in sites.all_sites() for cls in site.get_trackables(model)]
    return list(dict.fromkeys(found))


def parents_of(data_cls: type[TrackableData]) -> list[type[models.Model]]:
    """Return the models that a data class counts for, in every registry."""
    found = [model for site in sites.all_sites() for model in site.get_parents(data_cls)]
    return list(dict.fromkeys(found))


def positive_number(text: str) -> int:
    """Return a number of at least 1, for ``argparse``."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not at least 1")
    return number


def positive_seconds(text: str) -> float:
    """Return a number of seconds above 0, for ``argparse``."""
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return seconds


def _find(label: str) -> type[models.Model] | None:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None


def _labels(known: Iterable[type[models.Model]]) -> list[str]:
    return [each._meta.label for each in known]
