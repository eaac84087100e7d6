"""The admin's page of one row: it corrects a counter by a difference, and no key."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin import checks as admin_checks
from django.test import Client

from trackable.admin.data import TrackableDataAdmin
from trackable_tests.admin.data_pages import DAY, a_row, own_site, rows_of, site, url_of
from trackable_tests.admin.pages import staff, text_at
from trackable_tests.counting import a_page
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import PageData, PageParentData, PageSizes, PageTotals

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_urls")]


def test_row_is_not_added_by_hand(client: Client) -> None:
    assert client.get(url_of(PageData, "add")).status_code == 403
    assert "Add page data" not in text_at(client, url_of(PageData))


def change(client: Client, row: Any, **posted: Any) -> Any:
    return client.post(url_of(type(row), row.pk, "change"), posted)


def shown(row: Any) -> dict[str, str]:
    """Return what the page of a row would send back unchanged."""
    names = ["views", "clicks", "score", "revenue", "seconds"]
    values = {name: str(getattr(row, name)) for name in names}
    return {**values, **{f"initial-{name}": value for name, value in values.items()}}


def test_correction_changes_the_counter(client: Client) -> None:
    row = a_row(PageData, a_page(), views=100, clicks=5, revenue="1.50")
    posted = {**shown(row), "views": "90", "revenue": "1.20"}
    assert change(client, row, **posted).status_code == 302
    found = PageData.objects.values_list("views", "clicks", "revenue").get()
    assert tuple(map(float, found)) == (90, 5, 1.2)


def test_what_is_folded_while_somebody_types_is_kept(client: Client) -> None:
    row = a_row(PageData, a_page(), views=100, clicks=5)
    posted = {**shown(row), "views": "90"}
    row.incr("views", 7)
    row.incr("clicks", 2)
    change(client, row, **posted)
    assert PageData.objects.values_list("views", "clicks").get() == (97, 7)


def test_page_carries_what_it_showed(client: Client) -> None:
    row = a_row(PageData, a_page(), views=100)
    text = text_at(client, url_of(PageData, row.pk, "change"))
    assert '<input type="hidden" name="initial-views" value="100"' in text
    assert "is added as a difference" in text


def test_correction_without_what_was_shown_goes_by_what_is_stored(client: Client) -> None:
    row = a_row(PageData, a_page(), views=100)
    posted = {name: v for name, v in shown(row).items() if not name.startswith("initial-")}
    change(client, row, **{**posted, "views": "90"})
    change(client, row, **{**posted, "views": "80", "initial-views": "nonsense"})
    assert PageData.objects.get().views == 80


@for_each(
    "field, value",
    [
        ("views", ""),
        ("views", "many"),
        ("views", "-1"),
        ("views", str(10**12)),
        ("score", str(2**31)),
        ("revenue", "1e20"),
        ("seconds", "nan"),
        ("seconds", "inf"),
    ],
)
def test_unfit_correction_is_sent_back(client: Client, field: str, value: str) -> None:
    row = a_row(PageData, a_page(), views=3)
    response = change(client, row, **{**shown(row), field: value})
    assert response.status_code == 200
    assert "Please correct the error" in response.content.decode()
    assert PageData.objects.get().views == 3


@pytest.mark.parametrize("data_cls", [PageData, PageParentData])
def test_key_is_not_changed(client: Client, data_cls: Any) -> None:
    row, other = a_row(data_cls, a_page("first")), a_page("other")
    key = {"object_id": other.pk, "parent": other.pk, "collected_during": "2020-01-01"}
    posted = shown(row) if data_cls is PageData else {"views": "0", "initial-views": "0"}
    assert change(client, row, **posted, **key).status_code == 302
    row.refresh_from_db()
    assert (row.parent.slug, row.collected_during) == ("first", DAY)


def test_row_is_shown_to_those_who_may_view_it() -> None:
    row = a_row(PageData, a_page("first"), views=100)
    client = staff("view_pagedata")
    text = text_at(client, url_of(PageData, row.pk, "change"))
    assert "first" in text
    assert "is added as a difference" not in text
    assert change(client, row, **{**shown(row), "views": "1"}).status_code == 403
    assert PageData.objects.get().views == 100


def test_absent_row_is_not_found(client: Client) -> None:
    assert client.get(url_of(PageData, 12345, "change")).status_code == 302


# attributes of its own


def test_attributes_of_a_subclass_replace_the_defaults(client: Client) -> None:
    rows = [a_row(PageTotals, a_page(str(views)), views=views) for views in (30, 10, 20)]
    url = "/own/testapp/pagetotals/"
    assert [row.views for row in rows_of(client, url)] == [10, 20, 30]
    assert rows_of(client, url, q="20") == [rows[2]]
    text = text_at(client, url)
    assert "By views" in text
    assert 'name="form-0-views"' in text
    assert "object_id" in text_at(client, f"{url}{rows[0].pk}/change/")


def test_list_that_is_editable_adds_differences_too(client: Client) -> None:
    row = a_row(PageTotals, a_page(), views=100)
    posted = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": row.pk, "_save": 1}
    row.incr("views", 5)
    posted |= {"form-0-views": "90", "initial-form-0-views": "100"}
    assert client.post("/own/testapp/pagetotals/", posted).status_code == 302
    assert PageTotals.objects.get().views == 95


def test_object_is_told_without_our_list_too() -> None:
    row = a_row(PageTotals, a_page("first"))
    assert TrackableDataAdmin(PageTotals, site).counted_object(row) == "first"


def test_fields_that_do_not_count_are_saved_as_they_are(client: Client) -> None:
    row = a_row(PageSizes, a_page(), small=3, note="old")
    PageSizes.objects.update(big=7)
    names = ("small", "big", "positive_small", "positive_big")
    posted = {f"{prefix}{n}": getattr(row, n) for n in names for prefix in ("", "initial-")}
    posted |= {"small": "4", "note": "new", "extra": '{"a": 1}'}
    response = client.post(f"/own/testapp/pagesizes/{row.pk}/change/", posted)
    assert response.status_code == 302
    found = PageSizes.objects.values_list("small", "big", "note", "extra").get()
    assert found == (4, 7, "new", {"a": 1})


def test_admin_finds_nothing_wrong_with_the_pages() -> None:
    for each in (site, own_site):
        for model_admin in each._registry.values():
            checker = admin_checks.ModelAdminChecks()
            assert checker.check(model_admin) == []
