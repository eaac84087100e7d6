"""Counting: what the lines of a segment add up to, as one batch for each data class."""

from __future__ import annotations

import math
from collections import defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from trackable.amounts import times
from trackable.batches import (
    DAMAGED,
    DECIMAL_TEXT,
    Batch,
    Counter,
    Total,
    add,
    batch_id,
    total_of,
)
from trackable.counters import Amount
from trackable.journal import Segment, lines, segments
from trackable.records import is_record
from trackable.uniques.pseudonyms import MARK

#: Of one line: so many of them that no segment has them still add up to what may travel.
ADDEND_BOUND: Final = 10**90
TALLY_BOUND: Final = 1 << 40
#: A usual line that is known takes some 500 bytes. Long ones and what is damaged are not kept.
MAX_KNOWN_LINES: Final = 100_000
MAX_KNOWN_LENGTH: Final = 500
MAX_KNOWN_SEGMENTS: Final = 4096

#: What a line says: its data class, the counter or the kind of tally, and the amount.
Meaning = tuple[str, Counter | str, Amount]
TALLIES: Final = ("filtered", "dropped")
DAMAGE: Final = (DAMAGED, "damaged", 1)


class KnownLines(dict[bytes, Meaning]):
    """What lines say, worked out once for all segments that are read with it."""

    def __missing__(self, line: bytes) -> Meaning | None:
        if len(self) >= MAX_KNOWN_LINES:
            self.clear()
        meaning = _meaning_of(line)
        if meaning is not None and len(line) <= MAX_KNOWN_LENGTH and not _comes_once(meaning):
            self[line] = meaning
        return meaning


def _comes_once(meaning: Meaning) -> bool:
    what = meaning[1]
    return not isinstance(what, str) and (is_record(what) or MARK in what[3])


def _meaning_of(line: bytes) -> Meaning | None:
    """Work out what a line says; of a line that is whole, and says nothing, that it is damaged.

    Without ``match``, which takes three times as long.
    """
    cells = lines.decode(line)
    if cells is None:
        return None
    if {*map(type, cells[:-1])} == {str}:
        if len(cells) == 6 and _is_addend(cells[5]):
            label, *counter, amount = cells
            exact = Decimal(amount) if isinstance(amount, str) else amount
            return label, (*counter, type(exact)), exact
        if len(cells) == 3 and cells[1] in TALLIES and _is_number(cells[2]):
            label, kind, number = cells
            return label, kind, number
    return DAMAGE


def _is_addend(amount: Any) -> bool:
    """Tell whether a line's amount can be added up and travel: one that cannot would stop all."""
    if isinstance(amount, str):
        # copy_abs, as abs rounds: by the context of whoever reads
        is_decimal = DECIMAL_TEXT.fullmatch(amount) is not None
        return is_decimal and Decimal(amount).copy_abs() < ADDEND_BOUND
    if isinstance(amount, float):
        return math.isfinite(amount)
    return type(amount) is int and abs(amount) < ADDEND_BOUND


def _is_number(number: Any) -> bool:
    return type(number) is int and 0 <= number < TALLY_BOUND


def of_segment(segment: Segment, known: KnownLines | None = None) -> list[Batch]:
    """Return the batches of a segment that no longer changes.

    Raises ``FileNotFoundError`` if its state has changed since the listing.
    """
    return of_lines(segment.id, segment.read(), known)


def of_lines(segment_id: str, content: bytes, known: KnownLines | None = None) -> list[Batch]:
    """Return the batches in the content of a segment, by data class.

    Damaged lines are lost; a batch of their own, of the class ``DAMAGED``, has their number.
    """
    found = of_part(segment_id, content, known)
    _remember(segment_id, found)
    return found


def of_part(segment_id: str, content: bytes, known: KnownLines | None = None) -> list[Batch]:
    """Return what the batches of a segment are so far, to which lines may still be appended."""
    totals: dict[str, _Totals] = defaultdict(_Totals)
    meaning_of = (KnownLines() if known is None else known).__getitem__
    for meaning, occurrences in lines.count(content, meaning_of):
        label, what, amount = meaning or DAMAGE
        totals[label].add(what, amount, occurrences)
    return [totals[label].batch(segment_id, label) for label in sorted(totals)]


class _Totals:
    """Adds up one data class's lines."""

    def __init__(self) -> None:
        self.counts: dict[Counter, Total] = {}
        self.tallies = {"filtered": 0, "dropped": 0, "damaged": 0}

    def add(self, what: Counter | str, amount: Any, occurrences: int) -> None:
        if isinstance(what, str):
            self.tallies[what] += amount * occurrences
        else:
            add(self.counts, what, total_of(times(amount, occurrences), occurrences))

    def batch(self, segment_id: str, label: str) -> Batch:
        return Batch(batch_id(segment_id, label), label, self.counts, **self.tallies)


Ids = tuple[tuple[str, str], ...]
#: segment -> the data classes and ids of its batches
_ids: dict[str, Ids] = {}


def batch_ids(directory: Path, segment_id: str) -> Ids:
    """Return the data classes and ids of a segment's batches, reading it if that is not known.

    Raises ``FileNotFoundError`` if it has been removed, and what else the disk raises.
    """
    known = _ids.get(segment_id)
    if known is not None:
        return known
    content = segments.content_of(directory, segment_id)
    return _remember(segment_id, of_lines(segment_id, content))


def _remember(segment_id: str, found: list[Batch]) -> Ids:
    if len(_ids) >= MAX_KNOWN_SEGMENTS:
        _ids.clear()
    ids = _ids[segment_id] = tuple((batch.data_class, batch.id) for batch in found)
    return ids
