"""The ledger: which batches are folded, written in the transactions that fold them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from django.db import Error, router
from django.db.models import FloatField, Func, QuerySet
from django.db.models.functions import Now

from trackable import conf
from trackable.batches import Batch, Malformed, id_time
from trackable.exceptions import LedgerRefused
from trackable.folding.chunks import chunked
from trackable.folding.quarantine import MAX_LABEL_LENGTH, MAX_NUMBER, storable
from trackable.labels import folded_class_of, folded_classes
from trackable.models import LedgerEntry
from trackable.uniques import rotations

logger = logging.getLogger(__name__)

CHUNK_SIZE: Final = 500
#: Entries outlive the horizon by this, so that a database's clock may be set, or be another's.
PRUNING_MARGIN: Final = timedelta(days=1)
PRUNING_INTERVAL_SECONDS: Final = 3600.0


class DatabaseNow(Now):
    """The database's clock. MySQL's ``CURRENT_TIMESTAMP`` has its session's zone, not UTC."""

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="UTC_TIMESTAMP(6)", **context)


class DatabaseSeconds(Func):
    """The database's clock, in seconds since the epoch, whatever the zones of both are."""

    output_field = FloatField()

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **context: Any) -> Any:
        # SQLite's clock is that of the machine it runs on, which is this one.
        return "%s", (time.time(),)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "EXTRACT(EPOCH FROM STATEMENT_TIMESTAMP())::float8"
        return super().as_sql(compiler, connection, template=template, **context)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return super().as_sql(compiler, connection, template="UNIX_TIMESTAMP()", **context)


def alias_of(data_class: str) -> str:
    """Return the database that counts, and keeps the ledger, for a data class."""
    return router.db_for_write(folded_class_of(data_class) or LedgerEntry)


def aliases() -> list[str]:
    """Return the databases that count, each of which keeps a ledger."""
    counting = map(router.db_for_write, folded_classes())
    return sorted({router.db_for_write(LedgerEntry), *counting})


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
    label = storable(item.data_class, MAX_LABEL_LENGTH)
    entry = LedgerEntry(
        batch_id=item.id, fold_id=fold_id, data_class=label, folded_at=DatabaseNow()
    )
    if isinstance(item, Batch):
        entry.increments = min(item.hits, MAX_NUMBER)
        entry.filtered, entry.dropped, entry.damaged = item.filtered, item.dropped, item.damaged
    return entry


def shows(alias: str, ids: Iterable[str]) -> set[str]:
    """Return those of the ids whose batches are folded, and committed."""
    return _find(LedgerEntry._base_manager.using(alias), ids)


def _find(entries: QuerySet[LedgerEntry], ids: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for chunk in chunked(sorted(ids), CHUNK_SIZE):
        found.update(entries.filter(batch_id__in=chunk).values_list("batch_id", flat=True))
    return found


def never() -> datetime:
    """Return the date of entries that must not be pruned: after every horizon."""
    return datetime(9000, 1, 1, tzinfo=UTC if settings.USE_TZ else None)


def horizon() -> timedelta:
    """Return the age up to which the ledger can tell a folded batch."""
    return timedelta(seconds=float(conf.get("LEDGER_HORIZON")))


def clock(rows: QuerySet[Any]) -> float:
    """Return the time by the clock of the database that has the rows, which dates the ledger.

    In seconds since the epoch. Without a row, by the clock of this machine.
    """
    seconds = rows.order_by().values_list(DatabaseSeconds(), flat=True)[:1]
    return next((float(each) for each in seconds), time.time())


def judged_at(alias: str, claimed: Iterable[Batch | Malformed]) -> float:
    """Return the time, in seconds, by which to judge whether what was claimed is too old.

    By ``clock``, unless this machine's clock says that all of it is of this day: the query is
    spared then, and that clock would have to be wrong by the horizon to have two count one batch.
    """
    now, margin = time.time(), PRUNING_MARGIN.total_seconds()
    batches = [item for item in claimed if isinstance(item, Batch)]
    odd = [batch.id for batch in batches if abs(now - batch.created_at) > margin]
    return clock(LedgerEntry._base_manager.using(alias).filter(pk__in=odd[:1])) if odd else now


def is_past_horizon(batch: Batch, seconds: float) -> bool:
    """Tell whether a batch is so old that the ledger may have forgotten it by then.

    The time must be of ``clock``, or ``judged_at``: by another one it may be pruned already.
    """
    return seconds - batch.created_at > horizon().total_seconds()


def prune(alias: str) -> int:
    """Forget what is older than the horizon; return the number of entries removed.

    The secrets of distinct counts go too, once nothing that is as old can be counted. What a
    machine has sent whose clock was ahead is remembered until its time has passed. All by the
    database's clock: one that is ahead here would forget too much.
    """
    age = horizon() + PRUNING_MARGIN
    seconds = clock(LedgerEntry._base_manager.using(alias)) - age.total_seconds()
    rotations.forget(alias, datetime.fromtimestamp(seconds, UTC))
    entries = LedgerEntry._base_manager.using(alias).filter(folded_at__lt=DatabaseNow() - age)
    earliest_kept = id_time(clock(entries) - age.total_seconds())
    return entries.filter(batch_id__lt=earliest_kept)._raw_delete(alias)


def prune_all() -> int:
    """Prune the ledger in each database that counts; return the number of entries removed.

    Raises what Django raises if one fails, once the others are pruned.
    """
    removed = 0
    errors: list[Error] = []
    for alias in aliases():
        try:
            removed += prune(alias)
        except Error as error:
            logger.warning("The ledger in %r is not pruned this time: %s", alias, error)
            errors.append(error)
    if errors:
        raise errors[0]
    return removed


def prune_hourly() -> None:
    """Prune in every database, if this process has not done so within the hour."""
    global _pruned_at
    if time.monotonic() - _pruned_at >= PRUNING_INTERVAL_SECONDS:
        _pruned_at = time.monotonic()
        with suppress(Error):  # it is logged
            prune_all()


_pruned_at = -PRUNING_INTERVAL_SECONDS
