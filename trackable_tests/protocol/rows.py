"""What the database says: the rows, whose increments they hold, and what was set aside."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db.models import Model

from trackable import batches
from trackable.journal import lines
from trackable.models import LedgerEntry, QuarantinedMessage
from trackable_tests.testapp.models import PageData, PageTotals

TOTALS: Final = PageTotals._meta.label
DAYS: Final = PageData._meta.label
PARENT: Final = "testapp.Page"

TABLES: Final[tuple[type[Model], ...]] = (PageTotals, PageData, LedgerEntry, QuarantinedMessage)
Snapshot = dict[type[Model], list[Model]]

#: Objects from here on are no pages: each stands for one increment, and is counted with it.
FIRST_WITNESS: Final = 1000
DAY_OF_WITNESSES: Final = date(2026, 1, 1)

#: (data class, object id, period, field)
Cell = tuple[str, int, str, str]


@dataclass(frozen=True)
class Increment:
    """An increment that the journal has acknowledged.

    With it travels its witness, an increment of a row of its own: so the rows themselves tell
    which increments they hold, and how often.
    """

    number: int
    cell: Cell
    amount: Any
    at: float

    def lines(self) -> list[bytes]:
        label, object_id, period, field = self.cell
        amount = str(self.amount) if isinstance(self.amount, Decimal) else self.amount
        witness = str(FIRST_WITNESS + self.number)
        day = "" if label == TOTALS else DAY_OF_WITNESSES.isoformat()
        return [
            lines.encode(label, PARENT, witness, day, "views", 1),
            lines.encode(label, PARENT, str(object_id), period, field, amount),
        ]


class Counted:
    """The rows at this moment."""

    def __init__(self) -> None:
        #: by number of increment
        self.times: Counter[int] = Counter()
        self.sums: dict[Cell, Any] = {}
        for object_id, views in PageTotals.objects.values_list("object_id", "views"):
            self._add((TOTALS, object_id, "", "views"), views)
        names = ("object_id", "collected_during", "views", "score", "revenue")
        for object_id, day, *counts in PageData.objects.values_list(*names):
            for name, count in zip(names[2:], counts, strict=True):
                self._add((DAYS, object_id, day.isoformat(), name), count)

    def _add(self, cell: Cell, count: Any) -> None:
        number = cell[1] - FIRST_WITNESS
        if number >= 0:
            self.times[number] += count
        elif count:
            self.sums[cell] = count


class Quarantined:
    """What is in the quarantine at this moment."""

    def __init__(self) -> None:
        self.reasons: set[str] = set()
        #: by number of increment
        self.times: Counter[int] = Counter()
        #: without what is there twice
        self.sums: Counter[Cell] = Counter()
        seen: set[str] = set()
        for message in QuarantinedMessage.objects.all():
            self.reasons.add(message.reason)
            batch = batches.decode(message.payload.encode())
            is_new = batch.id not in seen
            seen.add(batch.id)
            for entry in batch.entries:
                number = int(entry.object_id) - FIRST_WITNESS
                if number >= 0:
                    self.times[number] += int(entry.amount)
                elif is_new:
                    cell = (batch.data_class, int(entry.object_id), entry.period, entry.field)
                    self.sums[cell] += entry.amount  # type: ignore[assignment]


def sums_of(increments: list[Increment]) -> dict[Cell, Any]:
    """Return what the rows are to be when they hold these increments."""
    sums: Counter[Cell] = Counter()
    for increment in increments:
        sums[increment.cell] += increment.amount
    return nonzero(sums)


def nonzero(sums: Counter[Cell]) -> dict[Cell, Any]:
    return {cell: amount for cell, amount in sums.items() if amount}


def snapshot() -> Snapshot:
    """Return what a replica has that is as old as this moment."""
    return {table: list(table._base_manager.all()) for table in TABLES}


def restore(state: Snapshot) -> None:
    """Have the database be in an earlier state."""
    for table in TABLES:
        table._base_manager.all().delete()
        table._base_manager.bulk_create(state[table])


def clear() -> None:
    restore({table: [] for table in TABLES})
