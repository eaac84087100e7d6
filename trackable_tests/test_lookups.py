"""Objects are found in bulk, by values that are equal to the last character."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from trackable.lookups import (
    AMBIGUOUS,
    CHUNK_SIZE,
    UNFIT,
    UNKNOWN,
    Absent,
    BadLookup,
    Finder,
    values_of,
)
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import Download, OldHits, Page, Target

pytestmark = pytest.mark.django_db


def find(finder: Finder, **captured: Any) -> Any:
    values = values_of(captured)
    return finder.find([values])[values]


def test_many_objects_take_one_query_for_each_chunk() -> None:
    Target.objects.bulk_create(Target(path=f"/{n}") for n in range(CHUNK_SIZE + 1))
    wanted = [values_of({"path": f"/{n}"}) for n in range(CHUNK_SIZE + 1)]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        found = Finder(Target, ["path"]).find(wanted)
    assert len(queries) == 2
    assert all(dict(values)["path"] == str(obj) for values, obj in found.items())


@for_each("path", ["/a", "/A ", "/\u00c4", "/A/"])
def test_what_a_collation_takes_for_equal_is_not(path: str) -> None:
    Target.objects.create(path="/A")
    assert find(Finder(Target, ["path"]), path=path) is UNKNOWN


def test_values_that_differ_in_case_find_each_their_own() -> None:
    small, capital = Target.objects.create(path="/a"), Target.objects.create(path="/A")
    finder = Finder(Target, ["path"])
    assert (find(finder, path="/a"), find(finder, path="/A")) == (small, capital)


def test_several_objects_are_none() -> None:
    Target.objects.bulk_create([Target(path="/a"), Target(path="/a")])
    assert find(Finder(Target, ["path"]), path="/a") is AMBIGUOUS


def test_text_becomes_what_the_field_holds() -> None:
    page, download = Page.objects.create(slug="a"), Download.objects.create()
    assert find(Finder(Page, ["pk"]), pk=str(page.pk)) == page
    assert find(Finder(Download, ["id"]), id=str(download.pk)) == download


@for_each("value", ["x", "1" * 40, "-1" * 30, "1\0", ""])
def test_what_the_field_does_not_take_is_unfit(value: str) -> None:
    assert find(Finder(Page, ["pk"]), pk=value) is UNFIT


@pytest.mark.parametrize("value", ["a\0", "a" * 51])
def test_text_that_no_row_can_have_is_unfit(value: str) -> None:
    assert find(Finder(Page, ["slug"]), slug=value) is UNFIT


def test_several_values_are_looked_up_together() -> None:
    page = Page.objects.create(slug="a", title="T")
    finder = Finder(Page, ["slug", "title"])
    assert find(finder, slug="a", title="T") == page
    assert find(finder, slug="a", title="t") is UNKNOWN


def test_relations_and_lookups_are_followed() -> None:
    page = Page.objects.create(slug="a")
    hits = OldHits.objects.create(page=page, slug="Old")
    assert find(Finder(OldHits, ["page__slug"]), page__slug="a") == hits
    assert find(Finder(OldHits, ["slug__iexact"]), slug__iexact="OLD") == hits
    assert find(Finder(OldHits, ["page"]), page="x") is UNKNOWN


@for_each("name", ["nosuch", "slug__nosuch", "slug__iexact__nosuch"])
def test_name_that_is_no_field_is_refused(name: str) -> None:
    with pytest.raises(BadLookup, match="nosuch"):
        Finder(Page, [name])


def test_only_what_is_looked_at_is_loaded() -> None:
    Page.objects.create(slug="a", title="T")
    found = find(Finder(Page, ["slug"]), slug="a")
    assert found.get_deferred_fields() == {"title"}


def test_objects_are_made_of_the_values() -> None:
    made = Finder(Page, ["slug"]).create([values_of({"slug": "a"}), values_of({"slug": "?"})])
    assert [getattr(obj, "slug", obj) for obj in made.values()] == ["a", UNFIT]
    assert Page.objects.get().slug == "a"


def test_object_that_cannot_be_made_does_not_keep_others_from_being_made() -> None:
    Page.objects.create(slug="a")
    wanted = [values_of({"slug": slug}) for slug in "ab"]
    taken, made = Finder(Page, ["slug"]).create(wanted).values()
    assert isinstance(taken, Absent)
    assert taken.reason.startswith("cannot be made")
    assert made == Page.objects.get(slug="b")


def test_objects_are_not_made_of_what_is_not_their_own() -> None:
    with pytest.raises(BadLookup, match="own fields"):
        Finder(OldHits, ["page__slug"]).create([])
