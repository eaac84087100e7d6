"""Journal lines: one increment each, canonical, with its checksum.

``<crc32, 8 hex digits> <JSON array>\n``, ASCII. An increment is ``[data class, parent model,
object id, period, field, amount]``; a tally, of hits that were not counted, is ``[data class,
kind, number]``. The same increment gives the same bytes, so a segment is counted as raw lines
before any of them is decoded.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final
from zlib import crc32

CRC_LENGTH: Final = 9
#: after the checksum of a line, also in the middle of what a line end is missing from
_BEGINNING: Final = re.compile(rb" \[(?<=[0-9a-f]{8} \[)")
#: What is split at once: a file may be longer than any that is ours.
_CHUNK_BYTES: Final = 1 << 20

_to_json = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_from_json = json.JSONDecoder().raw_decode


@lru_cache(maxsize=16_384)
def encode(*cells: str | int | float) -> bytes:
    """Return the line of an increment or a tally."""
    payload = _to_json(cells).encode("ascii")
    return b"%08x %b\n" % (crc32(payload), payload)


def encode_once(*cells: str | int | float) -> bytes:
    """Return a line that will not be asked for again."""
    return encode.__wrapped__(*cells)


def decode(line: bytes) -> list[Any] | None:
    """Return the cells of a line without its line end, or ``None`` if it is damaged."""
    payload = line[CRC_LENGTH:]
    try:
        if int(line[: CRC_LENGTH - 1], 16) != crc32(payload):
            return None
        text = payload.decode("ascii")
        cells, end = _from_json(text)
    except (ValueError, RecursionError):
        return None
    return cells if isinstance(cells, list) and end == len(text) else None


def count(segment: bytes, read: Callable[[bytes], Any] = decode) -> Iterator[tuple[Any, int]]:
    """Yield each different line, as ``read`` decodes it, with its number of occurrences.

    A damaged line comes as ``None``, and so does half a line at the end: a write is whole or
    taken back, so the machine has died in the middle of it, or the file was cut. What follows
    half a line without a line end is found again.
    """
    found = Counter[bytes]()
    for chunk in _chunks(segment):
        found.update(chunk.split(b"\n"))
    for line, occurrences in found.items():
        meaning = read(line)
        if meaning is not None:
            yield meaning, occurrences
            continue
        for part in _parts(line):
            yield read(part) if part != line else None, occurrences


def _chunks(segment: bytes) -> Iterator[bytes]:
    """Yield whole lines, many at once, without the last one's end."""
    start = 0
    while start < len(segment):
        end = segment.rfind(b"\n", start, start + _CHUNK_BYTES)
        if end < 0:
            end = segment.find(b"\n", start)
        if end < 0:
            end = len(segment)
        yield segment[start:end]
        start = end + 1


def _parts(damaged: bytes) -> Iterator[bytes]:
    """Yield what may each be a line: they begin with the checksums that are left."""
    start = 0
    for beginning in _BEGINNING.finditer(damaged):
        end = beginning.start() - CRC_LENGTH + 1
        if end > start:
            yield damaged[start:end]
            start = end
    yield damaged[start:]
