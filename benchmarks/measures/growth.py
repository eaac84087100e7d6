"""How cost grows: with the increments, and with the rows that a table has already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from django.contrib.contenttypes.models import ContentType
from django.db import connections

from benchmarks import journals
from benchmarks.journals import Prepared
from benchmarks.lab import Lab
from benchmarks.measures.fold import Fold, count, empty_tables, fold, speed
from benchmarks.measuring import Contenders, measure
from benchmarks.site.models import Page

INCREMENTS = (10_000, 100_000, 1_000_000, 10_000_000)
ROWS = (1_000_000, 10_000_000, 50_000_000)
COUNTERS = 1000
FOLDED, OVER = 100_000, 10_000
WAYS = {"fold from the journal": fold, "count by hand": count}
#: Object by object, which the index of the keys likes best.
FILL = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.site_pagedata (LIKE public.site_pagedata INCLUDING ALL);
INSERT INTO {schema}.site_pagedata (content_type_id, object_id, collected_during, views)
SELECT {content_type}, 1 + number / {days}, DATE '1990-01-01' + (number % {days})::integer, 1
FROM generate_series(0::bigint, {rows} - 1) AS number
"""


def enter(name: str, numbers: tuple[int, ...], *, is_growth: bool, seconds: float) -> None:
    @measure(
        name,
        title=f"a fold of ever more increments over {COUNTERS:,} counters, PostgreSQL",
        unit="increments a second",
        better="more",
        axis="increments",
        needs=("postgresql",),
        budget_seconds=seconds,
        is_growth=is_growth,
    )
    def increments(lab: Lab) -> Iterator[Contenders]:
        with ExitStack() as stack:
            contenders: Contenders = {}
            for number in numbers[: lab.pick(None, 2)]:
                content = stack.enter_context(journals.prepared(lab, number, COUNTERS))
                for way, how in WAYS.items():
                    contenders[f"{way}, {number}"] = speed(how, lab, content)
            yield contenders


enter("increments", INCREMENTS[:-1], is_growth=False, seconds=20)
enter("increments-to-ten-million", INCREMENTS, is_growth=True, seconds=240)


@contextmanager
def filled(rows: int) -> Iterator[str]:
    """Give a schema in which the table has so many rows of the past, for as many a day."""
    schema = f"rows_{rows}"
    content_type = ContentType.objects.get_for_model(Page).pk
    sql = FILL.format(schema=schema, content_type=content_type, rows=rows, days=rows // OVER)
    with connections["postgresql"].cursor() as cursor:
        cursor.execute(sql)
        cursor.execute(f"VACUUM (ANALYZE) {schema}.site_pagedata")
        try:
            yield schema
        finally:
            cursor.execute(f"DROP SCHEMA {schema} CASCADE")


@measure(
    "rows",
    title=f"a fold of {FOLDED:,} increments over {OVER:,} counters into a table with many rows",
    unit="increments a second",
    better="more",
    axis="rows in the table",
    needs=("postgresql",),
    budget_seconds=120,
    is_growth=True,
    note="The rows are those of the same objects on other days.",
)
def rows_in_the_table(lab: Lab) -> Iterator[Contenders]:
    with journals.prepared(lab, FOLDED, OVER) as content, ExitStack() as stack:
        empty_tables()
        contenders: Contenders = {}
        for rows in lab.pick(ROWS, (10_000, 100_000)):
            schema = stack.enter_context(filled(rows))
            for way, how in WAYS.items():
                contenders[f"{way}, {rows}"] = partial(folding_speed, how, lab, content, schema)
        yield contenders


def folding_speed(how: Fold, lab: Lab, content: Prepared, schema: str) -> float:
    with connections["postgresql"].cursor() as cursor:
        cursor.execute("CHECKPOINT")
    found = how(lab, content, schema=schema)
    return found["folded"] / found["seconds"]
