"""How much was counted, in queries of the objects themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext, isolate_apps

import trackable
from trackable.exceptions import (
    BadPeriod,
    BadSum,
    BadTime,
    NotRegistered,
    UnknownField,
    WrongDataClass,
)
from trackable.reading import windows
from trackable.reading.popularity import counted, popular
from trackable_tests.counting import a_page
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    LinkData,
    Page,
    PageData,
    PageParentData,
    PageTotals,
    PageVisitors,
    Unregistered,
)

pytestmark = pytest.mark.django_db

TODAY = date(2026, 11, 21)


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "today", lambda: TODAY)


def row(obj: Any, days_ago: int = 0, data_cls: Any = PageData, **counts: Any) -> None:
    data_cls.objects.create(
        parent=obj, collected_during=TODAY - timedelta(days=days_ago), **counts or {"views": 1}
    )


@pytest.fixture
def pages() -> list[Page]:
    """Two with counts of this week and before it, and one without any."""
    a, b, c = (a_page(slug) for slug in "abc")
    for number, views in [(0, 1), (6, 2), (7, 4)]:
        row(a, number, views=views)
        row(b, number, views=10 * views)
    return [a, b, c]


def test_any_queryset_of_the_model_takes_the_annotation(pages: list[Page]) -> None:
    week = Page.objects.annotate(views=counted(PageData, "views", days=7))
    assert list(week.order_by("-views").values_list("slug", "views")) == [
        ("b", 30),
        ("a", 3),
        ("c", 0),
    ]
    assert week.filter(views__gt=3, slug="b").count() == 1
    assert [page.slug for page in Page.objects.order_by(counted(PageData, "views"), "slug")] == [
        *("c", "a", "b")
    ]
    twice = Page.objects.alias(n=counted(PageData, "views", days=1)).annotate(twice=F("n") * 2)
    assert twice.get(slug="b").twice == 20


def test_times_are_those_of_between(pages: list[Page]) -> None:
    def of_b(**times: Any) -> int:
        return Page.objects.annotate(n=counted(PageData, "views", **times)).get(slug="b").n

    assert [of_b(days=number) for number in (1, 7, 8, 9_999_999)] == [10, 30, 70, 70]
    assert of_b(start=date(2026, 11, 14), end=date(2026, 11, 15)) == 60
    assert of_b(end=datetime(2026, 11, 15, tzinfo=UTC)) == 40
    for wrong in ({"days": 7, "start": TODAY}, {"days": 0}):
        with pytest.raises(BadTime):
            counted(PageData, "views", **wrong)
    with pytest.raises(BadPeriod, match="without a time"):
        counted(PageTotals, "views", days=7)
    with pytest.raises(BadSum, match="no database can unite"):
        counted(PageVisitors, "visitors")


def test_numbers_have_the_counters_type() -> None:
    row(a_page("a"), score=-3, revenue=Decimal("1.10"), seconds=0.5)
    a_page("b")
    for name, values in {
        "score": [-3, 0],
        "revenue": [Decimal("1.1"), 0],
        "seconds": [0.5, 0],
    }.items():
        annotated = Page.objects.annotate(n=counted(PageData, name)).order_by("slug")
        found = [page.n for page in annotated]
        assert found == values
        assert type(found[0]) is type(found[1]) is type(values[0])


def test_every_kind_of_key_and_relation_is_found() -> None:
    page, link, download = a_page(), Link.objects.create(code="ä"), Download.objects.create()
    for obj, data_cls in [(page, PageParentData), (link, LinkData), (download, DownloadData)]:
        row(obj, 0, data_cls, views=2)
        model = type(obj)
        assert model.objects.annotate(n=counted(data_cls, "views", days=1)).get().n == 2
        assert popular(model, "views", data_cls=data_cls).get().popularity == 2
    PageTotals.objects.create(parent=page, views=5)
    assert popular(Page, "views", days=None, data_cls=PageTotals).get().popularity == 5


def test_text_holds_keys_of_every_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class that counts for models with integer, UUID and character keys."""
    registry = trackable.TrackableSite("of texts")
    registry.register([Page, Download], LinkData)
    for obj in (a_page(), Download.objects.create()):
        row(obj, 0, LinkData, views=3)
        assert type(obj).objects.annotate(n=counted(LinkData, "views")).get().n == 3
        assert popular(type(obj), "views", data_cls=LinkData).get() == obj
    assert {type(each.obj) for each in LinkData.objects.top("views")} == {Page, Download}


@isolate_apps("trackable_tests.testapp")
def test_inheriting_models_have_the_counts_of_the_registered_one() -> None:
    class Draft(Page):
        class Meta:
            app_label = "testapp"
            proxy = True

    class LongPage(Page):
        class Meta:
            app_label = "testapp"

    row(a_page())
    assert popular(Draft, "views").get().popularity == 1
    # by the column that it has itself: no join
    query = str(LongPage.objects.annotate(n=counted(PageData, "views")).values("n").query)
    assert '"testapp_longpage"."page_ptr_id"'.replace('"', "") in query.replace('"', "").replace(
        "`", ""
    )
    assert "JOIN" not in query


def test_popular_are_the_counted_ones_most_first(pages: list[Page]) -> None:
    found = popular(Page, "views", days=7)
    assert [(page.slug, page.popularity) for page in found] == [("b", 30), ("a", 3)]
    assert [page.slug for page in found.filter(slug="a")] == ["a"]
    assert [page.slug for page in trackable.popular(Page, "views", days=None)] == ["b", "a"]


def test_popular_takes_the_first_class_with_the_field_and_the_time(pages: list[Page]) -> None:
    assert popular(Page, "clicks").first().popularity == 0
    with pytest.raises(UnknownField, match=r"None of .*PageData.* has a counter 'vews'"):
        popular(Page, "vews")
    with pytest.raises(NotRegistered, match=r"Unregistered is not counted"):
        popular(Unregistered, "views")
    with pytest.raises(WrongDataClass):
        list(Unregistered.objects.annotate(n=counted(PageData, "views")))


def test_one_query_each(pages: list[Page], django_assert_num_queries: Any) -> None:
    ContentType.objects.get_for_model(Page)
    with django_assert_num_queries(1):
        list(Page.objects.annotate(views=trackable.counted(PageData, "views", days=7)))
    with django_assert_num_queries(1):
        list(popular(Page, "views")[:10])


@pytest.mark.django_db(databases=["default", "other"])
def test_content_types_are_those_of_the_database_that_is_asked() -> None:
    ContentType.objects.using("other").all().delete()
    ContentType.objects.clear_cache()
    page = Page(pk=1, slug="a")
    page.save(using="other")
    kind = ContentType.objects.db_manager("other").get_for_model(Page)
    data = PageData(content_type_id=kind.pk, object_id=1, collected_during=TODAY, views=2)
    data.save(using="other")
    annotated = Page.objects.annotate(n=counted(PageData, "views"))
    assert annotated.using("other").get().n == 2
    assert popular(Page, "views").using("other").get().popularity == 2
    ContentType.objects.clear_cache()


# a million rows


@pytest.fixture
def million() -> None:
    """Ten thousand pages, each with a hundred days."""
    kind = ContentType.objects.get_for_model(Page).pk
    pages = "generate_series(1, 10000) i"
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO testapp_page (id, title, slug) SELECT i, '', i FROM {pages}")
        cursor.execute(
            "INSERT INTO testapp_pagedata (content_type_id, object_id, collected_during, views,"
            f" clicks, score, revenue, seconds) SELECT {kind}, i, %s::date - d, i %% 50, 0, 0, 0, 0"
            f" FROM {pages}, generate_series(0, 99) d",
            [TODAY],
        )
        cursor.execute("ANALYZE testapp_page, testapp_pagedata")


def scans(queries: CaptureQueriesContext) -> list[dict[str, Any]]:
    """Return the nodes of a query's plan that read the rows of the data class."""
    [query] = queries.captured_queries
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {query['sql']}")
        [plan] = cursor.fetchone()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    return [
        node for node in nodes(plan[0]["Plan"]) if node.get("Relation Name", "").endswith("data")
    ]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for each in plan.get("Plans", ()):
        yield from nodes(each)


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.vendor("postgresql")
@pytest.mark.usefixtures("million")
def test_a_million_rows_are_read_by_their_indexes() -> None:
    key, period = "testapp_pagedata_key", "testapp_pagedata_period"
    page = Page.objects.get(pk=77)
    rows = PageData.objects.for_object(page)
    week = Page.objects.annotate(views=counted(PageData, "views", days=7)).order_by("-views")
    for ask, indexes in [
        (lambda: list(week[:10]), [key]),
        (lambda: list(week.filter(pk__lt=21)), [key]),
        (lambda: list(popular(Page, "views")[:10]), [period, key]),
        (lambda: rows.total("views"), [key]),
        (lambda: rows.between(TODAY, TODAY).total("views"), [key]),
        (lambda: rows.series("views", by="month"), [key]),
    ]:
        with CaptureQueriesContext(connection) as queries:
            ask()
        found = scans(queries)
        assert [node["Index Name"] for node in found] == indexes
        conditions = found[-1]["Index Cond"]
        assert "object_id = " in conditions
        assert "content_type_id = " in conditions
