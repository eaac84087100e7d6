"""Batches: what travels from a journal to a fold, and its one wire format.

Version 1, JSON::

    {"v": 1, "id": "<32 hex digits>", "class": "app.PageData", "filtered": 0, "dropped": 0,
     "damaged": 0, "counts": [["app.page", "2026-11-21", "views", {"42": 3, "43": [10, 2]}], ...]}

``counts`` groups by parent model, period and field. An object has its total, or ``[total,
hits]`` where the two differ; decimals are strings. ``damaged`` may be left out.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final, NamedTuple

from trackable.amounts import plus
from trackable.counters import Amount
from trackable.exceptions import BadMessage
from trackable.journal.segments import ID_LENGTH, TIME_LENGTH

VERSION: Final = 1
MAX_MESSAGE_BYTES: Final = 64 << 20
#: Of commas and colons: an entry has two or three, and takes up to 2 kB of memory in a fold.
MAX_MARKS: Final = 1 << 20
#: What is kept of a message that is no batch.
MAX_KEPT_BYTES: Final = 1 << 20
STRING: Final = re.compile(rb'"[^"]*"?')
#: The class of the batch that tells of a segment's damaged lines: theirs cannot be known.
DAMAGED: Final = "trackable.Damaged"
#: More than any sum of counters, and little enough to be added up and written in decimals.
INTEGER_BOUND: Final = 10**100
ID_TEXT: Final = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")
MAX_HITS: Final = (1 << 63) - 1
DECIMAL_TEXT: Final = re.compile(r"-?\d{1,100}(\.\d{1,100})?", re.ASCII)


#: Parent model, object id, period, field and type of amount: of these the amounts add up.
Counter = tuple[str, str, str, str, type]
#: What was added to a counter: (amount, number of increments), or the number where they are equal.
#: Batches hold many, so the usual one is no object of its own.
Total = int | tuple[Amount, int]


class Entry(NamedTuple):
    """The increments of one counter in one batch: their number is ``hits``."""

    parent: str
    object_id: str
    period: str
    field: str
    amount: Amount
    hits: int

    @property
    def counter(self) -> Counter:
        return (*self[:4], type(self.amount))


@dataclass(frozen=True, slots=True)
class Batch:
    """What one segment holds for one data class.

    The id is made of the segment's and the class's, so whoever reads the segment sends the
    same batch.
    """

    id: str
    data_class: str
    counts: Mapping[Counter, Total] = field(default_factory=dict)
    filtered: int = 0
    dropped: int = 0
    damaged: int = 0

    @classmethod
    def of(
        cls,
        identity: str,
        data_class: str,
        entries: Iterable[Entry],
        filtered: int = 0,
        dropped: int = 0,
        damaged: int = 0,
    ) -> Batch:
        """Return a batch of entries."""
        counts: dict[Counter, Total] = {}
        for entry in entries:
            add(counts, entry.counter, total_of(entry.amount, entry.hits))
        return cls(identity, data_class, counts, filtered, dropped, damaged)

    def only(self, counters: Collection[Counter]) -> Batch:
        """Return the batch with some of its counters."""
        kept = {key: total for key, total in self.counts.items() if key in counters}
        return replace(self, counts=kept)

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(Entry(*key[:4], *pair_of(total)) for key, total in self.counts.items())

    @property
    def created_at(self) -> float:
        """Seconds since the epoch at which the segment was opened."""
        return int(self.id[:TIME_LENGTH], 16) / 1000

    @property
    def hits(self) -> int:
        return sum(total if isinstance(total, int) else total[1] for total in self.counts.values())


def total_of(amount: Amount, hits: int) -> Total:
    """Return what so many increments add up to, in the shortest form."""
    return hits if type(amount) is int and amount == hits else (amount, hits)


def pair_of(total: Total) -> tuple[Amount, int]:
    """Return a total as amount and number of increments."""
    return (total, total) if isinstance(total, int) else total


def add(counts: dict[Counter, Total], counter: Counter, total: Total) -> None:
    """Add to the total of a counter."""
    before = counts.get(counter)
    if before is None:
        counts[counter] = total
    elif isinstance(before, int) and isinstance(total, int):
        counts[counter] = before + total
    else:
        (one, its_hits), (other, more_hits) = pair_of(before), pair_of(total)
        counts[counter] = total_of(plus(one, other), its_hits + more_hits)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that is no batch. Its id is made of its bytes: a redelivery has the same.

    No batch has such an id: it begins with the earliest time there is.
    """

    id: str
    data_class: str
    reason: str
    body: bytes

    @classmethod
    def of(cls, data_class: str, body: bytes, reason: str) -> Malformed:
        identity = id_time(0) + sha256(body).hexdigest()[: ID_LENGTH - TIME_LENGTH]
        return cls(identity, data_class, reason, body[:MAX_KEPT_BYTES])


def id_time(seconds: float) -> str:
    """Return what the ids of batches begin with whose segments were opened at a time.

    The time is in seconds since the epoch.
    """
    return f"{max(int(seconds * 1000), 0):0{TIME_LENGTH}x}"


def batch_id(segment_id: str, data_class: str) -> str:
    """Return the id of a class's batch: sorts by the segment's time."""
    # Half characters too: a line that somebody else has written must not stop the others.
    text = f"{segment_id}:{data_class}".encode("utf-8", "surrogatepass")
    digest = sha256(text).hexdigest()
    return segment_id[:TIME_LENGTH] + digest[: ID_LENGTH - TIME_LENGTH]


def encode(batch: Batch) -> bytes:
    """Return a batch as it travels."""
    groups: dict[tuple[str, str, str, type], dict[str, Any]] = defaultdict(dict)
    for (parent, object_id, period, name, kind), total in batch.counts.items():
        groups[parent, period, name, kind][object_id] = _as_json(total)
    message = {
        "v": VERSION,
        "id": batch.id,
        "class": batch.data_class,
        "filtered": batch.filtered,
        "dropped": batch.dropped,
        "damaged": batch.damaged,
        "counts": [[*key[:3], objects] for key, objects in groups.items()],
    }
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")


def _as_json(total: Total) -> Any:
    match total:
        case (Decimal() as amount, hits):
            return [f"{amount:f}", hits]
    return total


def decode(body: bytes) -> Batch:
    """Return the batch that ``encode`` wrote.

    Raises ``BadMessage`` for everything else; whether the counts fit their data class is for
    the fold to see.
    """
    if len(body) > MAX_MESSAGE_BYTES:
        raise BadMessage(f"{len(body)} bytes are more than a batch can have")
    if _is_overfull(body):
        raise BadMessage(f"more entries in {len(body)} bytes than a batch can have")
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
            tallies = map(_number, (filtered, dropped, message.get("damaged", 0)))
            return Batch(_id(identity), label, _counts(groups), *tallies)
    raise BadMessage("a key is missing or has another type")


def _is_overfull(body: bytes) -> bool:
    """Tell whether a message has more entries than a batch can have, without reading it."""
    if _marks(body) <= MAX_MARKS:
        return False
    # An object id may have such marks too, and each is a string.
    return body.count(b'"') > MAX_MARKS or _marks(_without_strings(body)) > MAX_MARKS


def _marks(text: bytes) -> int:
    return text.count(b",") + text.count(b":")


def _without_strings(body: bytes) -> bytes:
    return STRING.sub(b"", body.replace(b"\\\\", b"").replace(b'\\"', b""))


def _counts(groups: Iterable[Any]) -> dict[Counter, Total]:
    counts: dict[Counter, Total] = {}
    for group in groups:
        match group:
            case [str(parent), str(period), str(name), dict(objects)]:
                for object_id, value in objects.items():
                    amount, hits = _pair(value)
                    counter = (parent, object_id, period, name, type(amount))
                    is_again = counter in counts  # in somebody else's batch
                    add(counts, counter, total_of(amount, hits))
                    if is_again:
                        counts[counter] = _bounded(counts[counter])
            case _:
                raise BadMessage("a group of counts has another shape")
    return counts


def _pair(value: Any) -> tuple[Amount, int]:
    if type(value) is int:
        return _number(value), value
    match value:
        case [amount, hits]:
            return _amount(amount), _number(hits)
    return _amount(value), _number(value)


def _bounded(total: Total) -> Total:
    """Return a sum that can travel, as what it was made of. Raises ``BadMessage``."""
    amount, hits = pair_of(total)
    amount = _amount(f"{amount:f}" if isinstance(amount, Decimal) else amount)
    return total_of(amount, min(hits, MAX_HITS))


def _amount(value: Any) -> Amount:
    if isinstance(value, str) and DECIMAL_TEXT.fullmatch(value):
        return Decimal(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < INTEGER_BOUND:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise BadMessage(f"{str(value)[:40]!r} is no amount")


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_HITS:
        raise BadMessage(f"{str(value)[:40]!r} is no number of hits")
    return value


def _id(text: str) -> str:
    if not ID_TEXT.fullmatch(text):
        raise BadMessage(f"{text[:40]!r} is no id of a batch")
    return text
