"""Checks of what ``class Trackable`` in a data class says of its rows' retention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.core.checks import CheckMessage, Error

from trackable.rollups.retention import (
    RetentionMistake,
    option,
    parse,
    referrers,
    unknown_options,
)

if TYPE_CHECKING:
    from trackable.models import TrackableData


def check_retention(data_cls: type[TrackableData]) -> Iterator[CheckMessage]:
    """Find what roll-ups could not do, or would do unasked."""
    for name, cure in unknown_options(data_cls).items():
        yield Error(
            f"'class Trackable' has no option '{name}'.",
            hint=cure,
            obj=data_cls,
            id="trackable.E030",
        )
    try:
        retention = parse(data_cls)
    except RetentionMistake as mistake:
        problem, cure = mistake.args
        yield Error(
            f"The retention cannot be: {problem}", hint=cure, obj=data_cls, id="trackable.E031"
        )
        return
    yield from _check_removal(data_cls)
    for relation in referrers(data_cls) if retention else ():
        yield Error(
            f"Rows that are summed are deleted, and {relation.field} points to them.",
            hint="Let it point to the object that is counted, or remove the retention.",
            obj=data_cls,
            id="trackable.E033",
        )


def _check_removal(data_cls: type[TrackableData]) -> Iterator[CheckMessage]:
    ages = list((option(data_cls, "retention") or {}).values())
    is_finite = bool(ages) and ages[-1] is not None
    wanted = option(data_cls, "remove_oldest")
    if is_finite and wanted is not True:
        yield Error(
            "The last step of the retention has an age, but nobody says what becomes of its rows.",
            hint="Set the age to None to keep them for ever, or add remove_oldest = True to have"
            " them removed with their counts.",
            obj=data_cls,
            id="trackable.E032",
        )
    elif wanted not in (None, False, True) or (wanted and not is_finite):
        yield Error(
            f"'remove_oldest' is {wanted!r}, but no step of the retention says when.",
            hint="Give the last step an age, or leave it out.",
            obj=data_cls,
            id="trackable.E032",
        )
