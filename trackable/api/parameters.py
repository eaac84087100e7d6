"""Parameters: declared once, for what reads them and for the description of the API."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from trackable.api.kinds import Choice, Integer, Kind, Text, Time
from trackable.api.problems import Problem, malformed
from trackable.periods import PERIODS

if TYPE_CHECKING:
    from django.http import QueryDict

MAX_DAYS: Final = 3660
MAX_LIMIT: Final = 1000
MAX_PAGE: Final = 1000
MAX_OBJECTS: Final = 50
DEFAULT_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a request: of its path, or of its query."""

    name: str
    kind: Kind
    description: str
    default: Any = None
    place: str = "query"
    #: how often it may be given
    at_most: int = 1

    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the parameter."""
        one = dict(self.kind.schema)
        if self.at_most > 1:
            return {"type": "array", "items": one, "minItems": 1, "maxItems": self.at_most}
        return one if self.default is None else {**one, "default": self.default}

    def read(self, texts: Sequence[str]) -> Any:
        """Return the value of what was sent; several ones as a list. Raises ``Problem``."""
        if len(texts) > self.at_most:
            times = "once" if self.at_most == 1 else f"{self.at_most} times"
            raise malformed(self.name, f"there at most {times}")
        try:
            values = [self.kind.read(text) for text in texts]
        except ValueError as error:
            raise malformed(self.name, self.kind.demand) from error
        if self.at_most > 1:
            return values
        return values[0] if values else self.default


DATA_CLASS: Final = Parameter(
    "data_class", Text(), "The data class, as the index names it.", place="path"
)
FIELD: Final = Parameter(
    "field", Text(), "The counter, or the distinct count, of the data class.", place="path"
)
FORMAT: Final = Parameter(
    "format",
    Choice(("json", "csv")),
    "The form of the answer. Without it, `Accept` decides; errors are JSON always.",
)
MODEL: Final = Parameter(
    "model",
    Text(),
    "The model of the objects, as the index names it. Needed for an object if the data class counts"
    " for several models; else it restricts what is counted to this one.",
)
OBJECT: Final = Parameter(
    "object", Text(), "The primary key of an object. Without it, all objects are counted together."
)
OBJECTS: Final = Parameter(
    "object",
    Text(),
    "The primary key of an object; may be repeated. Without it, all objects are counted together.",
    at_most=MAX_OBJECTS,
)
BY: Final = Parameter(
    "by",
    Choice(PERIODS),
    "The step from one point to the next: the period of the data class, or a coarser one that"
    " consists of such periods. By default the period of the data class.",
)
START: Final = Parameter(
    "start",
    Time(),
    "From when: a day, or a moment with its offset from UTC (`+` in a URL is written `%2B`).",
)
END: Final = Parameter(
    "end", Time(), "Until when: a day, which is included, or a moment, which is not."
)
DAYS: Final = Parameter(
    "days",
    Integer(1, MAX_DAYS),
    "The last days, today included, in place of `start` and `end`.",
)
LIMIT: Final = Parameter("limit", Integer(1, MAX_LIMIT), "How many to a page.", default=100)
PAGE: Final = Parameter("page", Integer(1, MAX_PAGE), "Which page.", default=1)


def read(parameters: Sequence[Parameter], sent: QueryDict) -> Mapping[str, Any]:
    """Return the values of all parameters of a query by name. Raises ``Problem``."""
    known = [each.name for each in parameters]
    for name in sent:
        if name not in known:
            raise _unknown(name, known)
    return {each.name: each.read(sent.getlist(each.name)) for each in parameters}


def _unknown(name: str, known: Sequence[str]) -> Problem:
    close = difflib.get_close_matches(name[:MAX_DAYS], known, 1)
    cure = f"Did you mean {close[0]}?" if close else f"There are {', '.join(known)}."
    detail = f"There is no such parameter. {cure}"
    return Problem(HTTPStatus.BAD_REQUEST, detail, parameter=name[:100])
