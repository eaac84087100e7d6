"""The upsert, of this run's database and the portable one: the same rows from both."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count, repeat
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import ProgrammingError, connection, models, transaction
from django.test.utils import isolate_apps
from django.utils import timezone

from trackable import batches
from trackable.counters import field_range
from trackable.folding import engine, upsert
from trackable.folding.engine import fold
from trackable.folding.rows import Row
from trackable.models import QuarantinedMessage, TrackableData
from trackable_tests.bounds.columns import COUNTERS, bound_of
from trackable_tests.counting import DataClass, a_page, batch, counts, entry, reasons
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import Page, PageData, PageParentTotals, PageSizes, PageTotals

pytestmark = pytest.mark.django_db

DAY = "2026-11-21"


@pytest.fixture(params=["vendor", "portable"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with this database's statement and with the portable fallback."""
    if request.param == "portable":
        monkeypatch.setattr(upsert, "STATEMENTS", {})


both_ways = pytest.mark.usefixtures("either_way")


def add(data_cls: DataClass, obj: Page, **amounts: Any) -> None:
    period = DAY if data_cls.period else ""
    found = [entry(obj, field, amount, period=period) for field, amount in amounts.items()]
    fold(data_cls._meta.label, [batch(data_cls, *found)])


def test_this_database_has_a_statement_of_its_own() -> None:
    assert upsert.Target.of("default", PageData).vendor in upsert.STATEMENTS


@both_ways
def test_rows_are_inserted_and_added_to() -> None:
    one, other = a_page("one"), a_page("other")
    add(PageTotals, one, views=2)
    fold("testapp.PageTotals", [batch(PageTotals, entry(one, amount=3), entry(other, amount=10))])
    assert counts(PageTotals) == {one.pk: 5, other.pk: 10}


@both_ways
def test_more_rows_go_than_one_statement_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upsert, "ROWS_PER_STATEMENT", 7)
    pages = [a_page(f"{number}") for number in range(30)]
    for amount in (1, 2):
        fold("testapp.PageTotals", [batch(PageTotals, *(entry(p, amount=amount) for p in pages))])
    assert counts(PageTotals) == {page.pk: 3 for page in pages}


@both_ways
def test_counters_not_touched_keep_their_values() -> None:
    page = a_page()
    add(PageData, page, views=1, clicks=2, score=-3, revenue=Decimal("4.50"), seconds=5.25)
    add(PageData, page, clicks=10)
    row = PageData.objects.values_list("views", "clicks", "score", "revenue", "seconds").get()
    assert row == (1, 12, -3, Decimal("4.50"), 5.25)


@both_ways
def test_decimals_do_not_drift() -> None:
    page = a_page()
    for _ in range(10):
        add(PageData, page, revenue=Decimal("0.10"))
    assert PageData.objects.get().revenue == Decimal("1.00")


@both_ways
def test_the_foreign_key_is_a_key() -> None:
    page = a_page()
    add(PageParentTotals, page, views=1)
    add(PageParentTotals, page, views=2)
    assert counts(PageParentTotals) == {page.pk: 3}


@both_ways
def test_other_fields_get_their_defaults_once() -> None:
    page = a_page()
    add(PageSizes, page, small=1)
    row = PageSizes.objects.get()
    assert (row.note, row.extra, row.small, row.big) == ("new", {}, 1, 0)
    PageSizes.objects.update(note="seen", extra={"a": 1})
    add(PageSizes, page, small=1)
    assert PageSizes.objects.values_list("note", "extra", "small").get() == ("seen", {"a": 1}, 2)
    assert PageSizes.objects.values_list("pk", "first_seen").get() == (row.pk, row.first_seen)


@both_ways
def test_each_row_has_a_key_of_its_own_default() -> None:
    pages = [a_page(slug) for slug in "abc"]
    fold("testapp.PageSizes", [batch(PageSizes, *(entry(page, "big", 1) for page in pages))])
    assert len(set(PageSizes.objects.values_list("pk", flat=True))) == 3


@for_each("data_cls, name", COUNTERS)
def test_an_overflow_is_set_aside_alone(data_cls: DataClass, name: str) -> None:
    field = data_cls._meta.get_field(name)
    one, other, full = a_page("one"), a_page("other"), a_page("full")
    period = DAY if data_cls.period else ""
    add(data_cls, full, **{name: 1})
    data_cls._base_manager.update(**{name: bound_of(field)})
    neighbour = next(n for n in ("clicks", "big", "small") if n != name and hasattr(data_cls, n))
    amount = Decimal("0.01") if name == "revenue" else 1.7e308 if name == "seconds" else 1
    entries = [entry(page, name, amount, 3, period=period) for page in (one, full, other)]
    entries.append(entry(full, neighbour, 5, period=period))
    report = fold(data_cls._meta.label, [batch(data_cls, *entries)])
    rows = {row.object_id: row for row in data_cls._base_manager.all()}
    assert [getattr(rows[page.pk], name) for page in (one, other)] == [amount, amount]
    assert getattr(rows[full.pk], name) == pytest.approx(bound_of(field), rel=0)
    assert getattr(rows[full.pk], neighbour) == 5
    kept = QuarantinedMessage.objects.get()
    assert batches.decode(kept.payload.encode()).entries == (entries[1],)
    assert (kept.increments, report.increments, report.quarantined) == (3, 7, 1)


@both_ways
@for_each(
    "data_cls, name",
    [(PageData, "views"), (PageSizes, "positive_small"), (PageSizes, "positive_big")],
)
def test_a_positive_counter_stops_at_zero(data_cls: DataClass, name: str) -> None:
    page = a_page()
    for amount, expected in ((-5, 0), (3, 3), (-1, 2), (-2, 0), (4, 4), (-9, 0)):
        add(data_cls, page, **{name: amount})
        assert data_cls._base_manager.values_list(name, flat=True).get() == expected
    assert reasons() == []


@both_ways
@pytest.mark.parametrize("name", ["positive_small", "positive_big"])
def test_valid_decrements_that_overflow_together_stop_at_zero(name: str) -> None:
    one, other = a_page("one"), a_page("other")
    low = field_range(PageSizes._meta.get_field(name))[0]
    add(PageSizes, one, **{name: 1})
    PageSizes.objects.update(**{name: bound_of(PageSizes._meta.get_field(name))})
    group = [batch(PageSizes, *(entry(page, name, low) for page in (one, other))) for _ in "123"]
    fold("testapp.PageSizes", group)
    assert (counts(PageSizes, name), reasons()) == ({one.pk: 0, other.pk: 0}, [])


@both_ways
def test_a_signed_counter_goes_below_zero() -> None:
    page = a_page()
    add(PageData, page, score=-5)
    add(PageData, page, score=-5)
    assert PageData.objects.get().score == -10


@both_ways
def test_a_bounded_counter_stops_at_zero_beside_one_that_grows() -> None:
    one, other = a_page("one"), a_page("other")
    add(PageData, one, views=2, clicks=2)
    entries = [
        entry(one, "views", -5, period=DAY),
        entry(one, "clicks", 5, period=DAY),
        entry(other, "views", 1, period=DAY),
    ]
    fold("testapp.PageData", [batch(PageData, *entries)])
    assert sorted(PageData.objects.values_list("views", "clicks")) == [(0, 7), (1, 0)]


@pytest.fixture
def odd_class() -> Iterator[DataClass]:
    """A data class of PostgreSQL's: an array, and ids that differ in more than their case."""
    from django.contrib.postgres.fields import ArrayField

    with isolate_apps("trackable_tests.testapp"):

        class Odd(TrackableData):
            object_id = models.CharField(max_length=20, db_collation="blind")
            views = models.PositiveIntegerField(default=0)
            tags = ArrayField(models.CharField(max_length=5), default=lambda: ["x", "y"])
            extra = models.JSONField(default=lambda: {"a": [1]})
            seen = models.DateTimeField(auto_now_add=True)

            class Meta:
                app_label = "testapp"

        with connection.schema_editor() as editor:
            editor.execute(
                "CREATE COLLATION blind (provider = icu, locale = 'und-u-ks-level2',"
                " deterministic = false)"
            )
            editor.create_model(Odd)
        yield Odd


def rows_of(*object_ids: str) -> list[Row]:
    page_type = ContentType.objects.get_for_model(Page).pk
    origin = ("testapp.Page", "", "")
    return [Row((page_type, each), {"views": 1}, origin, {}) for each in object_ids]


@pytest.mark.vendor("postgresql")
@pytest.mark.parametrize("is_constant", [True, False])
def test_an_array_beside_the_counters_keeps_its_default(
    odd_class: Any, is_constant: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With the same time in all rows one statement does, else each row is listed.
    ticks = count() if not is_constant else repeat(0)
    start = datetime(2026, 11, 21, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: start + timedelta(seconds=next(ticks)))
    for _ in range(2):
        upsert.add("default", odd_class, rows_of("a", "b"))
    found = odd_class.objects.values_list("views", "tags", "extra")
    assert list(found) == [(2, ["x", "y"], {"a": [1]})] * 2
    assert (odd_class.objects.values("seen").distinct().count() == 1) is is_constant


@pytest.mark.vendor("postgresql")
def test_keys_that_only_the_database_finds_equal_are_added_up(odd_class: Any) -> None:
    assert engine._add("default", odd_class, rows_of("Abc", "x", "aBC", "y", "abc")) == []
    assert sorted(odd_class.objects.values_list("object_id", "views")) == [
        ("Abc", 3),
        ("x", 1),
        ("y", 1),
    ]


def named(name: str) -> Any:
    """Make a data class whose table and columns have such names."""
    with isolate_apps("trackable_tests.testapp"):

        class Named(TrackableData):
            object_id = models.PositiveIntegerField(db_column=f"{name} id")
            views = models.PositiveIntegerField(default=0, db_column=name)
            score = models.DecimalField(
                default=0, db_column=f"{name} 2", max_digits=5, decimal_places=1
            )
            seconds = models.FloatField(default=0, db_column=f"{name} 3")
            note = models.CharField(default="new", db_column=f"{name} 4", max_length=9)

            class Meta:
                app_label = "testapp"
                db_table = f"{name} table"

    return Named


def add_to_named(data_cls: Any, *additions: int) -> list[tuple[float, ...]]:
    """Add to two rows of a table that is made for it, and return what is in them."""
    with connection.schema_editor() as editor:
        editor.create_model(data_cls)
    quote, fields = connection.ops.quote_name, data_cls._meta.concrete_fields[-4:-1]
    columns = ", ".join(quote(field.column) for field in fields)
    table = quote(data_cls._meta.db_table)
    try:
        page_type = ContentType.objects.get_for_model(Page).pk
        for amount in additions:
            amounts = {"views": amount, "score": Decimal(amount) / 2, "seconds": amount}
            rows = [Row((page_type, key), amounts, ("", "", ""), {}) for key in (1, 2)]
            with transaction.atomic():
                upsert.add("default", data_cls, rows)
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {columns} FROM {table}")
            return [tuple(map(float, row)) for row in cursor.fetchall()]
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {table}")


@both_ways
@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_names_that_want_quoting_are_quoted() -> None:
    for name in ("it's", "Upper Case", "select", "EXCLUDED", "naïve ☃", "a:b?", "$1", "{0}"):
        found = add_to_named(named(name), 3, 4, -2)
        assert found == [(5, 2.5, 5)] * 2, name


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_percent_signs_in_names_are_no_places_for_parameters() -> None:
    # Django's own queries fail with such names, so nothing here goes through these.
    for name in ("100%", "%s", "%(x)s", "%%"):
        found = add_to_named(named(name), 3, 4)
        assert found == [(7, 3.5, 7)] * 2, name


def test_an_error_that_is_not_of_the_rows_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> None:
        raise ProgrammingError("no such column")

    monkeypatch.setattr(upsert, "add", fail)
    with pytest.raises(ProgrammingError, match="no such column"):
        add(PageTotals, a_page(), views=1)


def test_an_error_undoes_all_rows_of_a_statement() -> None:
    pages = [a_page(slug) for slug in "abcdefg"]
    add(PageTotals, pages[3], views=1)
    field = PageTotals._meta.get_field("views")
    PageTotals.objects.update(views=bound_of(field))
    fold("testapp.PageTotals", [batch(PageTotals, *(entry(page) for page in pages))])
    expected = {page.pk: 1 for page in pages} | {pages[3].pk: bound_of(field)}
    assert (counts(PageTotals), len(reasons())) == (expected, 1)
