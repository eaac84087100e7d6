"""Template tags: totals, charts and the most popular, with one query each."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.template import Context, Engine, Template
from django.utils import timezone, translation

from trackable.exceptions import TrackableError
from trackable.uniques import sketches
from trackable_tests.testapp.models import (
    Page,
    PageData,
    PageTotals,
    PageVisitors,
    Unregistered,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def pages() -> list[Page]:
    """Two pages, with 1000 and 1 views today, 200 and 20 of last week, and one without any."""
    today = timezone.localdate()
    found = [Page.objects.create(title=f"<Page {n}>", slug=f"page-{n}") for n in range(3)]
    for page, now, before in zip(found, (1000, 1), (200, 20), strict=False):
        PageData.objects.create(parent=page, collected_during=today, views=now)
        PageData.objects.create(
            parent=page, collected_during=today - timedelta(days=7), views=before
        )
    ContentType.objects.get_for_model(Page)  # which Django remembers
    return found


def render(source: str, **context: Any) -> str:
    return Template("{% load trackable %}" + source).render(Context(context))


def test_total_is_of_all_time_or_of_so_many_days(
    pages: list[Page], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(1):
        assert render('{% trackable_total page "views" %}', page=pages[0]) == "1200"
    with django_assert_num_queries(1):
        assert render('{% trackable_total page "views" days=7 %}', page=pages[0]) == "1000"
    assert render('{% trackable_total page "views" days=8 %}', page=pages[0]) == "1200"


def test_total_is_a_number_in_a_variable(pages: list[Page]) -> None:
    source = '{% trackable_total page "views" as total %}{% if total > 1000 %}many{% endif %}'
    assert render(source, page=pages[0]) == "many"


def test_total_is_written_as_any_number(pages: list[Page], settings: Any) -> None:
    settings.USE_THOUSAND_SEPARATOR = True
    PageData.objects.update(revenue="0.50")
    source = '{% trackable_total page "views" %} {% trackable_total page "revenue" days=1 %}'
    assert render(source, page=pages[0]) == "1,200 0.50"
    with translation.override("de"):
        assert render(source, page=pages[0]) == "1.200 0,50"


def test_data_class_may_be_named(pages: list[Page]) -> None:
    PageTotals.objects.create(parent=pages[0], views=7)
    named = '{% trackable_total page "views" data_cls="testapp.PageTotals" %}'
    assert render(named, page=pages[0]) == "7"
    given = '{% trackable_total page "views" data_cls=cls %}'
    assert render(given, page=pages[0], cls=PageTotals) == "7"


def test_chart_is_of_the_last_days(pages: list[Page], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        chart = render('{% trackable_chart page "views" days=14 %}', page=pages[0])
    assert chart.startswith('<span dir="ltr" class="trackable-chart"')
    assert "Views: 1,200 in all" in chart
    assert chart.count("<title>") == 14 + 1
    assert chart.count('class="trackable-bar"') == 2


def test_chart_may_have_another_step_title_and_height(pages: list[Page]) -> None:
    source = '{% trackable_chart page "views" by="year" days=1 title=title height=300 %}'
    chart = render(source, page=pages[0], title="<b>Readers")
    assert "<title>&lt;b&gt;Readers</title><desc>By year.</desc>" in chart
    assert 'height="300"' in chart


def test_distinct_counts_are_united_and_have_no_sum(pages: list[Page]) -> None:
    for days, seen in enumerate([range(5), range(3, 10)]):
        during = timezone.localdate() - timedelta(days=days)
        sketch = sketches.add(b"", seen)
        PageVisitors.objects.create(parent=pages[0], collected_during=during, visitors=sketch)
    assert render('{% trackable_total page "visitors" %}', page=pages[0]) == "10"
    chart = render('{% trackable_chart page "visitors" days=2 %}', page=pages[0])
    assert ": 7</title>" in chart
    assert "in all" not in chart


def test_most_popular_are_a_list(pages: list[Page], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        found = render('{% trackable_popular "testapp.Page" "views" days=7 %}')
    assert " ".join(found.split()) == (
        '<ol class="trackable-popular">'
        ' <li>&lt;Page 0&gt; <span class="trackable-popularity">1000</span></li>'
        ' <li>&lt;Page 1&gt; <span class="trackable-popularity">1</span></li> </ol>'
    )


def test_most_popular_go_into_a_variable(pages: list[Page], django_assert_num_queries: Any) -> None:
    source = (
        '{% trackable_popular "testapp.Page" "views" days=None limit=1 as found %}'
        "{% for page in found %}{{ page.slug }}: {{ page.popularity }}{% endfor %}"
    )
    with django_assert_num_queries(1):
        assert render(source) == "page-0: 1200"


def test_list_of_the_most_popular_can_be_replaced(pages: list[Page]) -> None:
    replaced = {"trackable/popular.html": "{{ who }}: {{ objects|length }}"}
    engine = Engine(
        loaders=[("django.template.loaders.locmem.Loader", replaced)],
        libraries={"trackable": "trackable.templatetags.trackable"},
    )
    source = '{% load trackable %}{% trackable_popular "testapp.Page" "views" %} {{ objects }}'
    assert engine.from_string(source).render(Context({"who": "Ann"})) == "Ann: 2 "


@pytest.mark.usefixtures("pages")
def test_nothing_popular_is_no_list() -> None:
    assert render('{% trackable_popular "testapp.Page" "clicks" %}').strip() == ""


#: source -> what is told
MISTAKES = {
    '{% trackable_total page "viws" %}': "viws",
    '{% trackable_total missing "views" %}': "no object",
    '{% trackable_total other "views" %}': "not counted",
    '{% trackable_total unsaved "views" %}': "no row yet",
    '{% trackable_total page "views" days=0 %}': "days",
    '{% trackable_total page "views" data_cls="testapp.Nothing" %}': "testapp.Nothing",
    '{% trackable_chart page "views" data_cls="testapp.PageTotals" %}': "PageTotals",
    '{% trackable_chart page "views" by="hour" %}': "hour",
    '{% trackable_popular "testapp.Pag" "views" %}': "testapp.Pag",
    '{% trackable_popular "testapp.Page" "viws" %}': "viws",
}


def test_mistakes_raise_under_debug_and_else_are_logged_once(
    pages: list[Page], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    context = {"page": pages[0], "other": Unregistered(pk=1), "unsaved": Page()}
    for source, told in MISTAKES.items():
        settings.DEBUG = True
        with pytest.raises(TrackableError, match=told):
            render(source, **context)
        settings.DEBUG = False
        with caplog.at_level(logging.ERROR):
            assert render(source * 2, **context).strip() == ""
        [record] = caplog.records
        assert told in record.getMessage()
        caplog.clear()
