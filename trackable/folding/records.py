"""Records in a fold: each becomes a row; those that cannot are set aside by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import InterfaceError, OperationalError, transaction

from trackable.batches import Batch, Entry
from trackable.exceptions import BadRecord
from trackable.folding.quarantine import Reject
from trackable.models import TrackableRecord
from trackable.records import values_of

#: PostgreSQL's class of errors: a value is longer than an index takes, or a row than a page.
PROGRAM_LIMIT: Final = "54"
#: MySQL's, by mysqlclient: a character that the column's character set does not have
INCORRECT_STRING: Final = 1366


@dataclass(frozen=True, slots=True)
class Found:
    """A record, and the batch that brought it."""

    batch: Batch
    entry: Entry
    values: dict[str, Any]

    def reject(self, error: Exception) -> list[Reject]:
        return _reject(self.batch, self.entry, f"it cannot be written: {_text_of(error)}")


def apply(alias: str, record_cls: type[TrackableRecord], batches: Iterable[Batch]) -> list[Reject]:
    """Write the records of the batches, and return what is unfit."""
    found: list[Found] = []
    rejects: list[Reject] = []
    for batch in batches:
        for entry in batch.entries:
            try:
                found.append(Found(batch, entry, values_of(entry.counter)))
            except BadRecord as error:
                rejects += _reject(batch, entry, str(error))
    return rejects + _write(alias, record_cls, found)


def _write(alias: str, record_cls: type[TrackableRecord], found: Sequence[Found]) -> list[Reject]:
    """Write the records; where that fails, halve until the culprit is alone."""
    try:
        with transaction.atomic(using=alias):
            if found:
                record_cls.write_records(alias, [each.values for each in found])
    except Exception as error:
        if isinstance(error, OperationalError | InterfaceError) and not _is_of_a_record(error):
            raise
        # Whatever an app makes of what a stranger may have sent: the neighbours are written.
        if len(found) == 1:
            return found[0].reject(error)
        half = len(found) // 2
        parts = (found[:half], found[half:])
        return [reject for part in parts for reject in _write(alias, record_cls, part)]
    return []


def _is_of_a_record(error: Exception) -> bool:
    """Tell an operational error that a value makes from those of the connection."""
    cause = error.__cause__
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None) or ""
    return state.startswith(PROGRAM_LIMIT) or error.args[:1] == (INCORRECT_STRING,)


def _reject(batch: Batch, entry: Entry, reason: str) -> list[Reject]:
    return Reject.of_batch(Batch.of(batch.id, batch.data_class, [entry]), reason)


def _text_of(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
