"""The admin's lists of data classes: their rows, columns and filters."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.templatetags.admin_list import date_hierarchy
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from trackable import TrackableSite
from trackable.admin.changelist import period_text, steps
from trackable.admin.data import TrackableDataAdmin
from trackable_tests.admin.data_pages import DATA_CLASSES, DAY, a_row, rows_of, site, url_of
from trackable_tests.admin.pages import staff, text_at
from trackable_tests.counting import a_page
from trackable_tests.tables import for_each
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
    PageTotals,
    PageWeeks,
    Unregistered,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_urls")]


# the rows


@pytest.mark.parametrize("data_cls", DATA_CLASSES)
def test_every_data_class_has_its_pages(client: Client, data_cls: Any) -> None:
    parent = {DownloadData: Download(title="x"), LinkData: Link(code="a/b_c")}.get(data_cls)
    parent = parent or Page(title="x")
    parent.save()
    start = datetime(2026, 11, 21, 10, tzinfo=UTC) if data_cls is PageHours else DAY
    row = a_row(data_cls, parent, start, views=41)
    listed = text_at(client, url_of(data_cls))
    assert ">41<" in listed
    assert url_of(data_cls, row.pk, "change") in listed
    assert 'value="41"' in text_at(client, url_of(data_cls, row.pk, "change"))
    assert client.get(url_of(data_cls, row.pk, "delete")).status_code == 200
    assert TrackableDataAdmin(data_cls, site).check() == []


def test_row_shows_object_period_and_counters(client: Client) -> None:
    page = a_page("first")
    row = a_row(PageData, page, views=1001, score=-7, revenue="9.90", seconds=1 / 3)
    text = text_at(client, url_of(PageData))
    for shown in ("Nov. 21, 2026", ">1001<", ">-7<", ">9.90<", ">0.33<"):
        assert shown in text
    assert f'<a href="{url_of(Page, page.pk, "change")}">first</a>' in text
    assert f'<a href="{url_of(PageData, row.pk, "change")}">Nov. 21, 2026</a>' in text


def test_foreign_keys_are_linked_too(client: Client) -> None:
    page = a_page("first")
    a_row(PageParentData, page)
    link = f'<a href="{url_of(Page, page.pk, "change")}">first</a>'
    assert link in text_at(client, url_of(PageParentData))


def test_object_without_admin_pages_is_no_link(client: Client) -> None:
    a_row(LinkData, Link.objects.create(code="a"))
    assert '<td class="field-counted_object">a</td>' in text_at(client, url_of(LinkData))


def test_object_that_the_user_may_not_see_is_no_link() -> None:
    a_row(PageData, a_page("first"))
    text = text_at(staff("view_pagedata"), url_of(PageData))
    assert '<td class="field-counted_object">first</td>' in text


def test_title_of_an_object_is_escaped(client: Client) -> None:
    a_row(LinkData, Link.objects.create(code="<script>"))
    a_row(PageData, Page.objects.create(title="<script>", slug="x"))
    for data_cls in (LinkData, PageData):
        text = text_at(client, url_of(data_cls))
        assert "&lt;script&gt;" in text
        assert "<script>&lt;" not in text.replace("\n", "")


def test_object_that_is_gone_is_told_by_its_id(client: Client) -> None:
    page = a_page("first")
    row = a_row(PageData, page)
    Page.objects.all().delete()
    for url in (url_of(PageData), url_of(PageData, row.pk, "change")):
        assert f"Page {row.object_id} (gone)" in text_at(client, url)


def test_object_of_a_model_that_is_gone_is_told_by_its_id(client: Client) -> None:
    stale = ContentType.objects.create(app_label="shop", model="article")
    PageTotals.objects.create(content_type=stale, object_id=5)
    assert "Article 5 (gone)" in text_at(client, url_of(PageTotals))


def test_ids_that_cannot_be_keys_of_the_model_are_shown(client: Client) -> None:
    LinkData.objects.create(
        content_type=ContentType.objects.get_for_model(Page),
        object_id="no number",
        collected_during=DAY,
    )
    assert "Page no number (gone)" in text_at(client, url_of(LinkData))


@pytest.mark.parametrize("data_cls", [PageData, PageTotals, PageParentData, DownloadData])
def test_number_of_queries_does_not_grow_with_the_rows(client: Client, data_cls: Any) -> None:
    model = Download if data_cls is DownloadData else Page
    numbers = []
    for size in (1, 30):
        for n in range(size):
            more = {"slug": f"{size}-{n}"} if model is Page else {}
            a_row(data_cls, model.objects.create(title=str(n), **more))
        ContentType.objects.clear_cache()
        with CaptureQueriesContext(connection) as queries:
            text_at(client, url_of(data_cls))
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 10


def test_rows_of_several_models_take_a_query_for_each(client: Client) -> None:
    page, other = a_page(), Unregistered.objects.create(title="x")
    for parent in (page, other):
        a_row(PageTotals, parent)
    with CaptureQueriesContext(connection) as queries:
        text_at(client, url_of(PageTotals))
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


@for_each(
    "data_cls, start, shown",
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
    assert f">{shown}</a>" in text_at(client, url_of(data_cls))


def test_years_and_naive_hours_are_shown() -> None:
    assert period_text("year", date(2026, 1, 1)) == "2026"
    naive = datetime(2026, 11, 21, 22, tzinfo=UTC).replace(tzinfo=None)
    assert period_text("hour", naive) == "Nov. 21, 2026, 10 p.m."


# the filters


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


@for_each(
    "kind, number, last",
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
    assert "By model" not in text_at(client, url_of(PageTotals))
    registry = TrackableSite("another")
    registry.register(Unregistered, PageTotals)
    assert "By model" in text_at(client, url_of(PageTotals))
    assert "By model" not in text_at(client, url_of(PageParentTotals))
    assert rows_of(client, url_of(PageTotals), model="testapp.unregistered") == rows[1:]
    assert rows_of(client, url_of(PageTotals), model="testapp.page") == rows[:1]
    assert len(rows_of(client, url_of(PageTotals), model="no.such")) == 2
