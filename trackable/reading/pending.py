"""Pending: what this machine has emitted and no fold has counted yet.

Reads the journal's segments that the ledger does not show as folded, without taking a lock: an
emit or a fold never waits for it. What other machines have emitted is not to be seen from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from trackable import conf, counting
from trackable.batches import Batch
from trackable.counters import counters_of, is_positive
from trackable.counting import KnownLines
from trackable.diversion import receivers
from trackable.folding import ledger
from trackable.folding.aggregate import aggregate
from trackable.folding.chunks import chunked
from trackable.folding.rows import Row, RowCleaner
from trackable.journal import files, segments
from trackable.journal.segments import OPEN, SEALED, SHIPPED, Segment
from trackable.labels import folded_class_of
from trackable.models import TrackableData
from trackable.reading.windows import loaded
from trackable.rollups.boundaries import Start
from trackable.uniques import sketches
from trackable.uniques.fields import uniques_of
from trackable.uniques.pseudonyms import MARK

T = TypeVar("T")

#: How often a query is repeated if a fold has counted something meanwhile.
ATTEMPTS: Final = 5
#: What is kept of segments that were read, so that they are read once: some 20 MB.
MAX_KNOWN_COUNTERS: Final = 50_000
LOOKUP_SIZE: Final = 500


@dataclass(frozen=True, slots=True)
class Pending:
    """What waits for a row: its start (``None`` without a time), and what a fold will add."""

    start: Start | None
    share: Any


@dataclass(frozen=True, slots=True)
class Source:
    """A counter whose increments are looked for: of one object's, or of all objects'.

    ``owner`` are the label of the model and the key of the object, as they travel.
    """

    data_cls: type[TrackableData]
    field: str
    alias: str
    owner: tuple[str, str] | None = None

    def alongside(self, query: Callable[[], T]) -> tuple[T, list[Pending]]:
        """Run a query of the rows; return its result, and what was not folded when it ran.

        It runs again if a fold has counted some of that meanwhile.
        """
        found_own = map(self._only_own, _batches(self.data_cls._meta.label))
        batches = self._unfolded([batch for batch in found_own if batch.counts])
        for _ in range(ATTEMPTS):
            found = query(), self._pending(batches)
            before, batches = batches, self._unfolded(batches)
            if len(batches) == len(before):
                break
        return found

    def _unfolded(self, batches: Sequence[Batch]) -> list[Batch]:
        folded = ledger.shows(self.alias, [batch.id for batch in batches])
        return [batch for batch in batches if batch.id not in folded]

    def _pending(self, batches: Sequence[Batch]) -> list[Pending]:
        cleaner = RowCleaner(self.data_cls, self.alias, is_reading=True)
        rows = cleaner.clean(aggregate(batches).get(self.data_cls._meta.label, {}))
        if self.field in uniques_of(self.data_cls):
            return [self._of(row, sketches.add(b"", row.seen[self.field])) for row in rows]
        if is_positive(counters_of(self.data_cls)[self.field]):
            _stop_at_zero(self, rows)
        return [self._of(row, row.amounts[self.field]) for row in rows]

    def _only_own(self, batch: Batch) -> Batch:
        model, key = self.owner or (None, None)
        of_object = [each for each in batch.counts if key is None or each[1] == key]
        if key is not None and self.data_cls.parent_target() is None:
            of_object = [each for each in of_object if each[0] == model]
        found = [each for each in of_object if each[3].partition(MARK)[0] == self.field]
        return replace(batch, counts={each: batch.counts[each] for each in found})

    def _of(self, row: Row, share: Any) -> Pending:
        start = row.key[-1] if self.data_cls.period is not None else None
        return Pending(None if start is None else loaded(start), share)


def _stop_at_zero(source: Source, rows: Sequence[Row]) -> None:
    """Take no more from a row than it has, as a fold does it."""
    falling = [row for row in rows if row.amounts[source.field] < 0]
    for chunk in chunked(falling, LOOKUP_SIZE):
        names = source.data_cls.key_fields()
        columns = zip(*(row.key for row in chunk), strict=True)
        among = {f"{name}__in": set(values) for name, values in zip(names, columns, strict=True)}
        found = source.data_cls._base_manager.using(source.alias).filter(**among)
        left = {row[:-1]: row[-1] for row in found.values_list(*names, source.field)}
        for row in chunk:
            row.amounts[source.field] = max(row.amounts[source.field], -left.get(row.key, 0))


def _batches(label: str) -> Iterator[Batch]:
    """Yield what the journal has of a data class; in tests with an outbox, what that has."""
    if receivers:
        claimed = (claim.batch for claim in receivers[-1].claims([label]))
        yield from (batch for batch in claimed if isinstance(batch, Batch))
        return
    known = KnownLines()
    found = {s.id: s for s in segments.listing(conf.journal_dir(), OPEN, SEALED, SHIPPED)}
    for gone in _known.keys() - found.keys():
        _known.pop(gone, None)
    for segment in found.values():
        yield from (batch for batch in _read(segment, known) if batch.data_class == label)


#: segment -> its size and the batches of counters in it
_known: dict[str, tuple[int, list[Batch]]] = {}


def _read(segment: Segment, known: KnownLines) -> list[Batch]:
    size_bytes, found = _known.get(segment.id, (-1, []))
    if segment.size_bytes() == size_bytes:
        return found
    content = _content(segment)
    found = [each for each in counting.of_part(segment.id, content, known) if _counts(each)]
    kept = sum(len(batch.counts) for _, batches in list(_known.values()) for batch in batches)
    if kept + sum(len(batch.counts) for batch in found) > MAX_KNOWN_COUNTERS:
        _known.clear()
    _known[segment.id] = len(content), found
    return found


def _counts(batch: Batch) -> bool:
    folded = folded_class_of(batch.data_class)
    return folded is not None and issubclass(folded, TrackableData)


def _content(segment: Segment) -> bytes:
    """Return the whole lines of a segment, in whatever state it is by now."""
    try:
        with suppress(FileNotFoundError):
            content = segment.read()
            return content[: content.rfind(b"\n") + 1] if segment.state == OPEN else content
        with suppress(FileNotFoundError):  # it is folded, and removed
            return segments.content_of(segment.directory, segment.id)
    except OSError as error:
        files.complain(segment.path, error)
    return b""
