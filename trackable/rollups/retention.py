"""Retention: how long a data class keeps rows of which step, as its ``class Trackable`` says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from trackable.periods import PERIODS

if TYPE_CHECKING:
    from django.db.models import ForeignObjectRel

    from trackable.models import TrackableData

#: What ``class Trackable`` may have.
OPTIONS: Final = ("retention", "remove_oldest")
EXAMPLE: Final = '{"hour": timedelta(days=30), "day": None}'


@dataclass(frozen=True, slots=True)
class RollUp:
    """Rows of a finer step become rows of this one when its period is over for so long."""

    step: str
    age: timedelta


@dataclass(frozen=True, slots=True)
class Retention:
    """What becomes of the rows of a data class, from the finest step on."""

    finest: str
    roll_ups: tuple[RollUp, ...] = ()
    #: Rows of the last step are removed when their period is over for so long.
    removal: RollUp | None = None


class RetentionMistake(ValueError):  # noqa: N818
    """A retention cannot be; ``args`` are what is wrong and the cure."""


def retention_of(data_cls: type[TrackableData]) -> Retention | None:
    """Return the retention of a data class; ``None`` without one, or if it cannot be.

    The system checks say what is wrong with it.
    """
    try:
        retention = parse(data_cls)
    except RetentionMistake:
        return None
    return None if retention is None or any(referrers(data_cls)) else retention


def parse(data_cls: type[TrackableData]) -> Retention | None:
    """Return the retention of a data class, ``None`` without one. Raises ``RetentionMistake``."""
    declared = option(data_cls, "retention")
    if declared is None:
        return None
    if not isinstance(declared, Mapping) or not declared:
        raise RetentionMistake("It is no dictionary of steps.", f"Write it as {EXAMPLE}.")
    _check_steps(data_cls, list(declared))
    _check_ages(declared)
    pairs = pairwise(declared.items())
    roll_ups = tuple(RollUp(coarser, age) for (_, age), (coarser, _) in pairs)
    last, age = list(declared.items())[-1]
    is_removed = age is not None and option(data_cls, "remove_oldest") is True
    return Retention(next(iter(declared)), roll_ups, RollUp(last, age) if is_removed else None)


def option(data_cls: type[TrackableData], name: str) -> Any:
    """Return what ``class Trackable`` has under a name, or ``None``."""
    return getattr(getattr(data_cls, "Trackable", None), name, None)


def unknown_options(data_cls: type[TrackableData]) -> dict[str, str]:
    """Return the names in ``class Trackable`` that mean nothing, each with the cure."""
    names = {name for name in dir(getattr(data_cls, "Trackable", None)) if name[:1] != "_"}
    return {name: did_you_mean(name, OPTIONS) for name in sorted(names.difference(OPTIONS))}


def did_you_mean(word: object, known: tuple[str, ...]) -> str:
    close = get_close_matches(str(word).lower(), known, 1)
    return f"Did you mean '{close[0]}'?" if close else f"Use {', '.join(map(repr, known))}."


def referrers(data_cls: type[TrackableData]) -> Iterator[ForeignObjectRel]:
    """Yield the relations of other models that point to rows, which roll-ups delete."""
    for relation in data_cls._meta.get_fields(include_hidden=True):
        if relation.auto_created and not relation.concrete:
            yield relation  # type: ignore[misc]  # nothing else is both


def _check_steps(data_cls: type[TrackableData], steps: list[Any]) -> None:
    for step in steps:
        if step not in PERIODS:
            raise RetentionMistake(f"{step!r} is no step.", did_you_mean(step, PERIODS))
    period = data_cls.period
    if "collected_during" not in data_cls.key_fields():
        cure = "Derive it from TrackableTimeSeriesData, or remove the retention."
        raise RetentionMistake("The data class has no periods.", cure)
    if steps[0] != period:
        cure = f"Let it begin with {period!r}."
        raise RetentionMistake(f"It begins with {steps[0]!r}, but rows are of a {period}.", cure)
    for finer, coarser in pairwise(steps):
        if PERIODS.index(finer) >= PERIODS.index(coarser):
            cure = f"Order the steps so: {', '.join(map(repr, PERIODS))}."
            raise RetentionMistake(f"{coarser!r} comes after {finer!r} and is finer.", cure)
        if finer == "week":
            cure = "Leave out 'week', or end with it."
            raise RetentionMistake(f"A week may be part of two {coarser}s.", cure)


def _check_ages(declared: Mapping[str, Any]) -> None:
    *others, last = declared.values()
    if None in others:
        cure = "Give it an age, or leave out what comes after it."
        raise RetentionMistake("A step that is kept for ever is not the last one.", cure)
    ages = others if last is None else [*others, last]
    for age in ages:
        if not isinstance(age, timedelta) or age <= timedelta(0):
            cure = "Write timedelta(days=30), or None for ever."
            raise RetentionMistake(f"{age!r} is no age.", cure)
    for younger, older in pairwise(ages):
        if older <= younger:
            cure = "Ages count from the end of a period until now: let each be more."
            raise RetentionMistake(f"The age {older!s} is not more than {younger!s}.", cure)
