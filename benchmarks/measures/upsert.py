"""Rows upserted a second, beside the best statement for each database."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

from django.contrib.contenttypes.models import ContentType
from django.db import connections, transaction

from benchmarks import floor
from benchmarks.batches import batch
from benchmarks.lab import Lab
from benchmarks.measuring import Contenders, Target, measure
from benchmarks.site.models import Page, PageData
from benchmarks.site.routers import using
from trackable.batches import Entry
from trackable.folding.engine import fold

NAMES = {"postgresql": "PostgreSQL", "mariadb": "MariaDB", "sqlite": "SQLite"}
#: the fastest: more in one statement is slower, and SQLite used to take no more
ROWS_PER_STATEMENT = {"mariadb": 1000, "sqlite": 249}
INSERT = "INSERT INTO site_pagedata (content_type_id, object_id, collected_during, views) VALUES "
ON_DUPLICATE_KEY = " ON DUPLICATE KEY UPDATE views = views + VALUES(views)"
ON_CONFLICT = (
    " ON CONFLICT (content_type_id, object_id, collected_during)"
    " DO UPDATE SET views = views + excluded.views"
)

Row = tuple[int, int, date, int]


def on_postgresql(cursor: Any, rows: Sequence[Row]) -> None:
    _, *columns = map(list, zip(*rows, strict=True))
    cursor.execute(floor.UPSERT, [rows[0][0], *columns])


def listed(size: int, on_conflict: str, cursor: Any, rows: Sequence[Row]) -> None:
    for start in range(0, len(rows), size):
        chunk = rows[start : start + size]
        places = ", ".join(["(%s, %s, %s, %s)"] * len(chunk))
        values = [value for row in chunk for value in row]
        cursor.execute(INSERT + places + on_conflict, values)


STATEMENTS = {
    "postgresql": on_postgresql,
    "mariadb": partial(listed, ROWS_PER_STATEMENT["mariadb"], ON_DUPLICATE_KEY),
    "sqlite": partial(listed, ROWS_PER_STATEMENT["sqlite"], ON_CONFLICT),
}


def by_hand(alias: str, rows: Sequence[Row]) -> float:
    """Return the rows a second of the database's own statement, in its transaction."""
    started = time.perf_counter()
    with transaction.atomic(alias), connections[alias].cursor() as cursor:
        STATEMENTS[alias](cursor, rows)
    return len(rows) / (time.perf_counter() - started)


def folded(alias: str, number: int) -> float:
    """Return the rows a second of a fold of one batch."""
    made = batch(range(1, number + 1))
    with using(alias):
        started = time.perf_counter()
        fold(made.data_class, [made])
        return number / (time.perf_counter() - started)


def folded_by_hand(alias: str, number: int) -> float:
    """Return the rows a second of a batch whose entries become rows for the statement."""
    entries = batch(range(1, number + 1)).entries
    content_type = content_type_of(alias)
    started = time.perf_counter()
    by_hand(alias, added_up(content_type, entries))
    return number / (time.perf_counter() - started)


def added_up(content_type: int, entries: Iterable[Entry]) -> list[Row]:
    totals: dict[tuple[str, str], int] = defaultdict(int)
    for entry in entries:
        totals[entry.object_id, entry.period] += int(entry.amount)
    days = {period: date.fromisoformat(period) for _, period in totals}
    rows = ((content_type, int(pk), days[day], total) for (pk, day), total in totals.items())
    return sorted(rows)


def content_type_of(alias: str) -> int:
    with using(alias):
        return ContentType.objects.db_manager(alias).get_for_model(Page).pk


def rows_of(alias: str, number: int) -> list[Row]:
    """Return rows that are ready for the statement."""
    return added_up(content_type_of(alias), batch(range(1, number + 1)).entries)


def settled(alias: str, contender: Callable[[], float]) -> float:
    """Run after what the last one left to be done is done: no vacuum falls into the next."""
    if alias == "postgresql":
        with connections[alias].cursor() as cursor:
            cursor.execute("VACUUM site_pagedata")
    return contender()


for each, name in NAMES.items():

    @measure(
        f"upsert-{each}",
        title=f"rows upserted a second, {name}",
        unit="rows a second",
        better="more",
        needs=(each,),
        budget_seconds=12,
        targets=(Target("fold of a batch", "statement by hand", at_least=0.5),),
        note="Rows that exist already. Both get a batch as it came, whose ids and days are text;"
        " only the fold checks it, and enters it into the ledger.",
    )
    def upserts(lab: Lab, alias: str = each) -> Iterator[Contenders]:
        number = lab.pick(20_000, 5_000)
        yield {
            "fold of a batch": lambda: settled(alias, partial(folded, alias, number)),
            "statement by hand": lambda: settled(alias, partial(folded_by_hand, alias, number)),
        }
        with using(alias):
            PageData.objects.all().delete()
