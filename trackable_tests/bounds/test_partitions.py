"""Tables partitioned by period, made by what the how-to page says, word for word but for names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.management.color import no_style
from django.db import connection, connections, models, transaction
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.utils import IntegrityError

from trackable.folding.engine import fold
from trackable.models import LedgerEntry
from trackable.periods import encode_start
from trackable_tests.counting import DataClass, a_page, batch, counts, entry, reasons
from trackable_tests.testapp.models import Page, PageData, PageHours, PageParentData

PAGE = settings.BASE_DIR / "docs" / "how-to" / "partition.md"
PARENT_KEY = "(parent_id) REFERENCES testapp_page"
SCHEMA = "partitions"
LABEL = "testapp.PageData"
NOVEMBER, DECEMBER, JANUARY, LONG_AGO = "2026-11-21", "2026-12-31", "2027-01-01", "2020-02-29"
DAYS = [NOVEMBER, DECEMBER, JANUARY, LONG_AGO]

pytestmark = [pytest.mark.vendor("postgresql"), pytest.mark.django_db]
committing = pytest.mark.django_db(transaction=True)


def blocks(language: str, data_cls: DataClass = PageData) -> list[str]:
    """Return the page's code in a language, with the names of a data class of the tests."""
    text = PAGE.read_text().replace("blog_articledata", data_cls._meta.db_table)
    text = text.replace('"blog"', '"testapp"')
    if data_cls is PageParentData:
        text = text.replace("content_type_id, object_id", "parent_id")
        text = text.replace("(content_type_id) REFERENCES django_content_type", PARENT_KEY)
    return re.findall(rf"^```{language}\n(.+?)^```$", text, re.MULTILINE | re.DOTALL)


def migration(data_cls: DataClass = PageData) -> Migration:
    """Return the page's migration."""
    (code,) = blocks("python", data_cls)
    found: dict[str, Any] = {}
    exec(compile(code, str(PAGE), "exec"), found)
    return found["Migration"]("0002_partition", "testapp")  # type: ignore[no-any-return]


def make_months(data_cls: DataClass = PageData) -> None:
    execute(blocks("postgresql", data_cls)[0])


def move_late_rows() -> None:
    """Do so without the page's BEGIN and COMMIT: the test has a transaction."""
    execute(blocks("postgresql")[1].replace("BEGIN;", "").replace("COMMIT;", ""))


def detach() -> None:
    execute(blocks("postgresql")[2])


def execute(sql: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def migrate(*, forth: bool, data_cls: DataClass = PageData) -> None:
    step, state = migration(data_cls), MigrationLoader(connection).project_state()
    with connection.schema_editor() as editor:
        (step.apply if forth else step.unapply)(state, editor)


def make_table(data_cls: DataClass = PageData) -> None:
    """Make the table as Django makes it, in a schema that hides that of all tests."""
    execute(f"CREATE SCHEMA {SCHEMA}")
    with connection.schema_editor() as editor:
        editor.create_model(data_cls)


@pytest.fixture
def own_schema(db: None) -> None:
    """Have this test's connection look into a schema first, till its transaction ends."""
    execute(f"SET LOCAL search_path = {SCHEMA}, public")


@pytest.fixture
def partitioned(own_schema: None) -> None:
    """Have the table of ``PageData`` partitioned, and empty."""
    make_table()
    migrate(forth=True)


def rows_by_partition(data_cls: DataClass = PageData) -> dict[str, int]:
    """Return how many rows a partition has, by the last words of its name."""
    table = data_cls._meta.db_table
    found = execute(f"SELECT tableoid::regclass::text, count(*) FROM {table} GROUP BY 1")
    return {name.removeprefix(f"{table}_"): number for name, number in found}


def fold_days(page: Page, days: list[str] = DAYS, amount: int = 1) -> None:
    added = [entry(page, amount=amount, period=day) for day in days]
    report = fold(LABEL, [batch(PageData, *added)])
    assert report.increments == len(days)


def by_day(page: Page) -> dict[str, int]:
    assert reasons() == []
    return {str(day): views for (pk, day), views in counts(PageData).items() if pk == page.pk}


@pytest.mark.usefixtures("partitioned")
def test_a_fold_writes_into_the_partition_of_each_period() -> None:
    page = a_page()
    fold_days(page)
    assert rows_by_partition() == {"2026_11": 1, "2026_12": 1, "rest": 2}
    assert by_day(page) == dict.fromkeys(DAYS, 1)


@pytest.mark.usefixtures("partitioned")
def test_rows_that_exist_are_added_to() -> None:
    page, other = a_page("a"), a_page("b")
    for amount in (1, 2, 3):
        fold_days(page, amount=amount)
    fold_days(other, [NOVEMBER])
    fold_days(page, [NOVEMBER], amount=-5)
    assert by_day(page) == {**dict.fromkeys(DAYS, 6), NOVEMBER: 1}
    assert by_day(other) == {NOVEMBER: 1}


@pytest.mark.usefixtures("partitioned")
def test_a_batch_that_comes_again_is_recognised() -> None:
    page = a_page()
    made = batch(PageData, *(entry(page, period=day) for day in DAYS))
    assert [fold(LABEL, [made]).increments for _ in range(2)] == [len(DAYS), 0]
    assert by_day(page) == dict.fromkeys(DAYS, 1)


@pytest.mark.usefixtures("partitioned")
def test_a_value_that_does_not_fit_takes_nobody_along() -> None:
    full, empty = a_page("full"), a_page("empty")
    fold_days(full)
    PageData.objects.filter(collected_during=NOVEMBER).update(views=2**31 - 1)
    added = [entry(page, period=day) for page in (full, empty) for day in DAYS]
    assert fold(LABEL, [batch(PageData, *added)]).quarantined == 1
    assert len(reasons()) == 1
    values = counts(PageData)
    assert values.pop((full.pk, date.fromisoformat(NOVEMBER))) == 2**31 - 1
    assert sorted(values.values()) == [1] * 4 + [2] * 3


@pytest.mark.usefixtures("partitioned")
def test_a_positive_counter_stops_at_zero_and_its_check_is_there() -> None:
    page = a_page()
    fold_days(page)
    fold_days(page, [NOVEMBER, LONG_AGO], amount=-5)
    assert by_day(page) == {**dict.fromkeys(DAYS, 1), NOVEMBER: 0, LONG_AGO: 0}
    with pytest.raises(IntegrityError, match="check constraint"), transaction.atomic():
        PageData.objects.update(views=-1)


# the migration


@pytest.mark.usefixtures("own_schema")
def test_the_migration_keeps_rows_and_the_sequence_and_goes_back() -> None:
    page, days = a_page(), iter(DAYS)
    make_table()
    fold_days(page, [next(days)])
    for forth in (True, False, True):
        kept = list(PageData.objects.order_by("pk").values())
        connection.check_constraints()  # a migration begins with no rows that wait for a check
        migrate(forth=forth)
        assert list(PageData.objects.order_by("pk").values()) == kept
        fold_days(page, [next(days)])
        assert PageData.objects.latest("pk").pk > kept[-1]["id"]
    assert by_day(page) == dict.fromkeys(DAYS, 1)


def columns() -> set[tuple[Any, ...]]:
    return set(
        execute(
            "SELECT column_name, data_type, is_nullable, is_identity FROM"
            f" information_schema.columns WHERE (table_schema, table_name) ="
            f" ('{SCHEMA}', 'testapp_pagedata')"
        )
    )


def constraints() -> dict[str, Any]:
    """Return what Django sees of the constraints and indexes, but for names that it invents."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, PageData._meta.db_table)
    invented = {name for name, about in found.items() if about["foreign_key"]}
    return {name: about for name, about in found.items() if name not in invented} | {
        "foreign keys": sorted(found[name]["foreign_key"] for name in invented)
    }


@pytest.mark.usefixtures("own_schema")
def test_going_back_leaves_the_table_that_django_made() -> None:
    make_table()
    before = columns(), constraints()
    migrate(forth=True)
    assert constraints() != before[1]
    migrate(forth=False)
    assert (columns(), constraints()) == before


@pytest.mark.usefixtures("partitioned")
def test_models_and_later_migrations_find_what_they_know() -> None:
    page = a_page()
    fold_days(page)
    row = PageData.objects.get(object_id=page.pk, collected_during=DECEMBER)
    row.incr("views", 4)
    assert PageData.objects.get(pk=row.pk).views == 5
    PageData.objects.filter(pk=row.pk).delete()
    made = PageData.objects.create(
        content_type=ContentType.objects.get_for_model(Page),
        object_id=99,
        collected_during=DECEMBER,
    )
    assert made.pk > row.pk
    (index,), (key,) = PageData._meta.indexes, PageData._meta.constraints
    field = models.IntegerField(default=7)
    field.set_attributes_from_name("shares")
    connection.check_constraints()
    with connection.schema_editor() as editor:
        editor.remove_index(PageData, index)
        editor.add_index(PageData, index)
        editor.remove_constraint(PageData, key)
        editor.add_constraint(PageData, key)
        editor.add_field(PageData, field)
        editor.remove_field(PageData, field)
    fold_days(page)
    assert by_day(page) == {**dict.fromkeys(DAYS, 2), DECEMBER: 1}


@pytest.mark.usefixtures("partitioned")
def test_django_finds_the_sequence() -> None:
    page = a_page()
    fold_days(page)
    PageData.objects.filter(collected_during=NOVEMBER).update(id=1000)
    for sql in connection.ops.sequence_reset_sql(no_style(), [PageData]):
        execute(sql)
    fold_days(page, ["2026-11-22"])
    assert PageData.objects.get(collected_during="2026-11-22").pk == 1001


@pytest.mark.usefixtures("own_schema")
def test_hours_go_into_the_months_of_utc() -> None:
    make_table(PageHours)
    migrate(forth=True, data_cls=PageHours)
    page = a_page()
    moments = [datetime(2026, 11, 30, 23, 59, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)]
    periods = [encode_start("hour", moment) for moment in moments]
    for _ in range(2):
        added = [entry(page, period=period) for period in periods]
        fold("testapp.PageHours", [batch(PageHours, *added)])
    assert rows_by_partition(PageHours) == {"2026_11": 1, "2026_12": 1}
    assert list(counts(PageHours).values()) == [2, 2]


@pytest.mark.usefixtures("own_schema")
def test_a_foreign_key_takes_the_place_of_the_generic_relation() -> None:
    make_table(PageParentData)
    migrate(forth=True, data_cls=PageParentData)
    page = a_page()
    for _ in range(2):
        added = [entry(page, period=day) for day in DAYS]
        fold("testapp.PageParentData", [batch(PageParentData, *added)])
    assert list(counts(PageParentData).values()) == [2] * 4
    assert rows_by_partition(PageParentData) == {"2026_11": 1, "2026_12": 1, "rest": 2}
    page.delete()
    assert counts(PageParentData) == {}


# months that come and go


def months_ahead() -> set[str]:
    rows = execute(
        "SELECT to_char(date_trunc('month', now()) + ahead * interval '1 month', 'YYYY_MM')"
        " FROM generate_series(0, 3) AS ahead"
    )
    return {name for (name,) in rows}


def partitions() -> set[str]:
    found = execute(
        "SELECT relid::regclass::text FROM pg_partition_tree('testapp_pagedata') WHERE isleaf"
    )
    return {name.removeprefix("testapp_pagedata_") for (name,) in found}


@pytest.mark.usefixtures("partitioned")
def test_new_months_are_made_once() -> None:
    make_months()
    assert partitions() == {"rest", "2026_11", "2026_12"} | months_ahead()
    make_months()
    page = a_page()
    fold_days(page, days := [name.replace("_", "-") + "-28" for name in months_ahead()])
    assert rows_by_partition() == dict.fromkeys(months_ahead(), 1)
    assert by_day(page) == dict.fromkeys(days, 1)


@pytest.mark.usefixtures("partitioned")
def test_rows_of_the_default_partition_move_to_their_month() -> None:
    page = a_page()
    fold_days(page)
    move_late_rows()
    assert rows_by_partition() == {"2026_11": 1, "2026_12": 1, "2027_01": 1, "rest": 1}
    fold_days(page)
    assert by_day(page) == dict.fromkeys(DAYS, 2)


@pytest.mark.usefixtures("partitioned")
def test_what_is_late_for_a_detached_month_goes_into_the_default_partition() -> None:
    page = a_page()
    fold_days(page)
    connection.check_constraints()
    detach()
    assert by_day(page) == dict.fromkeys(DAYS[1:], 1)
    fold_days(page)
    assert by_day(page) == {**dict.fromkeys(DAYS[1:], 2), NOVEMBER: 1}
    assert rows_by_partition() == {"2026_12": 1, "rest": 3}
    assert execute("SELECT views FROM testapp_pagedata_2026_11") == [(1,)]


# folds beside it


@pytest.fixture
def committed_partitions(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have every connection find a partitioned table, in a schema that goes with the test."""
    options = f"-c search_path={SCHEMA},public"
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "options", options)
    connection.close()
    try:
        make_table()
        migrate(forth=True)
        yield
    finally:
        connection.close()
        monkeypatch.undo()
        execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")


@committing
@pytest.mark.slow
@pytest.mark.usefixtures("committed_partitions")
def test_folds_in_parallel_are_exact_while_months_are_made_and_detached() -> None:
    pages = [a_page(slug) for slug in "abc"]
    # A fold that has to make it locks the tables in another order, and may meet a deadlock.
    ContentType.objects.get_for_model(Page)
    months = [f"2026-{month:02}-05" for month in range(11, 13)]
    months += [f"{year}-{month:02}-05" for year in (2030, 2031) for month in range(1, 7)]
    group = [
        batch(PageData, *(entry(page, period=day) for page in pages for day in months))
        for _ in range(24)
    ]

    def folds(turn: int) -> None:
        for number in range(len(group)):
            at = (number + 8 * turn) % len(group)
            fold(LABEL, group[at : at + 2])

    def change_months() -> None:
        make_months()
        for year in range(2040, 2052):
            name, begins, ends = f"testapp_pagedata_{year}", f"{year}-01-01", f"{year + 1}-01-01"
            values = f"FROM ('{begins}') TO ('{ends}')"
            execute(f"CREATE TABLE {name} PARTITION OF testapp_pagedata FOR VALUES {values}")
            execute(f"ALTER TABLE testapp_pagedata DETACH PARTITION {name}")

    def in_thread(action: Callable[..., None], *args: Any) -> None:
        try:
            action(*args)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(in_thread, folds, turn) for turn in range(3)]
        jobs.append(pool.submit(in_thread, change_months))
        for job in jobs:
            job.result()
    assert set(counts(PageData).values()) == {len(group)}
    assert len(counts(PageData)) == len(pages) * len(months)
    assert LedgerEntry.objects.count() == len(group)
