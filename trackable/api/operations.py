"""Operations: what can be asked for, by which URLs and parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from trackable.api import parameters as named
from trackable.api import reading
from trackable.api.answers import Answer
from trackable.api.index import index
from trackable.api.parameters import Parameter

if TYPE_CHECKING:
    from django.http import HttpRequest

FIELD_ROUTE: Final = "<str:data_class>/<str:field>"


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that can be asked for."""

    name: str
    route: str
    summary: str
    read: Callable[[HttpRequest, Mapping[str, Any]], Answer]
    #: the name of the schema of what is answered
    schema: str
    parameters: tuple[Parameter, ...]

    def of(self, place: str) -> list[Parameter]:
        """Return the parameters of the path, or of the query."""
        return [each for each in self.parameters if each.place == place]


_SUBJECT: Final = (named.DATA_CLASS, named.FIELD, named.MODEL)
_TIME: Final = (named.START, named.END, named.DAYS)
_PAGE: Final = (named.PAGE, named.LIMIT)

OPERATIONS: Final = (
    Operation(
        "index",
        "",
        "The data classes that the caller may see, with their models and fields.",
        index,
        "Index",
        (*_PAGE, named.FORMAT),
    ),
    Operation(
        "series",
        f"{FIELD_ROUTE}/series/",
        "The counts of an object, or of all objects together, over time.",
        reading.series,
        "Series",
        (*_SUBJECT, named.OBJECT, named.BY, *_TIME, named.FORMAT),
    ),
    Operation(
        "total",
        f"{FIELD_ROUTE}/total/",
        "The total of an object, of several, or of all objects together.",
        reading.total,
        "Total",
        (*_SUBJECT, named.OBJECTS, *_TIME, named.FORMAT),
    ),
    Operation(
        "top",
        f"{FIELD_ROUTE}/top/",
        f"The objects of which most was counted, up to {reading.MAX_PLACES}.",
        reading.top,
        "Top",
        (*_SUBJECT, *_TIME, *_PAGE, named.FORMAT),
    ),
)
