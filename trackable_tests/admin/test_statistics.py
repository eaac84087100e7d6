"""The page of an object's statistics: who sees it, what it shows, and what it is asked."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.template import engines
from django.test import Client
from django.test.utils import CaptureQueriesContext

from trackable.admin.buttons import FormWithStatistics
from trackable.admin.data import TrackableDataAdmin
from trackable.reading.windows import today
from trackable_tests.admin.data_pages import DAY, a_row, site, url_of
from trackable_tests.admin.pages import staff, text_at
from trackable_tests.counting import a_page
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    LinkData,
    Page,
    PageData,
    PageHours,
    PageParentData,
    PageTotals,
    PageWeeks,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_urls")]

INLINE = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", re.IGNORECASE)


def statistics_of(data_cls: Any, obj: Any) -> str:
    return url_of(data_cls, "statistics", obj._meta.label_lower, obj.pk)


def main_of(text: str) -> str:
    return text[text.index('id="content-main"') : text.index('id="footer"')]


# the way there


def test_a_change_form_has_the_button(client: Client) -> None:
    page = a_page()
    text = text_at(client, url_of(Page, page.pk, "change"))
    assert f'<li><a href="{statistics_of(PageData, page)}">Statistics</a></li>' in text
    assert text.index("Statistics</a>") < text.index("History</a>")


def test_only_forms_of_what_is_there_and_tracked_have_the_button(client: Client) -> None:
    a_page()
    assert "Statistics" not in text_at(client, url_of(Page, "add"))
    row = a_row(PageData, Page.objects.get())
    assert "Statistics" not in text_at(client, url_of(PageData, row.pk, "change"))


def test_the_button_needs_permission_to_view_counts() -> None:
    page = a_page()
    assert "Statistics" not in text_at(staff("view_page"), url_of(Page, page.pk, "change"))


def test_the_button_leads_to_counts_that_may_be_seen() -> None:
    page = a_page()
    text = text_at(staff("view_page", "view_pagetotals"), url_of(Page, page.pk, "change"))
    assert statistics_of(PageTotals, page) in text


def test_templates_of_others_keep_their_place(rf: Any, admin_user: Any) -> None:
    """Given a theme's own template: it is extended, and one without the block stays as it is."""
    with_block = "<div>{% block object-tools-items %}theirs{% endblock %}</div>"
    for template, shown in ((with_block, "Statistics</a></li>"), ("plain", "plain")):
        own = admin.AdminSite(name="admin")
        own.register(Page, type("PageAdmin", (admin.ModelAdmin,), {}))
        own.register(PageData, TrackableDataAdmin)
        assert own.urls
        page_admin: Any = own.get_model_admin(Page)
        page_admin.change_form_template = engines["django"].from_string(template)
        request = rf.get("/")
        request.user = admin_user
        obj = a_page(slug=shown[:5].lower())
        response = page_admin.changeform_view(request, str(obj.pk))
        assert shown in response.render().content.decode()


def test_links_stay_in_a_site_of_ones_own(client: Client) -> None:
    page = a_page("first")
    a_row(PageTotals, page, views=7)
    text = text_at(client, "/own/testapp/pagetotals/overview/")
    url = f"/own/testapp/pagetotals/statistics/testapp.page/{page.pk}/"
    assert f'<a href="{url}">first</a>' in text
    for found in (text, text_at(client, url)):
        assert not re.findall(r'href="/admin/[^"]', found)


def test_forms_are_wired_once() -> None:
    for _ in range(2):
        assert site.urls
    wired: Any = site.get_model_admin(Page).render_change_form
    assert isinstance(wired, FormWithStatistics)
    assert not isinstance(wired.render, FormWithStatistics)


def test_rows_lead_to_the_statistics_of_their_objects(client: Client) -> None:
    page = a_page()
    a_row(PageData, page)
    link = f'<a href="{statistics_of(PageData, page)}">'
    assert link in text_at(client, url_of(PageData))
    page.delete()
    assert "/statistics/" not in text_at(client, url_of(PageData))


# what it shows


def test_a_chart_and_a_table_say_the_same(client: Client) -> None:
    page = a_page("first")
    for back, views in ((0, 1200), (1, 34)):
        a_row(PageData, page, today() - timedelta(days=back), views=views, revenue="1.50")
    a_row(PageData, a_page("other"), today(), views=7777)
    text = main_of(text_at(client, statistics_of(PageData, page)))
    for shown in ("1,200", "34", "1,234", "3.00"):
        assert f'<td class="number">{shown}</td>' in text
    assert "Views: 1,234 in all" in text
    assert "7777" not in text
    assert "7,777" not in text
    assert text.count('<th scope="row">') == 31


def test_one_counter_is_shown_alone(client: Client) -> None:
    text = main_of(text_at(client, statistics_of(PageData, a_page()), counter="clicks"))
    assert text.count("<h2>") == 1
    assert "<h2>Clicks</h2>" in text


def test_days_and_steps_are_chosen(client: Client) -> None:
    page = a_page()
    for day in (date(2025, 1, 31), date(2025, 2, 1), date(2025, 3, 31)):
        a_row(PageData, page, day, views=5)
    asked = {"period": "custom", "first": "2025-01-15", "last": "2025-02-28", "by": "month"}
    text = main_of(text_at(client, statistics_of(PageData, page), **asked))
    assert "January 2025" in text
    assert "February 2025" in text
    assert "March 2025" not in text


def test_all_time_gets_a_step_that_suits_it(client: Client) -> None:
    page = a_page()
    a_row(PageData, page, today() - timedelta(days=1000), views=5)
    response = client.get(statistics_of(PageData, page), {"period": "all", "counter": "views"})
    assert response.context["step"] == "month"
    assert '<td class="number">5</td>' in response.content.decode()


@pytest.mark.parametrize("data_cls", [PageHours, PageWeeks, PageParentData])
def test_every_kind_of_rows_is_shown(client: Client, data_cls: Any) -> None:
    page = a_page()
    start = (
        datetime.combine(today(), datetime.min.time(), UTC) if data_cls is PageHours else today()
    )
    start = today() - timedelta(days=today().weekday()) if data_cls is PageWeeks else start
    a_row(data_cls, page, start, views=4321)
    for by in ("auto", str(data_cls.period)):
        assert "4,321" in main_of(text_at(client, statistics_of(data_cls, page), by=by))


def test_keys_of_every_kind_are_found(client: Client) -> None:
    download, link = Download.objects.create(title="x"), Link.objects.create(code="a/b_c?")
    for data_cls, obj in ((DownloadData, download), (LinkData, link)):
        a_row(data_cls, obj, today(), views=4321)
        [url] = re.findall(r'"([^"]*/statistics/[^"]*)"', text_at(client, url_of(data_cls)))
        assert "4,321" in main_of(text_at(client, url))


def test_counts_without_a_time_are_totals_alone(client: Client) -> None:
    page = a_page()
    a_row(PageTotals, page, views=4321)
    text = main_of(text_at(client, statistics_of(PageTotals, page)))
    assert "4,321" in text
    assert "<svg" not in text
    assert 'name="period"' not in text


def test_data_classes_that_may_be_seen_are_tabs() -> None:
    page = a_page()
    client = staff("view_page", "view_pagedata", "view_pagetotals")
    text = main_of(text_at(client, statistics_of(PageData, page)))
    assert f'<a href="{statistics_of(PageData, page)}" aria-current="page">' in text
    assert f'<a href="{statistics_of(PageTotals, page)}">' in text
    assert statistics_of(PageHours, page) not in text


def test_titles_are_escaped_and_nothing_is_inline(client: Client) -> None:
    page = Page.objects.create(title="<script>alert(1)</script>", slug="x")
    a_row(PageData, page, today(), views=1)
    text = text_at(client, statistics_of(PageData, page), counter="<b>")
    assert "<script>alert(1)" not in text
    assert "<b>" not in main_of(text)
    assert not INLINE.search(text_at(client, statistics_of(PageData, page)))


# the download


def test_numbers_are_downloaded(client: Client) -> None:
    page = a_page()
    a_row(PageData, page, DAY, views=7, score=-3)
    asked = {"period": "custom", "first": "2026-11-20", "last": "2026-11-21", "format": "csv"}
    response: Any = client.get(statistics_of(PageData, page), asked)
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="page-{page.pk}.csv"'
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert lines[0] == "start,end,views,clicks,score,revenue,seconds"
    assert lines[2].startswith("2026-11-21,2026-11-22,7,0,-3,0")
    assert len(lines) == 3


# what cannot be answered


def test_bad_questions_are_answered_by_the_form(client: Client) -> None:
    url, hours = statistics_of(PageData, page := a_page()), statistics_of(PageHours, page)
    custom = {"period": "custom"}
    for asked_at, asked in (
        (url, {"counter": "no_such"}),
        (url, {"counter": "\0"}),
        (url, {"period": "-1"}),
        (url, {"by": "hour"}),
        (url, {"by": "fortnight"}),
        (url, custom),
        (url, {**custom, "first": "2026-13-45"}),
        (url, {**custom, "first": "2026-02-02", "last": "2026-02-01"}),
        (url, {**custom, "first": "0001-01-01"}),
        (url, {**custom, "last": "9999-12-31"}),
        (hours, {**custom, "first": "1970-01-02", "last": "9999-12-30", "by": "hour"}),
        (hours, {**custom, "first": "2025-01-01", "last": "2026-01-01", "by": "hour"}),
    ):
        text = main_of(text_at(client, asked_at, **asked))
        assert 'class="errorlist' in text, asked
        assert "<svg" not in text, asked


def test_bad_questions_are_not_downloaded(client: Client) -> None:
    asked = {"counter": "no_such", "format": "csv"}
    assert 'class="errorlist' in text_at(client, statistics_of(PageData, a_page()), **asked)


def test_unknown_objects_are_not_found(client: Client) -> None:
    page = a_page()
    for rest in (
        ("testapp.page", 0),
        ("testapp.page", "x"),
        ("testapp.page", "9" * 50),
        ("testapp.link", page.pk),
        ("auth.user", 1),
        ("nonsense", 1),
        ("a.b.c", 1),
    ):
        assert client.get(url_of(PageData, "statistics", *rest)).status_code == 404, rest
    for key in ("%00", "_00"):
        url = url_of(LinkData, "statistics", "testapp.link", key)
        assert client.get(url).status_code == 404


def test_permission_is_needed_for_the_counts_and_for_the_object() -> None:
    page = a_page()
    url = statistics_of(PageData, page)
    assert Client().get(url).status_code == 302
    client = staff("view_pagedata")
    assert client.get(url).status_code == 403
    from django.contrib.auth.models import Permission, User

    user = User.objects.get()
    user.user_permissions.set(Permission.objects.filter(codename="view_page"))
    assert client.get(url).status_code == 403
    user.user_permissions.set(
        Permission.objects.filter(codename__in=["view_page", "view_pagedata"])
    )
    assert client.get(url).status_code == 200


def test_an_object_without_pages_goes_by_the_permissions() -> None:
    url = statistics_of(LinkData, Link.objects.create(code="a"))
    assert staff("view_linkdata", "view_link").get(url).status_code == 200


def test_number_of_queries_is_that_of_the_counters(client: Client) -> None:
    page = a_page()
    numbers = []
    for day in (1, 60):
        for back in range(day):
            a_row(PageData, page, date(2024, 1, 1) + timedelta(days=day + back))
        with CaptureQueriesContext(connection) as queries:
            text_at(client, statistics_of(PageData, page), period="all")
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 15
