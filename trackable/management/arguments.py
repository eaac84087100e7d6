"""Arguments: what several commands take, made into what it names, or a ``CommandError``."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, TypeVar

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError
from django.db import models
from django.utils.timezone import make_aware, make_naive

from trackable import sites
from trackable.counters import CounterField, Counters, counters_of
from trackable.exceptions import UnknownField
from trackable.labels import folded_class_of
from trackable.models import TrackableData

if TYPE_CHECKING:
    from trackable.labels import FoldedClass

T = TypeVar("T")
Parser = Callable[[str], T]
CountersOf = Callable[[type[TrackableData]], Counters]

AGE: Final = re.compile(r"(\d{1,9})([smhd])", re.ASCII)
SECONDS_PER_UNIT: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def data_class(label: str) -> type[TrackableData]:
    """Return the data class of a label: ``app.Model``."""
    found = _find(label)
    if found is not None and issubclass(found, TrackableData):
        return found
    what = "is no data class" if found else "is unknown"
    raise CommandError(f"{label!r} {what}.{guess(label, _labels(_data_classes()))}")


def folded_class(label: str) -> FoldedClass:
    """Return the data or record class of a label: ``app.Model``."""
    return folded_class_of(label) or data_class(label)


def model(label: str) -> type[models.Model]:
    """Return the model of a label: ``app.Model``."""
    found = _find(label)
    if found is None:
        raise CommandError(f"{label!r} is no model.{guess(label, _labels(apps.get_models()))}")
    return found


def counter(
    data_cls: type[TrackableData], name: str, among: CountersOf = counters_of
) -> CounterField:
    """Return the counter of a name; among ``counts_of`` it may be a distinct count too."""
    try:
        return among(data_cls)[name]
    except UnknownField as error:
        raise CommandError(f"{error}{guess(name, among(data_cls))}") from error


def guess(word: str, known: Iterable[str]) -> str:
    """Return " Did you mean ...?" with the known word that is most like it, else nothing."""
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(word.lower(), by_lower, n=1)
    return f" Did you mean {by_lower[close[0]]}?" if close else ""


def parents_of(data_cls: type[TrackableData]) -> list[type[models.Model]]:
    """Return the models that a data class counts for, in every registry."""
    found = [model for site in sites.all_sites() for model in site.get_parents(data_cls)]
    return list(dict.fromkeys(found))


def bounded(kind: Callable[[str], T], is_within: Callable[[T], bool], what: str) -> Parser[T]:
    """Return what makes a number of a text, for ``argparse``, or says that it is not ``what``."""

    def parse(text: str) -> T:
        try:
            number = kind(text)
        except ValueError:
            number = None
        if number is None or not is_within(number):
            raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
        return number

    return parse


natural_number: Final = bounded(int, lambda number: number >= 0, "a whole number of at least 0")
positive_number: Final = bounded(int, lambda number: number >= 1, "a whole number of at least 1")
positive_seconds: Final = bounded(
    float, lambda seconds: 0 < seconds < float("inf"), "a number of seconds above 0"
)
percentage: Final = bounded(
    lambda text: float(text.removesuffix("%")),
    lambda percent: 0 < percent <= 100,
    "a percentage above 0 and at most 100",
)


def stored_moment(text: str) -> datetime:
    """Return a time as rows have it, for ``argparse``: naive where the site knows no zones."""
    try:
        found = datetime.fromtimestamp(moment(text), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time of this era") from error
    return found if settings.USE_TZ else make_naive(found)


def moment(text: str) -> float:
    """Return a time in seconds since the epoch, for ``argparse``.

    ``90m``, ``12h`` or ``7d`` is so long ago; else a date, or a date and time, of the site's zone
    unless it has one.
    """
    if match := AGE.fullmatch(text.strip()):
        return time.time() - int(match[1]) * SECONDS_PER_UNIT[match[2]]
    try:
        found = datetime.fromisoformat(text.strip())
        aware = found if found.tzinfo else make_aware(found)
        return aware.timestamp()
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time: write 90m, 12h, 7d or 2026-11-21T09:30"
        ) from error


def _find(label: str) -> type[models.Model] | None:
    try:
        return apps.get_model(label)
    except (LookupError, ValueError):
        return None


def _data_classes() -> list[type[TrackableData]]:
    return [each for each in apps.get_models() if issubclass(each, TrackableData)]


def _labels(known: Iterable[type[models.Model]]) -> list[str]:
    return [each._meta.label for each in known]
