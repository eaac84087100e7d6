"""The overview of a data class: the objects of which most was counted, and those that rise."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from trackable.admin.rising import before, rising
from trackable.reading.windows import today
from trackable_tests.admin.data_pages import DATA_CLASSES, DAY, a_row, url_of
from trackable_tests.admin.pages import staff, text_at
from trackable_tests.admin.test_statistics import INLINE, main_of, statistics_of
from trackable_tests.counting import a_page
from trackable_tests.testapp.models import Page, PageData, PageParentData, PageTotals

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_urls")]

OVERVIEW = url_of(PageData, "overview")


def counted(slug: str, then: int, now: int, data_cls: Any = PageData, **more: int) -> Page:
    """Make a page with so much of the week before and of the last one."""
    page = a_page(slug)
    a_row(data_cls, page, today() - timedelta(days=10), views=then, **more)
    a_row(data_cls, page, today(), views=now, **more)
    return page


def risers(data_cls: Any = PageData, field: str = "views", n: int = 9) -> list[Any]:
    now = (today() - timedelta(days=6), today())
    return rising(data_cls.objects.all(), field, n, then=before(*now) or now, now=now)


# what rises


@pytest.mark.parametrize("data_cls", [PageData, PageParentData])
def test_a_sure_rise_is_before_a_rise_by_chance(data_cls: Any) -> None:
    counted("chance", 1, 3, data_cls)
    counted("sure", 1000, 2000, data_cls)
    counted("fast", 100, 500, data_cls)
    counted("new", 0, 50, data_cls)
    counted("falling", 50, 20, data_cls)
    counted("still", 1000, 1001, data_cls)
    found = risers(data_cls)
    assert [each.obj.slug for each in found] == ["new", "fast", "sure"]
    sure = found[-1]
    assert (sure.before, sure.now) == (1000, 2000)
    assert sure.at_least == pytest.approx(1.854, abs=0.001)  # by hand, from Wilson's formula


def test_what_is_gone_and_what_is_negative_is_left_out() -> None:
    gone = counted("gone", 0, 500)
    counted("kept", 0, 50)
    Page.objects.filter(pk=gone.pk).delete()
    page = a_page("negative")
    a_row(PageData, page, today() - timedelta(days=10), score=-50)
    a_row(PageData, page, today(), score=20)
    assert [each.obj.slug for each in risers()] == ["kept"]
    assert risers(field="score") == []


def test_there_is_no_time_before_all_dates() -> None:
    assert before(date(1970, 1, 2), date(9999, 12, 30)) is None


def test_the_time_before_is_as_long_and_ends_where_the_other_begins() -> None:
    assert before(DAY, DAY) == (DAY - timedelta(days=1), DAY - timedelta(days=1))
    assert before(DAY - timedelta(days=6), DAY) == (
        DAY - timedelta(days=13),
        DAY - timedelta(days=7),
    )


# the page


def test_objects_are_listed_with_their_numbers_and_statistics(client: Client) -> None:
    page = counted("first", 100, 4321)
    counted("second", 10, 20)
    text = main_of(text_at(client, OVERVIEW, period="7"))
    most, rise = text.split("Fastest rising")
    assert most.index(">first<") < most.index(">second<")
    assert f'<a href="{statistics_of(PageData, page)}">first</a>' in rise
    for shown in ("100", "4,321"):
        assert f'<td class="number">{shown}</td>' in rise
    assert "Views, last 30 days: 4,421 in all, at most 4,321" in text
    assert not INLINE.search(text)


def test_counters_are_chosen(client: Client) -> None:
    page = a_page("first")
    a_row(PageData, page, today(), views=1, revenue="9.50")
    text = main_of(text_at(client, OVERVIEW, counter="revenue"))
    assert '<td class="number">9.50</td>' in text
    assert "Fastest rising" not in text


def test_all_time_and_no_time_have_nothing_before(client: Client) -> None:
    counted("first", 100, 4000)
    a_row(PageTotals, Page.objects.get(), views=4100)
    for url in (OVERVIEW, url_of(PageTotals, "overview")):
        text = main_of(text_at(client, url, period="all"))
        assert '<td class="number">4,100</td>' in text
        assert "Fastest rising" not in text


def test_every_data_class_has_an_overview_and_its_button(client: Client) -> None:
    for data_cls in DATA_CLASSES:
        url = url_of(data_cls, "overview")
        assert "Nothing was counted." in text_at(client, url)
        assert f'<li><a href="{url}">Overview</a></li>' in text_at(client, url_of(data_cls))


def test_bad_questions_are_answered_by_the_form(client: Client) -> None:
    custom = {"period": "custom"}
    for asked in (
        {"counter": "content_type"},
        {"counter": "\0"},
        {"period": "x"},
        custom,
        {**custom, "first": "2026-02-02", "last": "2026-02-01"},
    ):
        text = main_of(text_at(client, OVERVIEW, **asked))
        assert 'class="errorlist' in text, asked
        assert "<table" not in text, asked
    early = {**custom, "first": "1970-01-02", "last": "9999-12-30"}
    assert "<table" in text_at(client, OVERVIEW, **early)


def test_it_takes_permission_to_view_the_counts() -> None:
    assert Client().get(OVERVIEW).status_code == 302
    assert staff("view_page").get(OVERVIEW).status_code == 403


def test_objects_that_one_may_not_see_are_no_links() -> None:
    counted("first", 1, 2)
    text = main_of(text_at(staff("view_pagedata"), OVERVIEW))
    assert ">first</th>" in text


def test_number_of_queries_does_not_grow(client: Client) -> None:
    numbers = []
    for size in (1, 30):
        for number in range(size):
            counted(f"{size}-{number}", 100, 900)
        with CaptureQueriesContext(connection) as queries:
            text_at(client, OVERVIEW, period="7")
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 9
