"""Filtered hits: by which pattern visitors were taken for crawlers, counted out of band as well."""

from __future__ import annotations

from typing import Final

from trackable.journal import lines
from trackable.periods import encode_start

#: The data class, and the model whose rows have such patterns too; others are built in.
LABEL: Final = "trackable.FilteredHits"
PARENT: Final = "trackable.Spider"
PERIOD: Final = "day"
FIELD: Final = "hits"
#: What its column holds; SQLite takes longer patterns, and their hits must not fill a quarantine.
MAX_LENGTH: Final = 255


def line_of(pattern: str) -> bytes:
    """Return the journal's line for a hit of today that a pattern kept out."""
    shown = pattern[:MAX_LENGTH]
    return lines.encode(LABEL, PARENT, shown, encode_start(PERIOD, None), FIELD, 1)
