"""Parents are found in bulk, and told from what is gone."""

from typing import Any
from uuid import uuid4

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import models

from trackable import TrackableSite, parents
from trackable_tests.counting import a_page
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    Page,
    PageData,
    PageParentData,
    PageParentTotals,
    PageTotals,
    Unregistered,
)

pytestmark = pytest.mark.django_db


def test_no_rows_have_no_parents(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert parents.find([]) == {}


def test_rows_of_several_models_find_their_own(django_assert_num_queries: Any) -> None:
    page, other = a_page("first"), Unregistered.objects.create(title="other")
    rows = [PageTotals.objects.create(parent=parent) for parent in (page, other)]
    rows = list(PageTotals.objects.all())
    ContentType.objects.get_for_models(Page, Unregistered)
    with django_assert_num_queries(2):
        found = parents.find(rows)
    assert {parent.text: parent.obj for parent in found.values()} == {"first": page, "other": other}


def test_foreign_key_without_its_object_is_gone() -> None:
    row = PageParentTotals(pk=1, parent_id=12345)
    assert parents.find([row]) == {1: parents.Parent("Page 12345 (gone)")}


def test_models_are_those_of_every_registry() -> None:
    assert parents.models_of(PageTotals) == [Page]
    assert parents.models_of(PageParentTotals) == [Page]
    another = TrackableSite("another")
    another.register([Unregistered, Page], PageTotals)
    another.register(Link, PageParentTotals)
    assert parents.models_of(PageTotals) == [Page, Unregistered]
    assert parents.models_of(PageParentTotals) == [Page]


@pytest.mark.parametrize(("data_cls", "model"), [(PageTotals, Page), (PageParentTotals, Page)])
def test_rows_are_those_of_the_keys(data_cls: Any, model: type[models.Model]) -> None:
    page, other = a_page("first"), a_page("other")
    row = data_cls.objects.create(parent=page)
    data_cls.objects.create(parent=other)
    keys = parents.keys_of(data_cls, Page.objects.filter(slug="first"), 10)
    unfit = ["x", None, 10**40, -1, "\0"]
    assert keys == [page.pk]
    assert list(data_cls.objects.filter(parents.rows_of(data_cls, model, [*keys, *unfit]))) == [row]


def test_keys_are_as_many_as_were_asked_for() -> None:
    for n in range(3):
        a_page(str(n))
    assert len(parents.keys_of(PageData, Page.objects.all(), 2)) == 2


def test_keys_of_another_kind_find_nothing() -> None:
    Download.objects.create(title="x")
    wanted = parents.rows_of(DownloadData, Download, ["x", 5, uuid4()])
    assert not DownloadData.objects.filter(wanted).exists()


def test_foreign_keys_are_told_from_generic_relations() -> None:
    assert parents.is_generic(PageData)
    assert not parents.is_generic(PageParentData)
