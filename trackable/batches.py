"""Batches: what travels from a journal to a fold, and its one wire format.

Version 1, JSON::

    {"v": 1, "id": "<32 hex digits>", "class": "app.PageData", "filtered": 0, "dropped": 0,
     "counts": [["app.page", "2026-11-21", "views", {"42": 3, "43": [10, 2]}], ...]}

``counts`` groups by parent model, period and field. An object has its total, or ``[total,
hits]`` where the two differ; decimals are strings.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Context, Decimal
from hashlib import sha256
from typing import Any, Final

from trackable.counters import Amount
from trackable.exceptions import BadMessage
from trackable.journal import Segment, lines
from trackable.journal.segments import ID_LENGTH, TIME_LENGTH

VERSION: Final = 1
MAX_MESSAGE_BYTES: Final = 64 << 20
#: What is kept of a message that is no batch.
MAX_KEPT_BYTES: Final = 1 << 20
EXACT: Final = Context(prec=200)
#: More than any sum of counters, and little enough to be added up and written in decimals.
INTEGER_BOUND: Final = 10**100
ID_TEXT: Final = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
DECIMAL_TEXT: Final = re.compile(r"-?\d{1,100}(\.\d{1,100})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """The increments of one counter in one batch: their number is ``hits``."""

    parent: str
    object_id: str
    period: str
    field: str
    amount: Amount
    hits: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one segment holds for one data class.

    The id is made of the segment's and the class's, so whoever reads the segment sends the
    same batch.
    """

    id: str
    data_class: str
    entries: tuple[Entry, ...]
    filtered: int = 0
    dropped: int = 0

    @property
    def created_at(self) -> float:
        """Seconds since the epoch at which the segment was opened."""
        return int(self.id[:TIME_LENGTH], 16) / 1000

    @property
    def hits(self) -> int:
        return sum(entry.hits for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that is no batch. Its id is made of its bytes: a redelivery has the same."""

    id: str
    data_class: str
    reason: str
    body: bytes

    @classmethod
    def of(cls, data_class: str, body: bytes, reason: str) -> Malformed:
        identity = sha256(body).hexdigest()[:ID_LENGTH]
        return cls(identity, data_class, reason, body[:MAX_KEPT_BYTES])


def batch_id(segment_id: str, data_class: str) -> str:
    """Return the id of a class's batch: sorts by the segment's time."""
    digest = sha256(f"{segment_id}:{data_class}".encode()).hexdigest()
    return segment_id[:TIME_LENGTH] + digest[: ID_LENGTH - TIME_LENGTH]


def of_segment(segment: Segment) -> tuple[list[Batch], int]:
    """Return the batches of a segment that no longer changes, and its damaged lines.

    Raises ``FileNotFoundError`` if its state has changed since the listing.
    """
    return of_lines(segment.id, segment.read())


def of_lines(segment_id: str, content: bytes) -> tuple[list[Batch], int]:
    """Return the batches in the content of a segment, by data class, and its damaged lines."""
    totals: dict[str, _Totals] = defaultdict(_Totals)
    damaged = 0
    for cells, occurrences in lines.count(content):
        match cells:
            case [str(label), str(parent), str(object_id), str(period), str(field), amount] if (
                isinstance(amount, int | float) or DECIMAL_TEXT.fullmatch(str(amount))
            ):
                totals[label].add((parent, object_id, period, field), amount, occurrences)
            case [str(label), ("filtered" | "dropped") as kind, int(number)]:
                totals[label].tallies[kind] += number * occurrences
            case _:
                damaged += occurrences
    return [totals[label].batch(segment_id, label) for label in sorted(totals)], damaged


class _Totals:
    """Adds up one data class's lines; amounts of different types stay apart."""

    def __init__(self) -> None:
        self.counts: dict[tuple[tuple[str, str, str, str], type], tuple[Any, int]] = {}
        self.tallies = {"filtered": 0, "dropped": 0}

    def add(self, counter: tuple[str, str, str, str], amount: Any, hits: int) -> None:
        amount = Decimal(amount) if isinstance(amount, str) else amount
        key = (counter, type(amount))
        total, before = self.counts.get(key, (type(amount)(), 0))
        self.counts[key] = (plus(total, times(amount, hits)), before + hits)

    def batch(self, segment_id: str, label: str) -> Batch:
        entries = tuple(
            Entry(*counter, amount, hits) for (counter, _), (amount, hits) in self.counts.items()
        )
        return Batch(batch_id(segment_id, label), label, entries, **self.tallies)


def plus(one: Any, other: Any) -> Any:
    """Add two amounts of one type: decimals without rounding, floats without becoming infinite."""
    return EXACT.add(one, other) if isinstance(one, Decimal) else _finite(one + other)


def times(amount: Any, number: int) -> Any:
    """Multiply an amount: decimals without rounding, floats without becoming infinite."""
    if isinstance(amount, Decimal):
        return EXACT.multiply(amount, number)
    return _finite(amount * number)


def _finite(amount: Any) -> Any:
    """An infinite sum could not travel, and would keep everything behind it from travelling."""
    if isinstance(amount, float) and math.isinf(amount):
        return math.copysign(sys.float_info.max, amount)
    return amount


def encode(batch: Batch) -> bytes:
    """Return a batch as it travels."""
    groups: dict[tuple[str, str, str, type], dict[str, Any]] = defaultdict(dict)
    for entry in batch.entries:
        group = groups[entry.parent, entry.period, entry.field, type(entry.amount)]
        total = f"{entry.amount:f}" if isinstance(entry.amount, Decimal) else entry.amount
        short = isinstance(total, int) and total == entry.hits
        group[entry.object_id] = total if short else [total, entry.hits]
    message = {
        "v": VERSION,
        "id": batch.id,
        "class": batch.data_class,
        "filtered": batch.filtered,
        "dropped": batch.dropped,
        "counts": [[*key[:3], objects] for key, objects in groups.items()],
    }
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")


def decode(body: bytes) -> Batch:
    """Return the batch that ``encode`` wrote.

    Raises ``BadMessage`` for everything else; whether the counts fit their data class is for
    the fold to see.
    """
    if len(body) > MAX_MESSAGE_BYTES:
        raise BadMessage(f"{len(body)} bytes are more than a batch can have")
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"no JSON: {error}") from error
    match message:
        case {"v": int(version)} if version != VERSION:
            raise BadMessage(f"version {version!s:.20} is not known here: upgrade the folder")
        case {
            "v": 1,
            "id": str(identity),
            "class": str(label),
            "filtered": filtered,
            "dropped": dropped,
            "counts": list(groups),
        }:
            entries = tuple(_entries(groups))
            return Batch(_id(identity), label, entries, _number(filtered), _number(dropped))
    raise BadMessage("a key is missing or has another type")


def _entries(groups: Iterable[Any]) -> Iterator[Entry]:
    for group in groups:
        match group:
            case [str(parent), str(period), str(field), dict(objects)]:
                for object_id, total in objects.items():
                    amount, hits = _pair(total)
                    yield Entry(parent, object_id, period, field, _amount(amount), _number(hits))
            case _:
                raise BadMessage("a group of counts has another shape")


def _pair(total: Any) -> tuple[Any, Any]:
    match total:
        case [amount, hits]:
            return amount, hits
    return total, total


def _amount(value: Any) -> Amount:
    if isinstance(value, str) and DECIMAL_TEXT.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < INTEGER_BOUND:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise BadMessage(f"{str(value)[:40]!r} is no amount")


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise BadMessage(f"{str(value)[:40]!r} is no number of hits")
    return value


def _id(text: str) -> str:
    if not ID_TEXT.fullmatch(text):
        raise BadMessage(f"{text[:40]!r} is no id of a batch")
    return text
