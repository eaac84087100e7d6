"""The default admin pages of data classes."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib import admin
from django.contrib.admin import checks as admin_checks
from django.contrib.admin.templatetags.admin_list import date_hierarchy
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import path

from trackable import TrackableSite, parents
from trackable.admin.changelist import period_text, steps
from trackable.admin.data import MAX_PARENTS, TrackableDataAdmin
from trackable_tests.counting import a_page
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    LinkData,
    Page,
    PageData,
    PageHours,
    PageMonths,
    PageParentData,
    PageParentTotals,
    PageSizes,
    PageTotals,
    PageWeeks,
    Unregistered,
)

pytestmark = pytest.mark.django_db

DAY = date(2026, 11, 21)
DATA_CLASSES: list[Any] = [PageData, PageTotals, PageHours, PageWeeks, PageMonths, PageParentData]
DATA_CLASSES += [PageParentTotals, DownloadData, LinkData]


class PageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    search_fields = ["slug", "=title"]


class EditableAdmin(TrackableDataAdmin):
    """Puts attributes of its own in the place of the defaults."""

    list_display = ["counted_object", "views"]
    list_editable = ["views"]
    list_filter = ["views"]
    ordering = ["views"]
    search_fields = ["views"]
    fields = ["object_id", "views"]


site = admin.AdminSite(name="admin")
site.register(Page, PageAdmin)
site.register(Download)
for data_cls in DATA_CLASSES:
    site.register(data_cls, TrackableDataAdmin)

own_site = admin.AdminSite(name="own")
own_site.register(PageTotals, EditableAdmin)
own_site.register(PageSizes, TrackableDataAdmin)

urlpatterns = [path("admin/", site.urls), path("own/", own_site.urls)]


@pytest.fixture(autouse=True)
def own_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    settings.TIME_ZONE = "Europe/Berlin"
    ContentType.objects.clear_cache()


@pytest.fixture
def client(admin_client: Client) -> Client:
    return admin_client


def a_row(data_cls: Any, obj: Any, start: Any = DAY, **counts: Any) -> Any:
    key = {"collected_during": start} if data_cls.period else {}
    return data_cls.objects.create(parent=obj, **key, **counts)


def url_of(model: Any, *rest: object) -> str:
    return "/".join(["/admin", model._meta.app_label, model._meta.model_name, *map(str, rest), ""])


def text_of(client: Client, url: str, **params: Any) -> str:
    response = client.get(url, params)
    assert response.status_code == 200
    return response.content.decode()


def rows_of(client: Client, url: str, **params: Any) -> list[Any]:
    response = client.get(url, params)
    assert response.status_code == 200, response
    return list(response.context["cl"].result_list)


def staff(*permissions: str) -> Client:
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


# the list


@pytest.mark.parametrize("data_cls", DATA_CLASSES)
def test_every_data_class_has_its_pages(client: Client, data_cls: Any) -> None:
    parent = {DownloadData: Download(title="x"), LinkData: Link(code="a/b_c")}.get(data_cls)
    parent = parent or Page(title="x")
    parent.save()
    start = datetime(2026, 11, 21, 10, tzinfo=UTC) if data_cls is PageHours else DAY
    row = a_row(data_cls, parent, start, views=41)
    listed = text_of(client, url_of(data_cls))
    assert ">41<" in listed
    assert url_of(data_cls, row.pk, "change") in listed
    assert 'value="41"' in text_of(client, url_of(data_cls, row.pk, "change"))
    assert client.get(url_of(data_cls, row.pk, "delete")).status_code == 200
    assert TrackableDataAdmin(data_cls, site).check() == []


def test_row_shows_object_period_and_counters(client: Client) -> None:
    page = a_page("first")
    row = a_row(PageData, page, views=1001, score=-7, revenue="9.90", seconds=1 / 3)
    text = text_of(client, url_of(PageData))
    for shown in ("Nov. 21, 2026", ">1001<", ">-7<", ">9.90<", ">0.33<"):
        assert shown in text
    assert f'<a href="{url_of(Page, page.pk, "change")}">first</a>' in text
    assert f'<a href="{url_of(PageData, row.pk, "change")}">Nov. 21, 2026</a>' in text


def test_foreign_keys_are_linked_too(client: Client) -> None:
    page = a_page("first")
    a_row(PageParentData, page)
    link = f'<a href="{url_of(Page, page.pk, "change")}">first</a>'
    assert link in text_of(client, url_of(PageParentData))


def test_object_without_admin_pages_is_no_link(client: Client) -> None:
    a_row(LinkData, Link.objects.create(code="a"))
    assert '<td class="field-counted_object">a</td>' in text_of(client, url_of(LinkData))


def test_object_that_the_user_may_not_see_is_no_link() -> None:
    a_row(PageData, a_page("first"))
    text = text_of(staff("view_pagedata"), url_of(PageData))
    assert '<td class="field-counted_object">first</td>' in text


def test_title_of_an_object_is_escaped(client: Client) -> None:
    a_row(LinkData, Link.objects.create(code="<script>"))
    a_row(PageData, Page.objects.create(title="<script>", slug="x"))
    for data_cls in (LinkData, PageData):
        text = text_of(client, url_of(data_cls))
        assert "&lt;script&gt;" in text
        assert "<script>&lt;" not in text.replace("\n", "")


def test_object_that_is_gone_is_told_by_its_id(client: Client) -> None:
    page = a_page("first")
    row = a_row(PageData, page)
    Page.objects.all().delete()
    for url in (url_of(PageData), url_of(PageData, row.pk, "change")):
        assert f"Page {row.object_id} (gone)" in text_of(client, url)


def test_object_of_a_model_that_is_gone_is_told_by_its_id(client: Client) -> None:
    stale = ContentType.objects.create(app_label="shop", model="article")
    PageTotals.objects.create(content_type=stale, object_id=5)
    assert "Article 5 (gone)" in text_of(client, url_of(PageTotals))


def test_ids_that_cannot_be_keys_of_the_model_are_shown(client: Client) -> None:
    LinkData.objects.create(
        content_type=ContentType.objects.get_for_model(Page),
        object_id="no number",
        collected_during=DAY,
    )
    assert "Page no number (gone)" in text_of(client, url_of(LinkData))


@pytest.mark.parametrize("data_cls", [PageData, PageTotals, PageParentData, DownloadData])
def test_number_of_queries_does_not_grow_with_the_rows(client: Client, data_cls: Any) -> None:
    model = Download if data_cls is DownloadData else Page
    numbers = []
    for size in (1, 99):
        for n in range(size):
            more = {"slug": f"{size}-{n}"} if model is Page else {}
            a_row(data_cls, model.objects.create(title=str(n), **more))
        ContentType.objects.clear_cache()
        with CaptureQueriesContext(connection) as queries:
            text_of(client, url_of(data_cls))
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 10


def test_rows_of_several_models_take_a_query_for_each(client: Client) -> None:
    page, other = a_page(), Unregistered.objects.create(title="x")
    for parent in (page, other):
        a_row(PageTotals, parent)
    with CaptureQueriesContext(connection) as queries:
        text_of(client, url_of(PageTotals))
    asked = [query["sql"] for query in queries if "title" in query["sql"]]
    assert len(asked) == 2


def test_newest_rows_come_first(client: Client) -> None:
    page = a_page()
    days = [DAY - timedelta(days=back) for back in (3, 0, 5, 1)]
    for day in days:
        a_row(PageData, page, day)
    found = [row.collected_during for row in rows_of(client, url_of(PageData))]
    assert found == sorted(days, reverse=True)


def test_count_of_all_rows_is_not_asked_for_again(client: Client) -> None:
    a_row(PageData, a_page("first"))
    with CaptureQueriesContext(connection) as queries:
        rows_of(client, url_of(PageData), q="first")
    assert len([query for query in queries if "COUNT(*)" in query["sql"]]) == 1


@pytest.mark.parametrize(
    ("data_cls", "start", "shown"),
    [
        (PageHours, datetime(2026, 11, 21, 22, tzinfo=UTC), "Nov. 21, 2026, 11 p.m."),
        (PageWeeks, date(2026, 11, 16), "Nov. 16, 2026 – Nov. 22, 2026"),  # noqa: RUF001
        (PageMonths, date(2026, 11, 1), "November 2026"),
    ],
)
def test_periods_are_shown_as_people_write_them(
    client: Client, data_cls: Any, start: Any, shown: str
) -> None:
    a_row(data_cls, a_page(), start)
    assert f">{shown}</a>" in text_of(client, url_of(data_cls))


def test_years_and_naive_hours_are_shown() -> None:
    assert period_text("year", date(2026, 1, 1)) == "2026"
    naive = datetime(2026, 11, 21, 22, tzinfo=UTC).replace(tzinfo=None)
    assert period_text("hour", naive) == "Nov. 21, 2026, 10 p.m."


# filters


def choices_of(client: Client, data_cls: Any, **params: Any) -> list[str]:
    found = date_hierarchy(client.get(url_of(data_cls), params).context["cl"])
    return [str(choice["title"]) for choice in found["choices"]]


def test_dates_are_a_hierarchy(client: Client) -> None:
    page = a_page()
    for day in (date(2024, 5, 6), date(2026, 3, 30), date(2026, 4, 2)):
        a_row(PageData, page, day)
    assert choices_of(client, PageData) == ["2024", "2025", "2026"]
    year = {"collected_during__year": "2026"}
    assert choices_of(client, PageData, **year) == ["March 2026", "April 2026"]
    month = {**year, "collected_during__month": "4"}
    assert choices_of(client, PageData, **month) == ["April 2"]
    assert len(rows_of(client, url_of(PageData), **month)) == 1


def test_weeks_are_offered_by_their_mondays(client: Client) -> None:
    page = a_page()
    for monday in (date(2026, 11, 2), date(2026, 11, 16)):
        a_row(PageWeeks, page, monday)
    assert choices_of(client, PageWeeks) == ["November 2", "November 9", "November 16"]


def test_hours_are_offered_by_the_days_of_the_zone(client: Client) -> None:
    page = a_page()
    for hour in (datetime(2026, 11, 20, 23, tzinfo=UTC), datetime(2026, 11, 21, 23, tzinfo=UTC)):
        a_row(PageHours, page, hour)
    assert choices_of(client, PageHours) == ["November 21", "November 22"]


@pytest.mark.parametrize(
    ("kind", "number", "last"),
    [("year", 3, date(2026, 1, 1)), ("month", 14, date(2026, 1, 1)), ("day", 401, None)],
)
def test_steps_run_from_the_first_to_the_last(kind: str, number: int, last: date | None) -> None:
    first, end = date(2024, 12, 7), date(2026, 1, 11)
    found = steps(first, end, kind)
    assert (len(found), found[-1]) == (number, last or end)
    assert found == sorted(set(found))


def test_empty_table_has_pages(client: Client) -> None:
    for data_cls in DATA_CLASSES:
        assert rows_of(client, url_of(data_cls)) == []


def test_class_without_a_time_has_no_hierarchy(client: Client) -> None:
    a_row(PageTotals, a_page())
    assert client.get(url_of(PageTotals)).context["cl"].date_hierarchy is None


def test_models_are_a_filter_only_if_there_are_several(client: Client) -> None:
    page, other = a_page(), Unregistered.objects.create(title="x")
    rows = [a_row(PageTotals, parent) for parent in (page, other)]
    assert "By model" not in text_of(client, url_of(PageTotals))
    registry = TrackableSite("another")
    registry.register(Unregistered, PageTotals)
    assert "By model" in text_of(client, url_of(PageTotals))
    assert "By model" not in text_of(client, url_of(PageParentTotals))
    assert rows_of(client, url_of(PageTotals), model="testapp.unregistered") == rows[1:]
    assert rows_of(client, url_of(PageTotals), model="testapp.page") == rows[:1]
    assert len(rows_of(client, url_of(PageTotals), model="no.such")) == 2


# the search


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
    assert "Search for a page by its text, or by its id." in text_of(client, url_of(PageData))


def test_search_passes_passwords_over() -> None:
    assert "password" not in parents.text_fields(User)
    assert "username" in parents.text_fields(User)


# the row


def test_row_is_not_added_by_hand(client: Client) -> None:
    assert client.get(url_of(PageData, "add")).status_code == 403
    assert "Add page data" not in text_of(client, url_of(PageData))


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
    text = text_of(client, url_of(PageData, row.pk, "change"))
    assert '<input type="hidden" name="initial-views" value="100"' in text
    assert "is added as a difference" in text


def test_correction_without_what_was_shown_goes_by_what_is_stored(client: Client) -> None:
    row = a_row(PageData, a_page(), views=100)
    posted = {name: v for name, v in shown(row).items() if not name.startswith("initial-")}
    change(client, row, **{**posted, "views": "90"})
    change(client, row, **{**posted, "views": "80", "initial-views": "nonsense"})
    assert PageData.objects.get().views == 80


@pytest.mark.parametrize(
    ("field", "value"),
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
    text = text_of(client, url_of(PageData, row.pk, "change"))
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
    text = text_of(client, url)
    assert "By views" in text
    assert 'name="form-0-views"' in text
    assert "object_id" in text_of(client, f"{url}{rows[0].pk}/change/")


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
