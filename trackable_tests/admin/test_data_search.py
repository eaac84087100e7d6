"""The search of the admin's lists of data classes: by the object that is counted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.test import Client

from trackable import parents
from trackable.admin.data import MAX_PARENTS
from trackable_tests.admin.data_pages import DATA_CLASSES, a_row, rows_of, url_of
from trackable_tests.admin.pages import text_at
from trackable_tests.counting import a_page
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    LinkData,
    Page,
    PageData,
    PageParentData,
    PageParentTotals,
    PageTotals,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_urls")]


@pytest.mark.parametrize("data_cls", [PageData, PageTotals, PageParentData, PageParentTotals])
def test_search_goes_by_the_fields_of_the_objects_own_admin(client: Client, data_cls: Any) -> None:
    first = Page.objects.create(title="About cats", slug="cats-1")
    other = Page.objects.create(title="About dogs", slug="dogs-1")
    row = a_row(data_cls, first)
    a_row(data_cls, other)
    assert rows_of(client, url_of(data_cls), q="cats") == [row]
    assert rows_of(client, url_of(data_cls), q="about cats") == []
    assert rows_of(client, url_of(data_cls), q='"about cats"') == [row]
    assert rows_of(client, url_of(data_cls), q="birds") == []


def test_search_goes_by_texts_without_search_fields(client: Client) -> None:
    download = Download.objects.create(title="The manual")
    row = a_row(DownloadData, download)
    a_row(DownloadData, Download.objects.create(title="A picture"))
    link = a_row(LinkData, Link.objects.create(code="a/b", url="https://example.org/manual"))
    assert rows_of(client, url_of(DownloadData), q="manual") == [row]
    assert rows_of(client, url_of(LinkData), q="MANUAL") == [link]


@pytest.mark.parametrize("data_cls", [PageData, PageParentData])
def test_search_goes_by_id(client: Client, data_cls: Any) -> None:
    page = a_page("first")
    row = a_row(data_cls, page)
    a_row(data_cls, a_page("other"))
    assert rows_of(client, url_of(data_cls), q=f" {page.pk} ") == [row]


def test_search_goes_by_uuid_and_characters(client: Client) -> None:
    download = Download.objects.create(pk=UUID(int=7), title="x")
    row = a_row(DownloadData, download)
    for text in (str(download.pk), download.pk.hex):
        assert rows_of(client, url_of(DownloadData), q=text) == [row]
    link = a_row(LinkData, Link.objects.create(code="a/b_c"))
    assert rows_of(client, url_of(LinkData), q="a/b_c") == [link]


def test_rows_of_objects_that_are_gone_are_found_by_id(client: Client) -> None:
    page = a_page("first")
    row = a_row(PageData, page)
    Page.objects.all().delete()
    assert rows_of(client, url_of(PageData), q=str(row.object_id)) == [row]


@pytest.mark.slow
@pytest.mark.parametrize("data_cls", DATA_CLASSES)
@pytest.mark.parametrize("text", ["9" * 40, "-1", "%", "ü", "'\"", "\\", "a" * 5000, str(2**63)])
def test_search_survives_any_text(client: Client, data_cls: Any, text: str) -> None:
    assert rows_of(client, url_of(data_cls), q=text) == []


def test_search_of_many_objects_is_bounded_and_says_so(client: Client) -> None:
    Page.objects.bulk_create(Page(title="x", slug=f"many-{n}") for n in range(MAX_PARENTS + 1))
    for page in Page.objects.all():
        a_row(PageTotals, page)
    response = client.get(url_of(PageTotals), {"q": "many"})
    assert response.context["cl"].result_count == MAX_PARENTS
    assert f"More than {MAX_PARENTS} objects match" in response.content.decode()


def test_search_says_what_it_searches(client: Client) -> None:
    assert "Search for a page by its text, or by its id." in text_at(client, url_of(PageData))


def test_search_passes_passwords_over() -> None:
    assert "password" not in parents.text_fields(User)
    assert "username" in parents.text_fields(User)
