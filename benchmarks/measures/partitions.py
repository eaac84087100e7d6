"""A fold into a table that is partitioned by month, beside one that is whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from django.db import connections

from benchmarks import journals
from benchmarks.lab import Lab
from benchmarks.measures.fold import empty_tables, fold
from benchmarks.measures.growth import FOLDED, OVER, filled, folding_speed
from benchmarks.measuring import Contenders, measure

#: As the how-to page does it, with all months of the rows there are, and this one.
PARTITION = """
CREATE SCHEMA {schema};
CREATE TABLE {schema}.site_pagedata (LIKE public.site_pagedata INCLUDING DEFAULTS
    INCLUDING CONSTRAINTS) PARTITION BY RANGE (collected_during);
CREATE TABLE {schema}.rest PARTITION OF {schema}.site_pagedata DEFAULT;
DO $$
DECLARE
    month date;
BEGIN
    FOR month IN
        SELECT DISTINCT date_trunc('month', collected_during)::date FROM {source}.site_pagedata
        UNION SELECT date_trunc('month', now())::date
    LOOP
        EXECUTE format(
            'CREATE TABLE {schema}.%I PARTITION OF {schema}.site_pagedata'
            ' FOR VALUES FROM (%L) TO (%L)',
            to_char(month, 'YYYY_MM'), month, month + interval '1 month'
        );
    END LOOP;
END $$;
INSERT INTO {schema}.site_pagedata SELECT * FROM {source}.site_pagedata;
CREATE SEQUENCE {schema}.ids;
SELECT setval('{schema}.ids', (SELECT max(id) FROM {schema}.site_pagedata));
ALTER TABLE {schema}.site_pagedata ALTER id SET DEFAULT nextval('{schema}.ids'),
    ADD PRIMARY KEY (id, collected_during),
    ADD UNIQUE (content_type_id, object_id, collected_during);
CREATE INDEX ON {schema}.site_pagedata (collected_during);
"""


@contextmanager
def partitioned(source: str) -> Iterator[str]:
    """Give a schema in which the table has the same rows, in a partition for each month."""
    schema = f"{source}_by_month"
    with connections["postgresql"].cursor() as cursor:
        cursor.execute(PARTITION.format(schema=schema, source=source))
        cursor.execute(f"VACUUM (ANALYZE) {schema}.site_pagedata")
        try:
            yield schema
        finally:
            cursor.execute(f"DROP SCHEMA {schema} CASCADE")


@measure(
    "partitions",
    title=f"a fold of {FOLDED:,} increments over {OVER:,} counters into 10 million rows by month",
    unit="increments a second",
    better="more",
    needs=("postgresql",),
    budget_seconds=60,
    is_growth=True,
    note="A partition for each month, and a default one.",
)
def by_month(lab: Lab) -> Iterator[Contenders]:
    rows = lab.pick(10_000_000, 1_000_000)
    with journals.prepared(lab, FOLDED, OVER) as content:
        empty_tables()
        with filled(rows) as whole, partitioned(whole) as parts:
            yield {
                "a partition for each month": partial(folding_speed, fold, lab, content, parts),
                "one table": partial(folding_speed, fold, lab, content, whole),
            }
