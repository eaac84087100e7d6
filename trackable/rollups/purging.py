"""Purging: rows of the last step that are past their age are removed, with their counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from django.db import transaction
from django.db.models import QuerySet

from trackable.folding.chunks import chunked
from trackable.folding.engine import try_until_committed
from trackable.models import TrackableData
from trackable.rollups.boundaries import Start
from trackable.rollups.table import DURING, Table

#: Of one transaction.
ROWS_AT_A_TIME: Final = 500
#: Found with one look: an index has what was deleted for a while, and is read through each time.
PKS_AT_A_TIME: Final = 50_000


def remove(table: Table, before: Start) -> Iterator[int]:
    """Remove the rows of before a start, oldest first; yield the number that each commit removed.

    Raises what Django raises.
    """
    rows = table.rows(None, before)
    oldest = rows.order_by(DURING).values_list("pk", flat=True)
    while pks := list(oldest[:PKS_AT_A_TIME]):
        for chunk in chunked(pks, ROWS_AT_A_TIME):
            yield _removed(table.alias, rows, chunk)


def _removed(alias: str, rows: QuerySet[TrackableData], pks: Sequence[Any]) -> int:
    def attempt() -> int:
        with transaction.atomic(using=alias, durable=True):
            return rows.filter(pk__in=pks)._raw_delete(alias)

    return try_until_committed(alias, "A removal of old counts", attempt)
