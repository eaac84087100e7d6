"""Counting: each beacon counts one for its target and its source, where a data class says so.

``counts_beacons = "clicks"`` counts for the objects that the class is registered for, whichever
of the two they are; ``{"target": "hits", "source": "clicks"}`` tells them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from trackable import sites

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest

    from trackable.models import TrackableData

ATTRIBUTE: Final = "counts_beacons"
TARGET: Final = "target"
SOURCE: Final = "source"
ROLES: Final = (TARGET, SOURCE)

#: a data class, and its counter
Counter = tuple["type[TrackableData]", str]


def count(request: HttpRequest, *, target: Model | None, source: Model | None) -> None:
    """Count one beacon; a crawler's is told of as filtered. Runs no SQL."""
    from trackable.messaging import send_increment_message  # which starting up spares

    for role, obj in ((TARGET, target), (SOURCE, source)):
        if obj is not None:
            for data_cls, name in _counters_of(type(obj), role, sites.changes()):
                send_increment_message(request, obj, name, data_cls)


def names_in(data_cls: type[Any]) -> dict[str, Any]:
    """Return the counter for each role that a data class declares, right or wrong."""
    declared = getattr(data_cls, ATTRIBUTE, None) or {}
    if isinstance(declared, Mapping):
        return dict(declared)
    return dict.fromkeys(ROLES, declared)


@lru_cache(maxsize=1024)
def _counters_of(model: type[Model], role: str, _changes: int) -> tuple[Counter, ...]:
    found = sites.data_classes_of(model)
    names = {data_cls: names_in(data_cls).get(role) for data_cls in found}
    return tuple((data_cls, name) for data_cls, name in names.items() if name)
