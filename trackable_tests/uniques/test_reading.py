"""Where distinct counts are shown: the admin, CSV, the outbox of tests, and the system checks."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from datetime import UTC, timedelta
from types import ModuleType
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.test import Client
from django.test.utils import isolate_apps
from django.urls import path

from trackable import testing
from trackable.admin.data import TrackableDataAdmin
from trackable.checks import check_data_class
from trackable.export import Export
from trackable.folding.engine import fold
from trackable.messaging import send_increment_message, send_unique_message
from trackable.models import TrackableData, TrackableTimeSeriesData
from trackable.uniques import UniqueCount
from trackable_tests.admin.pages import text_at
from trackable_tests.counting import a_page
from trackable_tests.testapp.models import Page, PageData, PageVisitors
from trackable_tests.uniques.seeing import LABEL, NOON, see, seen, viewed, visit

site = admin.AdminSite(name="admin")
site.register(PageVisitors, TrackableDataAdmin)

urls = ModuleType("urls_of_visitors")
urls.urlpatterns = [path("admin/", site.urls)]  # type: ignore[attr-defined]


# the admin


@pytest.fixture
def visited(admin_client: Client, settings: Any) -> Client:
    settings.ROOT_URLCONF = urls
    page = a_page()
    fold(LABEL, [visit(*(seen(page, key) for key in range(1234)), viewed(page, 5))])
    return admin_client


def test_the_list_shows_how_many_and_does_not_sort_by_it(visited: Client) -> None:
    text = text_at(visited, "/admin/testapp/pagevisitors/")
    assert '<td class="field-visitors">1234</td>' in text
    assert '<th scope="col" class="column-visitors">' in text
    assert '<th scope="col" class="sortable column-views">' in text


def test_the_row_shows_how_many_and_takes_corrections_of_the_others(visited: Client) -> None:
    row = PageVisitors.objects.get()
    url = f"/admin/testapp/pagevisitors/{row.pk}/change/"
    text = text_at(visited, url)
    assert "1234" in text.replace(",", "")
    assert 'name="visitors"' not in text
    visited.post(url, {"views": "7", "initial-views": "5", "visitors": "9"})
    row.refresh_from_db()
    assert (row.views, row.visitors) == (7, 1234)


# CSV


@pytest.fixture
def two_days(db: None) -> Page:
    page, other = a_page("a"), a_page("b")
    days = ["2026-11-21", "2026-11-24"]
    entries = [seen(page, key, day) for day in days for key in range(3)]
    fold(LABEL, [visit(*entries, seen(page, "ana", days[0]), viewed(page, 8), viewed(other))])
    return page


def csv_of(*fields: str) -> list[str]:
    file = io.StringIO(newline="")
    Export(PageVisitors, fields).write(file, UTC)
    return file.getvalue().splitlines()


def test_a_table_has_the_union_and_the_average_of_the_periods(two_days: Page) -> None:
    assert csv_of("views", "visitors") == [
        "model,object_id,object,days,views_sum,views_average,visitors_sum,visitors_average",
        f"testapp.Page,{two_days.pk},a,4,8,2.0,7,1.75",
        f"testapp.Page,{two_days.pk + 1},b,4,1,0.25,0,0.0",
    ]
    assert csv_of("visitors") == [
        "model,object_id,object,days,visitors_sum,visitors_average",
        f"testapp.Page,{two_days.pk},a,4,7,1.75",
        f"testapp.Page,{two_days.pk + 1},b,4,0,0.0",
    ]


def test_the_command_writes_distinct_counts_unasked(two_days: Page) -> None:
    out = io.StringIO()
    call_command("generate_csv", data_class=LABEL, stdout=out)
    assert "views_sum,views_average,visitors_sum" in out.getvalue()
    out = io.StringIO()
    call_command("generate_csv", model="testapp.Page", fields="visitors", stdout=out)
    assert "days,visitors_sum" in out.getvalue()


# tests of users


@pytest.mark.django_db
def test_the_outbox_has_visitors_and_folds_them() -> None:
    page, other = a_page("one"), a_page("other")
    with testing.capture() as outbox:
        see(page, "ana", "ben", "ana")
        see(other, "ana")
        send_increment_message(None, page, "views", PageVisitors, {"when": NOON})
        assert outbox.uniques(page, "visitors") == 2
        assert outbox.uniques(page, "visitors", PageVisitors) == 2
        assert outbox.uniques(other, "visitors") == 1
        assert (len(outbox), len(outbox.visitors)) == (1, 4)
        assert outbox.visitors[0].collected_during == NOON.date()
        outbox.visitors.pop()
        assert outbox.fold() == 4
    assert PageVisitors.objects.get().visitors == 2


def test_the_outbox_tells_a_mistake() -> None:
    with testing.capture() as outbox:
        with pytest.raises(testing.messaging.UnknownField):
            outbox.uniques(Page(pk=1), "views", PageVisitors)
        see(Page(pk=1), "ana")
        outbox.clear()
        assert outbox.uniques(Page(pk=1), "visitors") == 0
        with pytest.raises(testing.messaging.TrackableError, match="key of the visitor is empty"):
            send_unique_message(None, Page(pk=1), "visitors", "")


# checks


@pytest.fixture
def isolated() -> Iterator[None]:
    with isolate_apps("trackable_tests.testapp"):
        yield


def declared(base: Any = TrackableTimeSeriesData, **body: Any) -> Any:
    meta = type("Meta", (), {"app_label": "testapp"})
    return type(TrackableData)("Declared", (base,), {"__module__": __name__, "Meta": meta, **body})


def found_in(data_cls: Any) -> list[str]:
    return [str(message.id).removeprefix("trackable.") for message in check_data_class(data_cls)]


@pytest.mark.usefixtures("isolated")
@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"visitors": UniqueCount()}, []),
        ({"visitors": UniqueCount(), "counters": ("visitors",)}, []),
        ({"visitors": UniqueCount(rotates="never")}, []),
        ({"visitors": UniqueCount(), "period": "hour"}, []),
        ({"visitors": UniqueCount(rotates="week"), "period": "week"}, []),
        ({"visitors": UniqueCount(rotates="day"), "period": "week"}, ["E035"]),
        ({"visitors": UniqueCount(rotates="hour")}, ["E035"]),
        ({"visitors": UniqueCount(), "base": TrackableData}, []),
        ({"visitors": UniqueCount(rotates="year"), "base": TrackableData}, ["E035"]),
    ],
)
def test_a_secret_lives_as_long_as_a_row(body: dict[str, Any], found: list[str]) -> None:
    assert found_in(declared(**body)) == found


@pytest.mark.usefixtures("isolated")
def test_a_missing_library_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert found_in(declared(visitors=UniqueCount())) == ["E034"]
    assert found_in(PageData) == []


def test_days_before_and_after_are_rows_of_their_own() -> None:
    with testing.capture() as outbox:
        for days in (0, 1):
            see(Page(pk=1), "ana", when=NOON + timedelta(days=days))
        assert len({each.collected_during for each in outbox.visitors}) == 2
        assert outbox.uniques(Page(pk=1), "visitors") == 1
