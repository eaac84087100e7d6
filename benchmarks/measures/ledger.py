"""How much the ledger grows by the day."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.db import connections

from benchmarks import journals
from benchmarks.batches import batch
from benchmarks.lab import Lab
from benchmarks.measures.emit import emit
from benchmarks.measures.fold import empty_tables
from benchmarks.measuring import Contenders, measure
from trackable.folding import ledger
from trackable.journal import segments

SECONDS_A_DAY = 86_400
EMIT_SECONDS = 5.0
PAUSE_SECONDS = 0.01


def segments_a_day(lab: Lab) -> float:
    """Return how many segments a process seals that emits without a pause."""
    with journals.own(lab) as folder:
        end = time.monotonic() + EMIT_SECONDS
        while time.monotonic() < end:
            emit(1)
            time.sleep(PAUSE_SECONDS)
        found = segments.count(folder, segments.SEALED)
    return found * SECONDS_A_DAY / EMIT_SECONDS


def bytes_a_row(rows: int) -> float:
    """Return the bytes of an entry with its share of the indexes."""
    empty_tables()
    ledger.claim("postgresql", [batch([1]) for _ in range(rows)])
    with connections["postgresql"].cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('trackable_ledgerentry')")
        return int(cursor.fetchone()[0]) / rows


@measure(
    "ledger",
    title="growth of the ledger by an emitting process and day, PostgreSQL",
    unit="(rows or MiB)",
    has_ratios=False,
    needs=("postgresql",),
    warms_up=False,
    budget_seconds=0,
    note="Of a process that emits all day to one data class, with the default"
    " `TRACKABLE_FLUSH_INTERVAL`: an entry for each segment and data class. Entries are pruned"
    " `TRACKABLE_LEDGER_HORIZON` (7 days) and one day after their fold, so the ledger never has"
    " more than eight times as much.",
)
def growth_of_the_ledger(lab: Lab) -> Iterator[Contenders]:
    def contender() -> dict[str, float]:
        rows = segments_a_day(lab)
        size = bytes_a_row(lab.pick(20_000, 2_000))
        return {"rows a day": rows, "MiB a day": rows * size / (1 << 20), "bytes a row": size}

    yield {"ledger": contender}
