"""Records: what is emitted to become a row of its own, in the shape in which increments travel.

A record is an object that is counted once, by the one counter of its kind; its id says what it
is to become: ``["<16 hex digits, its own>", {"name": value}]``, JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from trackable.exceptions import BadRecord

#: where an increment has its parent model, its period and its field
PARENT: Final = ""
PERIOD: Final = ""
FIELD: Final = "record"

#: Many times what a record needs. What is longer than a disk's page is split by nobody.
MAX_LENGTH: Final = 8000

_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def cells_of(label: str, values: Mapping[str, Any]) -> tuple[str, str, str, str, str, int]:
    """Return the cells of a record's line. Raises ``BadRecord`` for what cannot travel."""
    try:
        text = _to_json([os.urandom(8).hex(), dict(values)])
    except (TypeError, ValueError, RecursionError) as error:
        raise BadRecord(f"A {label} cannot travel as JSON: {type(error).__name__}.") from error
    if len(text) > MAX_LENGTH:
        # Without the length: a visitor may choose it, and each would be another cause to log.
        raise BadRecord(f"A {label} is too long: its values may take {MAX_LENGTH} characters.")
    return label, PARENT, text, PERIOD, FIELD, 1


def is_record(counter: Sequence[Any]) -> bool:
    """Tell whether what would be counted is a record; its cells are in the order of a line's."""
    return bool(counter[0] == PARENT and counter[3] == FIELD)


def values_of(counter: Sequence[Any]) -> dict[str, Any]:
    """Return what a record says. Raises ``BadRecord`` if it is none."""
    if not is_record(counter):
        raise BadRecord("this is no record, but an increment")
    try:
        match json.loads(counter[1]):
            case [str(), dict(values)]:
                return values
    except (ValueError, RecursionError) as error:
        raise BadRecord(f"no JSON: {error}") from error
    raise BadRecord("a record has another shape")
