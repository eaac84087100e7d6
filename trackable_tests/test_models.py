"""Data classes: their keys, names and migrations, and counting at once."""

import importlib
import sys
import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.state import ProjectState
from django.test.utils import isolate_apps

from trackable import TrackableData, TrackableTimeSeriesData
from trackable.exceptions import BadAmount, UnknownField, UnsavedObject
from trackable.models import MAX_NAME_LENGTH
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    LinkData,
    Page,
    PageData,
    PageHours,
    PageParentData,
    PageParentTotals,
    PageSizes,
    PageTotals,
)

DAY = date(2026, 11, 21)
DATA_CLASSES = [model for model in apps.get_models() if issubclass(model, TrackableData)]


def names_of(model: type[models.Model]) -> list[str]:
    return [named.name for named in (*model._meta.constraints, *model._meta.indexes)]


def columns_of(model: type[models.Model]) -> set[str]:
    return {field.name for field in model._meta.concrete_fields}


def a_row(data_cls: Any = PageData, obj: models.Model | None = None, **counts: Any) -> Any:
    obj = obj or Page.objects.create(title="Home", slug="home")
    key = {"collected_during": DAY} if data_cls.period else {}
    return data_cls.objects.create(parent=obj, **key, **counts)


# keys and names


@for_each(
    "data_cls, key",
    [
        (PageData, ["content_type", "object_id", "collected_during"]),
        (PageTotals, ["content_type", "object_id"]),
        (PageParentData, ["parent", "collected_during"]),
        (PageParentTotals, ["parent"]),
    ],
)
def test_key_is_object_and_period(data_cls: Any, key: list[str]) -> None:
    assert data_cls.key_fields() == key
    assert [list(c.fields) for c in data_cls._meta.constraints] == [key]


@pytest.mark.django_db
@for_each("data_cls", [PageData, PageTotals, PageParentData, PageParentTotals])
def test_database_holds_the_key(data_cls: Any) -> None:
    row = a_row(data_cls)
    with pytest.raises(IntegrityError), transaction.atomic():
        a_row(data_cls, row.parent)


@isolate_apps("trackable_tests.testapp")
def test_key_needs_no_inherited_meta() -> None:
    class Plain(TrackableTimeSeriesData):
        views = models.PositiveIntegerField(default=0)

        class Meta:
            app_label = "testapp"
            constraints = [models.CheckConstraint(condition=models.Q(views__lt=9), name="few")]
            indexes = [models.Index(fields=["views"], name="by_views")]

    assert names_of(Plain) == ["few", "testapp_plain_key", "by_views", "testapp_plain_period"]


@isolate_apps("trackable_tests.testapp")
def test_abstract_class_of_a_project_gives_each_child_its_own_names() -> None:
    class Base(TrackableTimeSeriesData):
        views = models.PositiveIntegerField(default=0)

        class Meta:
            app_label = "testapp"
            abstract = True

    class One(Base):
        class Meta(Base.Meta):
            pass

    class Other(Base):
        class Meta(Base.Meta):
            pass

    assert names_of(One) == ["testapp_one_key", "testapp_one_period"]
    assert names_of(Other) == ["testapp_other_key", "testapp_other_period"]


@isolate_apps("trackable_tests.testapp")
def test_key_is_wide_whatever_the_settings_say(settings: Any) -> None:
    settings.DEFAULT_AUTO_FIELD = "django.db.models.AutoField"

    class Wide(TrackableData):
        views = models.PositiveIntegerField(default=0)

        class Meta:
            app_label = "testapp"

    assert type(Wide._meta.pk) is models.BigAutoField
    assert next(iter(Wide._meta.concrete_fields)).name == "id"


@isolate_apps("trackable_tests.testapp")
def test_primary_key_of_a_child_replaces_the_id() -> None:
    class Keyed(models.Model):
        code = models.CharField(max_length=9, primary_key=True)

        class Meta:
            abstract = True

    def declare(name: str, *bases: Any, **body: Any) -> Any:
        abstract = body.pop("abstract", False)
        meta = type("Meta", (), {"app_label": "testapp", "abstract": abstract})
        return type(TrackableData)(name, bases, {"__module__": __name__, "Meta": meta, **body})

    key = models.UUIDField(primary_key=True)
    base = declare("Base", TrackableData, uid=key, abstract=True)
    found = [
        declare("Own", TrackableData, uid=models.UUIDField(primary_key=True)),
        declare("Other", TrackableData, id=models.SmallAutoField(primary_key=True)),
        declare("Inherited", base),
        declare("Mixed", Keyed, TrackableData),
        declare("MixedIn", TrackableData, Keyed),
    ]
    keys = [[f.name for f in each._meta.fields if f.primary_key] for each in found]
    assert keys == [["uid"], ["id"], ["uid"], ["code"], ["code"]]
    assert ["id" in columns_of(each) for each in found] == [False, True, False, False, False]


def test_names_fit_every_database_and_are_unique() -> None:
    names = [name for data_cls in DATA_CLASSES for name in names_of(data_cls)]
    assert max(map(len, names)) <= MAX_NAME_LENGTH
    assert len(names) == len(set(names))


@isolate_apps("trackable_tests.testapp")
def test_long_names_are_shortened_to_different_ones() -> None:
    class Meta:
        app_label = "testapp"

    body = {"__module__": __name__, "Meta": Meta}
    made: list[Any] = [
        type(TrackableData)(f"StatisticsOfTheNorthernBranch{end}", (TrackableData,), dict(body))
        for end in ("A", "B")
    ]
    names = [name for data_cls in made for name in names_of(data_cls)]
    assert [len(name) for name in names] == [MAX_NAME_LENGTH] * 2
    assert len(set(names)) == 2
    assert all(name.endswith("_key") for name in names)


# parents


@pytest.mark.parametrize("data_cls", [PageParentData, PageParentTotals])
def test_foreign_key_replaces_the_generic_relation(data_cls: Any) -> None:
    assert columns_of(data_cls).isdisjoint({"content_type", "object_id"})
    assert data_cls.parent_target() is Page._meta.pk


@isolate_apps("trackable_tests.testapp")
def test_foreign_key_may_be_inherited_from_an_abstract_class() -> None:
    class Base(TrackableTimeSeriesData):
        parent = models.ForeignKey(Page, models.CASCADE, related_name="+")

        class Meta:
            app_label = "testapp"
            abstract = True

    class Child(Base):
        views = models.PositiveIntegerField(default=0)

        class Meta:
            app_label = "testapp"

    assert columns_of(Child) == {"id", "collected_during", "parent", "views"}
    assert Child.key_fields() == ["parent", "collected_during"]


@pytest.mark.django_db
def test_rows_of_a_foreign_key_go_with_their_parent() -> None:
    row = a_row(PageParentData)
    row.parent.delete()
    assert not PageParentData.objects.exists()


@pytest.mark.django_db
def test_rows_of_a_generic_relation_outlive_their_parent() -> None:
    row = a_row(PageData)
    row.parent.delete()
    assert PageData.objects.get().parent is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("data_cls", "make"),
    [
        (DownloadData, lambda: Download.objects.create(title="manual")),
        (LinkData, lambda: Link.objects.create(code="a/b c_Ü", url="https://example.org/")),
    ],
)
def test_ids_may_be_uuids_and_characters(data_cls: Any, make: Any) -> None:
    obj = make()
    a_row(data_cls, obj)
    row = data_cls.objects.prefetch_related("parent").get()
    assert (row.object_id, row.parent) == (obj.pk, obj)


# periods


@for_each("data_cls", [c for c in DATA_CLASSES if c.period and c.period != "hour"])
def test_days_and_longer_periods_start_on_a_date(data_cls: Any) -> None:
    assert type(data_cls._meta.get_field("collected_during")) is models.DateField


@pytest.mark.django_db
def test_hours_start_at_an_aware_moment(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    page = Page.objects.create(title="Home", slug="home")
    start = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
    PageHours.objects.create(parent=page, collected_during=start)
    found = PageHours.objects.get().collected_during
    assert (found, found.tzinfo is not None) == (start, True)


@isolate_apps("trackable_tests.testapp")
def test_period_of_a_child_wins() -> None:
    class Hourly(TrackableTimeSeriesData):
        period = "hour"

        class Meta:
            app_label = "testapp"
            abstract = True

    class Hours(Hourly):
        class Meta:
            app_label = "testapp"

    class Days(Hourly):
        period = "day"

        class Meta:
            app_label = "testapp"

    kinds = [type(cls._meta.get_field("collected_during")) for cls in (Hours, Days)]
    assert kinds == [models.DateTimeField, models.DateField]


@pytest.mark.django_db
def test_row_tells_what_it_counts() -> None:
    row = a_row(PageTotals, views=3)
    assert str(row) == f"page totals of {row.object_id}: views=3"
    row = a_row(PageParentData, row.parent, views=4)
    assert str(row) == f"page parent data of {row.parent_id} during 2026-11-21: views=4"


# counting at once


@pytest.mark.django_db
@for_each(
    "field, amount, total",
    [
        ("views", 2, 12),
        ("score", -12, -2),
        ("revenue", Decimal("0.05"), Decimal("10.05")),
        ("revenue", 1, Decimal("11.00")),
        ("seconds", 0.5, 10.5),
    ],
)
def test_incr_adds_and_shows_the_sum(field: str, amount: Any, total: Any) -> None:
    row = a_row(PageData, **{field: 10})
    row.incr(field, amount)
    assert getattr(row, field) == total
    assert getattr(PageData.objects.get(), field) == total


@pytest.mark.django_db
def test_incr_and_decr_are_by_one() -> None:
    row = a_row(PageData, views=10)
    row.incr("views")
    row.decr("clicks")
    row.decr("score")
    assert (row.views, row.clicks, row.score) == (11, 0, -1)


@pytest.mark.django_db
@for_each("data_cls", [PageData, PageParentData, PageTotals])
@for_each("amount, left", [(9, 1), (10, 0), (11, 0), (2**31 - 1, 0)])
def test_positive_counters_stop_at_zero(data_cls: Any, amount: int, left: int) -> None:
    row = a_row(data_cls, views=10)
    row.decr("views", amount)
    assert row.views == left
    row.incr("views", -amount)
    assert row.views == 0 if amount > 1 else left


@pytest.mark.django_db
@pytest.mark.parametrize("field", ["positive_small", "positive_big"])
def test_positive_counters_of_every_width_stop_at_zero(field: str) -> None:
    row = a_row(PageSizes, **{field: 3})
    row.decr(field, 4)
    assert getattr(row, field) == 0


@pytest.mark.django_db
def test_counters_of_one_row_do_not_overwrite_each_other() -> None:
    row = a_row(PageData)
    stale = PageData.objects.get()
    row.incr("views", 5)
    stale.incr("clicks", 3)
    assert PageData.objects.values_list("views", "clicks").get() == (5, 3)


@pytest.mark.django_db
def test_neighbours_are_left_alone() -> None:
    row = a_row(PageData)
    other = a_row(PageData, Page.objects.create(title="b", slug="b"))
    row.incr("views")
    other.refresh_from_db()
    assert other.views == 0


@pytest.mark.django_db
@for_each("field", ["viewz", "object_id", "id", "content_type_id"])
def test_what_is_no_counter_is_refused(field: str) -> None:
    row = a_row(PageData)
    with pytest.raises(UnknownField):
        row.incr(field)
    with pytest.raises(UnknownField):
        row.decr(field)


@pytest.mark.django_db
@for_each("amount", [True, 1.5, "1", None, float("nan"), 2**31])
def test_unfit_amounts_are_refused(amount: Any) -> None:
    row = a_row(PageData)
    with pytest.raises(BadAmount):
        row.incr("views", amount)
    assert PageData.objects.get().views == 0


@pytest.mark.django_db
def test_incr_is_part_of_the_callers_transaction() -> None:
    row = a_row(PageData)
    with transaction.atomic():
        row.incr("views")
        transaction.set_rollback(True)
    assert PageData.objects.get().views == 0


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_incr_is_atomic_under_threads() -> None:
    row = a_row(PageData, score=1000)

    def count() -> None:
        try:
            mine = PageData.objects.get(pk=row.pk)
            for _ in range(25):
                mine.incr("views")
                mine.decr("score", 2)
        finally:
            connection.close()

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert PageData.objects.values_list("views", "score").get() == (100, 800)


# migrations


@pytest.mark.django_db(databases="__all__")
def test_written_migrations_leave_nothing_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any, capsys: Any
) -> None:
    package = tmp_path / "written_migrations"
    package.mkdir()
    (package / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    settings.MIGRATION_MODULES = {"testapp": package.name}
    call_command("makemigrations", "testapp", verbosity=0)
    importlib.invalidate_caches()
    try:
        call_command("makemigrations", "testapp", check=True, dry_run=True)
    finally:
        for name in [name for name in sys.modules if name.startswith(package.name)]:
            del sys.modules[name]
    assert capsys.readouterr().out == "No changes detected in app 'testapp'\n"
    assert [path.name for path in package.glob("0*.py")] == ["0001_initial.py"]


def test_state_of_the_models_does_not_differ_from_itself() -> None:
    states = ProjectState.from_apps(apps), ProjectState.from_apps(apps)
    assert MigrationAutodetector(*states).changes(graph=MigrationGraph()) == {}


@pytest.mark.django_db
def test_what_is_no_amount_is_refused_both_ways() -> None:
    row = PageTotals.objects.create(parent=Page.objects.create(slug="one"), views=5)
    for act in (row.incr, row.decr):
        for value in (True, "x", None, 1.5):
            with pytest.raises(BadAmount):
                act("views", value)  # type: ignore[arg-type]


def test_a_row_that_is_not_saved_is_refused() -> None:
    with pytest.raises(UnsavedObject):
        PageTotals(views=5).incr("views")
