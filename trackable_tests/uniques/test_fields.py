"""The field: a number with its sketch, wherever rows are read, and nothing else in its column."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from django.core import serializers
from django.db import connection, models
from django.db.migrations.state import ModelState, ProjectState
from django.db.migrations.writer import MigrationWriter

from trackable import UniqueCount
from trackable.counters import counters_of, counts_of
from trackable.exceptions import BadSketch, UnknownField
from trackable.uniques import Estimate, sketches
from trackable.uniques.fields import stored, uniques_of
from trackable_tests.counting import a_page
from trackable_tests.testapp.models import PageData, PageVisitors
from trackable_tests.uniques.seeing import NOON

FIVE = sketches.add(b"", range(5))
SEVEN = sketches.add(b"", range(3, 10))


def a_row(sketch: Any = FIVE) -> PageVisitors:
    return PageVisitors.objects.create(
        parent=a_page(), collected_during=NOON.date(), visitors=sketch, views=9
    )


# values


def test_an_estimate_is_a_number() -> None:
    five = Estimate(FIVE)
    assert five == 5
    assert f"{five:03d} {five}" == "005 5"
    assert (json.dumps(five), five / 2, five > 4) == ("5", 2.5, True)
    assert (Estimate(), Estimate().sketch) == (0, b"")


def test_estimates_are_united() -> None:
    both = Estimate(FIVE) | Estimate(SEVEN)
    assert both == 10
    assert both | Estimate(both.sketch) == 10
    with pytest.raises(TypeError):
        Estimate(FIVE) | 3
    with pytest.raises(TypeError):
        3 | Estimate(FIVE)


def test_an_estimate_is_copied_with_its_sketch() -> None:
    five = Estimate(FIVE)
    for each in (copy.copy(five), copy.deepcopy(five), pickle.loads(pickle.dumps(five))):
        assert (each, each.sketch) == (5, FIVE)


# rows


@pytest.mark.django_db
def test_rows_are_read_as_estimates() -> None:
    a_row()
    row = PageVisitors.objects.get()
    assert (row.visitors, row.visitors.sketch) == (5, FIVE)
    assert list(PageVisitors.objects.values_list("visitors", flat=True)) == [5]
    assert [
        bytes(sketch) for (sketch,) in PageVisitors.objects.values_list(stored("visitors"))
    ] == [FIVE]
    assert str(row).endswith(": views=9, visitors=5")


@pytest.mark.django_db
def test_what_a_row_has_can_be_given_to_another() -> None:
    row = a_row()
    row.refresh_from_db()
    row.visitors |= Estimate(SEVEN)
    row.save()
    assert PageVisitors.objects.get().visitors == 10
    PageVisitors.objects.update(visitors=b"")
    assert PageVisitors.objects.get().visitors == 0
    assert PageVisitors().visitors == 0


@pytest.mark.django_db
def test_a_number_is_no_set_of_visitors() -> None:
    with pytest.raises(TypeError, match="visitors counts visitors"):
        a_row(sketch=7)
    with pytest.raises(TypeError):
        PageVisitors.objects.filter(visitors__gt=100).exists()


@pytest.mark.django_db
def test_a_column_with_something_else_in_it_is_told() -> None:
    a_row(sketch=b"something else")
    with pytest.raises(BadSketch):
        PageVisitors.objects.get()


@pytest.mark.django_db
def test_fixtures_have_sketches() -> None:
    row = a_row()
    text = serializers.serialize("json", PageVisitors.objects.all())
    row.delete()
    for each in serializers.deserialize("json", text):
        each.save()
    assert PageVisitors.objects.get().visitors.sketch == FIVE


# declarations


def test_a_data_class_tells_counters_from_distinct_counts() -> None:
    assert list(counters_of(PageVisitors)) == ["views"]
    assert list(uniques_of(PageVisitors)) == ["visitors"]
    assert list(counts_of(PageVisitors)) == ["views", "visitors"]
    assert list(uniques_of(PageData)) == []
    with pytest.raises(UnknownField, match="use send_unique_message"):
        counters_of(PageVisitors)["visitors"]
    with pytest.raises(UnknownField, match="its distinct counts are visitors"):
        uniques_of(PageVisitors)["views"]


@pytest.mark.django_db
def test_an_increment_at_once_is_refused() -> None:
    with pytest.raises(UnknownField, match="use send_unique_message"):
        a_row().incr("visitors")


def test_migrations_have_the_field_as_it_was_declared() -> None:
    assert UniqueCount().deconstruct()[1:] == ("trackable.uniques.fields.UniqueCount", [], {})
    text, imports = MigrationWriter.serialize(UniqueCount(rotates="month"))
    assert text == "trackable.uniques.fields.UniqueCount(rotates='month')"
    assert imports == {"import trackable.uniques.fields"}


@pytest.mark.django_db(transaction=True)
def test_the_field_can_be_added_to_a_table_with_rows() -> None:
    old = ModelState("testapp", "Grown", [("id", models.BigAutoField(primary_key=True))])
    grown = ProjectState({("testapp", "grown"): old}).apps.get_model("testapp", "Grown")
    field = UniqueCount()
    field.set_attributes_from_name("visitors")
    with connection.schema_editor() as editor:
        editor.create_model(grown)
    try:
        grown.objects.create()
        with connection.schema_editor() as editor:
            editor.add_field(grown, field)
        new = old.clone()
        new.fields["visitors"] = UniqueCount()
        grown = ProjectState({("testapp", "grown"): new}).apps.get_model("testapp", "Grown")
        assert grown.objects.get().visitors == 0
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(grown)
