"""Journal lines: one increment each, canonical, with its checksum.

``<crc32, 8 hex digits> <JSON array>\n``, ASCII. An increment is ``[data class, parent model,
object id, period, field, amount]``; a tally, of hits that were not counted, is ``[data class,
kind, number]``. The same increment gives the same bytes, so a segment is counted as raw lines
before any of them is decoded.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final
from zlib import crc32

CRC_LENGTH: Final = 9

_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


@lru_cache(maxsize=16_384)
def encode(*cells: str | int | float) -> bytes:
    """Return the line of an increment or a tally."""
    payload = _to_json(cells).encode("ascii")
    return b"%08x %b\n" % (crc32(payload), payload)


def count(segment: bytes) -> Iterator[tuple[list[Any] | None, int]]:
    """Yield each different line of a segment, decoded, with its number of occurrences.

    A damaged line comes as ``None``. What follows the last line end was never acknowledged:
    its writer died in the middle of it.
    """
    whole, _, _torn = segment.rpartition(b"\n")
    if whole:
        for line, occurrences in Counter(whole.split(b"\n")).items():
            yield decode(line), occurrences


def decode(line: bytes) -> list[Any] | None:
    """Return the cells of a line without its line end, or ``None`` if it is damaged."""
    payload = line[CRC_LENGTH:]
    try:
        if int(line[: CRC_LENGTH - 1], 16) != crc32(payload):
            return None
        cells = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return cells if isinstance(cells, list) else None
