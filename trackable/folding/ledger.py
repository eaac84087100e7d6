"""The ledger: which batches are folded, written in the transactions that fold them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from django.apps import apps
from django.db import Error, router
from django.db.models import QuerySet
from django.db.models.functions import Now

from trackable import conf
from trackable.batches import Batch, Malformed
from trackable.exceptions import LedgerRefused
from trackable.folding.chunks import chunked
from trackable.folding.quarantine import MAX_LABEL_LENGTH, MAX_NUMBER, printable
from trackable.models import LedgerEntry, TrackableData

logger = logging.getLogger(__name__)

CHUNK_SIZE: Final = 500
#: Entries outlive the horizon by this, so that clocks may differ.
PRUNING_MARGIN: Final = timedelta(days=1)
PRUNING_INTERVAL_SECONDS: Final = 3600.0


class DatabaseNow(Now):
    """The database's clock. MySQL's ``CURRENT_TIMESTAMP`` has its session's zone, not UTC."""

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)


def alias_of(data_class: str) -> str:
    """Return the database that counts, and keeps the ledger, for a data class."""
    try:
        model = apps.get_model(data_class)
    except (LookupError, ValueError):
        model = LedgerEntry
    return router.db_for_write(model)


def claim(alias: str, group: Sequence[Batch | Malformed]) -> set[str]:
    """Enter batches and return the ids of those that were not there before.

    Raises ``LedgerRefused`` if the database takes an id in silence and does not keep it.

    Another transaction that enters one of them waits until this one ends. The ids go in
    sorted, so that two never wait for each other.
    """
    fold_id = uuid4().hex
    entries = {item.id: _entry(item, fold_id) for item in group}
    manager = LedgerEntry._base_manager.using(alias)
    ordered = [entries[identity] for identity in sorted(entries)]
    manager.bulk_create(ordered, ignore_conflicts=True, batch_size=CHUNK_SIZE)
    claimed = _find(manager.filter(fold_id=fold_id), entries)
    _check(alias, entries.keys() - claimed)
    return claimed


def _check(alias: str, ids: set[str]) -> None:
    """Make sure that what was not entered is there: MySQL's ``INSERT IGNORE`` hides errors."""
    refused = ids - shows(alias, ids)
    if refused:
        raise LedgerRefused(
            f"The ledger takes no entry for batch {min(refused)}: nothing is folded."
        )


def _entry(item: Batch | Malformed, fold_id: str) -> LedgerEntry:
    label = printable(item.data_class, MAX_LABEL_LENGTH)
    entry = LedgerEntry(
        batch_id=item.id, fold_id=fold_id, data_class=label, folded_at=DatabaseNow()
    )
    if isinstance(item, Batch):
        entry.increments = min(item.hits, MAX_NUMBER)
        entry.filtered, entry.dropped = item.filtered, item.dropped
    return entry


def shows(alias: str, ids: Iterable[str]) -> set[str]:
    """Return those of the ids whose batches are folded, and committed."""
    return _find(LedgerEntry._base_manager.using(alias), ids)


def _find(entries: QuerySet[LedgerEntry], ids: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for chunk in chunked(sorted(ids), CHUNK_SIZE):
        found.update(entries.filter(batch_id__in=chunk).values_list("batch_id", flat=True))
    return found


def horizon() -> timedelta:
    """Return the age up to which the ledger can tell a folded batch."""
    return timedelta(seconds=float(conf.get("LEDGER_HORIZON")))


def is_past_horizon(batch: Batch, now: datetime) -> bool:
    """Tell whether a batch is so old that the ledger may have forgotten it."""
    return now.timestamp() - batch.created_at > horizon().total_seconds()


def prune(alias: str) -> int:
    """Forget what is older than the horizon; return the number of entries removed."""
    # By the clock that dated the entries: one that is ahead here would forget too much.
    before = DatabaseNow() - (horizon() + PRUNING_MARGIN)
    old = LedgerEntry._base_manager.using(alias).filter(folded_at__lt=before)
    return old._raw_delete(alias)


def prune_all() -> int:
    """Prune the ledger in each database that counts; return the number of entries removed."""
    counting = (LedgerEntry, TrackableData)
    models = [model for model in apps.get_models() if issubclass(model, counting)]
    return sum(prune(alias) for alias in sorted(set(map(router.db_for_write, models))))


def prune_hourly() -> None:
    """Prune in every database, if this process has not done so within the hour."""
    global _pruned_at
    if time.monotonic() - _pruned_at >= PRUNING_INTERVAL_SECONDS:
        _pruned_at = time.monotonic()
        try:
            prune_all()
        except Error as error:
            logger.warning("The ledger is not pruned this time: %s", error)


_pruned_at = -PRUNING_INTERVAL_SECONDS
