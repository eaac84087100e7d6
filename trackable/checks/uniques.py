"""Checks of the distinct counts of data classes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING

from django.core.checks import CheckMessage, Error

from trackable.uniques.fields import NEVER, ROTATIONS, UniqueCount, uniques_of

if TYPE_CHECKING:
    from trackable.models import TrackableData


def check_uniques(data_cls: type[TrackableData]) -> Iterator[CheckMessage]:
    """Find distinct counts that could not be kept."""
    fields = uniques_of(data_cls).values()
    if fields and importlib.util.find_spec("datasketches") is None:
        yield Error(
            "Distinct counts need the library datasketches, which is not installed.",
            hint="Install trackable[uniques].",
            obj=data_cls,
            id="trackable.E034",
        )
    for field in fields:
        yield from _check_rotation(field, data_cls.period)


def _check_rotation(field: UniqueCount, period: str | None) -> Iterator[CheckMessage]:
    least = "day" if period == "hour" else period or NEVER
    fitting = ROTATIONS[ROTATIONS.index(least) :] if least in ROTATIONS else ROTATIONS
    if field.rotation not in fitting:
        kept = f"of a {period}" if period else "of all time"
        yield Error(
            f"'rotates' is {field.rotation!r}, but rows are {kept}: within one, nobody could tell"
            " which secret is meant.",
            hint=f"Set rotates to one of {', '.join(map(repr, fitting))}, or leave it out.",
            obj=field,
            id="trackable.E035",
        )
