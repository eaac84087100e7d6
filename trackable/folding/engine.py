"""The engine: folds a group of batches in one transaction.

In it: the ids go into the ledger, batches whose id was there are skipped, the others become one
delta for each row and field, the rows are upserted, the unfit is set aside. A crash before the
commit changes nothing; after it, the ledger knows the batch when it comes again.
"""

from __future__ import annotations

import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from typing import Final, TypeVar

from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    connections,
    transaction,
)
from django.utils import timezone

from trackable import filtering, mirrors
from trackable.batches import Batch, Entry, Malformed
from trackable.exceptions import BadSketch
from trackable.folding import (
    announcing,
    garbage,
    ledger,
    overflows,
    quarantine,
    records,
    schema,
    upsert,
)
from trackable.folding.aggregate import aggregate
from trackable.folding.quarantine import Reject
from trackable.folding.rows import Row, RowCleaner, with_each_key_once
from trackable.labels import folded_class_of
from trackable.models import TrackableData, TrackableRecord
from trackable.uniques import writing

logger = logging.getLogger(__name__)

T = TypeVar("T")

ATTEMPTS: Final = 6
FIRST_PAUSE_SECONDS: Final = 0.05
#: PostgreSQL's: two keys of one statement are the same row, as under a case-insensitive collation.
CARDINALITY_VIOLATION: Final = "21000"


@dataclass(slots=True)
class FoldReport:
    """What a fold did: numbers of increments, and of batches where the name says so."""

    increments: int = 0
    batches: int = 0
    duplicate_batches: int = 0
    filtered: int = 0
    dropped: int = 0
    damaged: int = 0
    quarantined: int = 0

    def __iadd__(self, other: FoldReport) -> FoldReport:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        return self


def fold(data_class_label: str, group: Sequence[Batch | Malformed]) -> FoldReport:
    """Fold batches of one data class, each exactly once whatever was folded before.

    Deadlocks, serialisation failures and lost connections are tried again; if that does not
    help, raises what Django raises (a ``django.db.Error``), and nothing is folded. Raises
    ``RuntimeError`` in a transaction of the caller's, whose rollback would undo what is
    acknowledged.
    """
    alias = ledger.alias_of(data_class_label)
    what = f"The fold of {data_class_label!a}"
    return try_until_committed(alias, what, lambda: _fold_once(alias, group))


def try_until_committed(alias: str, what: str, action: Callable[[], T]) -> T:
    """Do what is a transaction and can be done again; do it again after errors that may pass.

    Raises what Django raises if they do not pass.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return action()
        except (OperationalError, InterfaceError, IntegrityError) as error:
            if attempt == ATTEMPTS or connections[alias].in_atomic_block:
                raise
            # Nobody knows whether a COMMIT arrived whose answer did not; the ledger will.
            connections[alias].close()
            logger.info("%s is tried again (%d): %s", what, attempt, ascii(str(error)))
            time.sleep(FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
    raise AssertionError("the last attempt returns or raises")


def _fold_once(alias: str, group: Sequence[Batch | Malformed]) -> FoldReport:
    now = timezone.now()
    with transaction.atomic(using=alias, durable=True):
        claimed = ledger.claim(alias, _first_of_each(group))
        unseen = [item for item in _first_of_each(group) if item.id in claimed]
        foldable, rejects = _sort_out(unseen, ledger.judged_at(alias, unseen))
        for label, batches in _by_class(foldable).items():
            rejects += apply(alias, label, batches)
        quarantine.put(alias, rejects, now)
    report = _report(unseen, rejects)
    report.duplicate_batches = len(group) - len(unseen)
    announcing.tell(alias, foldable, rejects)
    return report


def _first_of_each(group: Sequence[Batch | Malformed]) -> list[Batch | Malformed]:
    """Return the first item of each id: it counts, whatever others of that id say."""
    return list({item.id: item for item in reversed(group)}.values())[::-1]


def _sort_out(
    items: Sequence[Batch | Malformed], seconds: float
) -> tuple[list[Batch], list[Reject]]:
    foldable: list[Batch] = []
    rejects: list[Reject] = []
    for item in items:
        if isinstance(item, Malformed):
            rejects.append(Reject.of_malformed(item))
        elif ledger.is_past_horizon(item, seconds):
            rejects += Reject.of_batch(item, quarantine.OLDER)
        else:
            foldable.append(item)
    return foldable, rejects


def _report(unseen: Sequence[Batch | Malformed], rejects: Sequence[Reject]) -> FoldReport:
    counted = [item for item in unseen if isinstance(item, Batch)]
    return FoldReport(
        increments=_increments(counted, rejects),
        batches=len(unseen),
        filtered=sum(b.filtered for b in counted),
        dropped=sum(b.dropped for b in counted),
        damaged=sum(b.damaged for b in counted),
        quarantined=len(rejects),
    )


def _increments(counted: Sequence[Batch], rejects: Sequence[Reject]) -> int:
    """Return how many were applied; a hit that was filtered is no increment of anybody's."""
    came = sum(batch.hits for batch in counted if batch.data_class != filtering.LABEL)
    return came - sum(e.increments for e in rejects if e.data_class != filtering.LABEL)


def _by_class(batches: Sequence[Batch]) -> dict[str, list[Batch]]:
    found: dict[str, list[Batch]] = defaultdict(list)
    for batch in batches:
        found[batch.data_class].append(batch)
    return found


def apply(alias: str, label: str, batches: Sequence[Batch]) -> list[Reject]:
    """Add up the batches of one class and write the rows; return what is unfit.

    Must run in a transaction, which also keeps what tells that the batches are counted.
    """
    data_cls = folded_class_of(label)
    if data_cls is None:
        reason = f"there is no data class {label[:100]!r}"
        unfit = [Reject.of_batch(batch, reason) for batch in batches if batch.counts]
        return list(chain.from_iterable(unfit))
    if issubclass(data_cls, TrackableRecord):
        return records.apply(alias, data_cls, batches)
    cleaner = RowCleaner(data_cls, alias)
    with garbage.paused():
        rows = cleaner.clean(aggregate(batches)[label])
    if cleaner.bad_amounts and len(batches) > 1:
        # A bad amount spoils the sum that it is part of: apart, it is alone.
        sound, bad = _split(batches, cleaner.spoils)
        if not bad:
            sound, bad = _split(batches, cleaner.is_part_of_bad)
        groups = [sound, *([batch] for batch in bad)]
        return [reject for group in groups for reject in apply(alias, label, group)]
    for part in with_each_key_once(rows):
        cleaner.rejects += _add(alias, data_cls, part)
    return cleaner.rejects


def _split(
    batches: Sequence[Batch], is_bad: Callable[[Entry], bool]
) -> tuple[list[Batch], list[Batch]]:
    """Return the batches without the entries that are bad, and these, batch by batch."""
    sound: list[Batch] = []
    bad: list[Batch] = []
    for batch in batches:
        found = {entry.counter for entry in batch.entries if is_bad(entry)}
        sound.append(batch.only(batch.counts.keys() - found))
        if found:
            bad.append(batch.only(found))
    return sound, bad


def _add(alias: str, data_cls: type[TrackableData], rows: Sequence[Row]) -> list[Reject]:
    """Upsert the rows; where the database refuses, without those at fault."""
    error = _refusal(alias, data_cls, rows)
    if error is None:
        return []
    if isinstance(error, IntegrityError) and schema.demands_more(alias, data_cls):
        raise error
    fit, rejects = overflows.take_out(upsert.Target.of(alias, data_cls), rows)
    return rejects + _add_halves(alias, data_cls, fit)


def _add_halves(alias: str, data_cls: type[TrackableData], rows: Sequence[Row]) -> list[Reject]:
    """Upsert the rows; where the database refuses, halve until the culprit is alone."""
    error = _refusal(alias, data_cls, rows)
    if error is None:
        return []
    parts = [rows[: len(rows) // 2], rows[len(rows) // 2 :]] if rows[1:] else rows[0].by_field()
    if len(parts) > 1:
        return [reject for part in parts for reject in _add_halves(alias, data_cls, part)]
    return rows[0].rejects(data_cls, f"the database refuses it: {error}")


def _refusal(alias: str, data_cls: type[TrackableData], rows: Sequence[Row]) -> Exception | None:
    """Upsert the rows, all or none; return why the database refuses some of them.

    Raises what is not of the rows.
    """
    try:
        with transaction.atomic(using=alias):
            if rows:
                upsert.add(alias, data_cls, rows)
                writing.add(alias, data_cls, rows)
                mirrors.show(alias, data_cls, rows)
    except (DatabaseError, OverflowError, BadSketch) as error:
        if not _is_of_a_row(error):
            raise
        return error
    return None


def _is_of_a_row(error: Exception) -> bool:
    """Tell whether fewer rows at once may help."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    of_values = isinstance(error, DataError | IntegrityError | OverflowError | BadSketch)
    return of_values or state == CARDINALITY_VIOLATION
