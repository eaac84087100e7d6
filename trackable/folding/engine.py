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
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import chain
from typing import Final

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

from trackable.batches import Batch, Malformed
from trackable.folding import ledger, quarantine, upsert
from trackable.folding.aggregate import aggregate
from trackable.folding.quarantine import Reject
from trackable.folding.rows import Row, RowCleaner, Unfit, data_class, with_each_key_once
from trackable.models import TrackableData

logger = logging.getLogger(__name__)

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
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _fold_once(alias, group)
        except (OperationalError, InterfaceError, IntegrityError) as error:
            if attempt == ATTEMPTS or connections[alias].in_atomic_block:
                raise
            # Nobody knows whether a COMMIT arrived whose answer did not; the ledger will.
            connections[alias].close()
            logger.info("Fold of %s is tried again (%d): %s", data_class_label, attempt, error)
            time.sleep(FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311
    raise AssertionError("the last attempt returns or raises")


def _fold_once(alias: str, group: Sequence[Batch | Malformed]) -> FoldReport:
    now = timezone.now()
    with transaction.atomic(using=alias, durable=True):
        claimed = ledger.claim(alias, group)
        unseen = list({item.id: item for item in group if item.id in claimed}.values())
        foldable, rejects = _sort_out(unseen, now)
        for label, batches in _by_class(foldable).items():
            rejects += _apply(alias, label, batches)
        quarantine.put(alias, rejects, now)
    report = _report(unseen, rejects)
    report.duplicate_batches = len(group) - len(unseen)
    return report


def _sort_out(
    items: Sequence[Batch | Malformed], now: datetime
) -> tuple[list[Batch], list[Reject]]:
    foldable: list[Batch] = []
    rejects: list[Reject] = []
    for item in items:
        if isinstance(item, Malformed):
            rejects.append(Reject.of_malformed(item))
        elif ledger.is_past_horizon(item, now):
            rejects += Reject.of_batch(item, "older than the ledger: it may be counted already")
        else:
            foldable.append(item)
    return foldable, rejects


def _report(unseen: Sequence[Batch | Malformed], rejects: Sequence[Reject]) -> FoldReport:
    counted = [item for item in unseen if isinstance(item, Batch)]
    return FoldReport(
        increments=sum(b.hits for b in counted) - sum(r.increments for r in rejects),
        batches=len(unseen),
        filtered=sum(b.filtered for b in counted),
        dropped=sum(b.dropped for b in counted),
        quarantined=len(rejects),
    )


def _by_class(batches: Sequence[Batch]) -> dict[str, list[Batch]]:
    found: dict[str, list[Batch]] = defaultdict(list)
    for batch in batches:
        found[batch.data_class].append(batch)
    return found


def _apply(alias: str, label: str, batches: Sequence[Batch]) -> list[Reject]:
    """Add up the batches of one class and write the rows; return what is unfit."""
    try:
        cleaner = RowCleaner(data_class(label), alias)
    except Unfit as error:
        unfit = [Reject.of_batch(batch, str(error)) for batch in batches if batch.entries]
        return list(chain.from_iterable(unfit))
    rows = cleaner.clean(aggregate(batches)[label])
    if cleaner.has_bad_amounts and len(batches) > 1:
        # A bad amount spoils the sum that it is part of: apart, it is alone.
        return [reject for batch in batches for reject in _apply(alias, label, [batch])]
    for part in with_each_key_once(rows):
        cleaner.rejects += _add(alias, cleaner.data_cls, part)
    return cleaner.rejects


def _add(alias: str, data_cls: type[TrackableData], rows: Sequence[Row]) -> list[Reject]:
    """Upsert the rows; where the database refuses, halve until the culprit is alone."""
    if not rows:
        return []
    try:
        with transaction.atomic(using=alias):
            upsert.add(alias, data_cls, rows)
    except (DatabaseError, OverflowError) as error:
        if not _is_of_a_row(error):
            raise
        parts = [rows[: len(rows) // 2], rows[len(rows) // 2 :]] if rows[1:] else rows[0].by_field()
        if len(parts) > 1:
            return [reject for part in parts for reject in _add(alias, data_cls, part)]
        reason = f"the database refuses it: {error}"
        return rows[0].rejects(data_cls, reason)
    return []


def _is_of_a_row(error: Exception) -> bool:
    """Tell whether fewer rows at once may help."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    of_values = isinstance(error, DataError | IntegrityError | OverflowError)
    return of_values or state == CARDINALITY_VIOLATION
