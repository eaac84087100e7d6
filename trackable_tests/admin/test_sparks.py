"""Sparklines in lists of rows: the last thirty periods of each object."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from trackable.admin.sparks import starts_of
from trackable.reading.windows import today
from trackable_tests.admin.data_pages import a_row, url_of
from trackable_tests.admin.pages import staff, text_at
from trackable_tests.admin.test_statistics import statistics_of
from trackable_tests.counting import a_page
from trackable_tests.testapp.models import PageData, PageHours, PageParentData, PageTotals

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("own_urls")]


@pytest.mark.parametrize("data_cls", [PageData, PageParentData, PageHours])
def test_rows_show_the_last_periods_of_their_objects(client: Client, data_cls: Any) -> None:
    page, other = a_page("first"), a_page("other")
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    step: Any = timedelta(hours=1) if data_cls is PageHours else timedelta(days=1)
    start: Any = now if data_cls is PageHours else today()
    for back, views in ((0, 7), (29, 5), (30, 1000)):
        a_row(data_cls, page, start - back * step, views=views)
    a_row(data_cls, other, start, views=3)
    text = text_at(client, url_of(data_cls))
    assert text.count(": 12 in all, at most 7") == 2 * 3  # the label of each row, and its title
    assert text.count(": 3 in all, at most 3") == 2
    assert f'<a href="{statistics_of(data_cls, page)}"><svg' in text


def test_rows_without_a_time_have_a_link_alone(client: Client) -> None:
    page = a_page()
    a_row(PageTotals, page, views=7)
    text = text_at(client, url_of(PageTotals))
    assert f'<a href="{statistics_of(PageTotals, page)}">Statistics</a>' in text


def test_objects_that_one_may_not_see_have_a_line_and_no_link() -> None:
    a_row(PageData, a_page(), today(), views=7)
    text = text_at(staff("view_pagedata"), url_of(PageData))
    assert ": 7 in all" in text
    assert "/statistics/" not in text


def test_lines_of_a_page_take_one_query(client: Client) -> None:
    for number in range(50):
        a_row(PageData, a_page(f"p{number}"), today(), views=number)
    with CaptureQueriesContext(connection) as queries:
        text_at(client, url_of(PageData))
    asked = [each["sql"] for each in queries if ">=" in each["sql"]]
    assert len([sql for sql in asked if "collected_during" in sql]) == 1
    assert len(queries) <= 10


def test_periods_follow_each_other_in_every_zone() -> None:
    now = datetime(2026, 10, 25, 12, tzinfo=UTC)
    with timezone.override(ZoneInfo("Australia/Lord_Howe")):
        hours: Any = starts_of("hour", now)
    assert len(set(hours)) == len(hours) == 30
    assert hours == sorted(hours)
    assert starts_of("month", now)[0] == date(2024, 5, 1)
    assert starts_of("week", now)[-1] == date(2026, 10, 19)
