"""Messaging: emit, and what must never happen in a request."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.test import RequestFactory
from django.test.utils import isolate_apps
from django.utils import timezone

from trackable import filtering, notices, periods
from trackable.exceptions import (
    BadAmount,
    BadTime,
    NotRegistered,
    TrackableError,
    UnknownField,
    UnsavedObject,
    WrongDataClass,
)
from trackable.journal import lines, segments, writer
from trackable.messaging import send_decrement_message, send_increment_message
from trackable.models import FilteredHits
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    Link,
    Page,
    PageData,
    PageHours,
    PageParentData,
    PageTotals,
    Unregistered,
)

NOON = datetime(2026, 11, 21, 12, 34, 56, tzinfo=UTC)


@pytest.fixture(autouse=True)
def ends(settings: Any) -> Iterator[None]:
    yield
    writer.close()


@pytest.fixture
def page() -> Page:
    return Page(pk=1, title="One", slug="one")


@pytest.fixture
def development(settings: Any) -> None:
    settings.DEBUG = True


def emitted(settings: Any) -> list[list[Any]]:
    """Return the cells of every line in the journal, each as often as it is there."""
    found = segments.listing(Path(settings.TRACKABLE_JOURNAL_DIR))
    pairs = [pair for segment in found for pair in lines.count(segment.read())]
    return [cells for cells, times in pairs for _ in range(times) if cells]


def test_an_increment_is_in_the_journal_at_the_return(page: Page, settings: Any) -> None:
    assert send_increment_message(None, page, "views", options={"when": NOON})
    assert emitted(settings) == [
        ["testapp.PageData", "testapp.Page", "1", "2026-11-21", "views", 1]
    ]


def test_a_decrement_is_an_increment_downwards(page: Page, settings: Any) -> None:
    send_decrement_message(None, page, "views", options={"value": 3, "when": NOON})
    assert emitted(settings)[0][-1] == -3


def test_it_goes_to_the_first_data_class_with_the_field(page: Page, settings: Any) -> None:
    send_increment_message(None, page, "revenue", options={"value": Decimal("2.50")})
    assert emitted(settings)[0][0] == "testapp.PageData"
    assert emitted(settings)[0][-1] == "2.50"


@pytest.mark.parametrize(
    ("emit", "sign"), [(send_increment_message, ""), (send_decrement_message, "-")]
)
def test_amounts_are_written_whatever_context_decimals_have(
    page: Page, settings: Any, emit: Any, sign: str
) -> None:
    with localcontext(prec=3):
        emit(None, page, "revenue", options={"value": Decimal("1234567890.12")})
    assert emitted(settings)[0][-1] == f"{sign}1234567890.12"


def test_it_goes_to_the_data_class_that_is_named(page: Page, settings: Any) -> None:
    send_increment_message(None, page, "views", PageTotals)
    assert emitted(settings)[0][:4] == ["testapp.PageTotals", "testapp.Page", "1", ""]


def test_an_hour_is_written_in_utc(page: Page, settings: Any) -> None:
    when = NOON.astimezone(ZoneInfo("Asia/Kolkata"))
    with timezone.override("Asia/Kolkata"):
        send_increment_message(None, page, "views", PageHours, {"when": when})
    assert emitted(settings)[0][3] == "2026-11-21T12:30:00+00:00"


def test_the_day_is_that_of_the_current_time_zone(page: Page, settings: Any) -> None:
    with timezone.override("Pacific/Auckland"):
        send_increment_message(None, page, "views", options={"when": NOON})
    assert emitted(settings)[0][3] == "2026-11-22"


def test_now_is_the_time_unless_said_otherwise(
    page: Page, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_midnight = datetime(2026, 11, 21, 23, 59, 59, 999_000, tzinfo=UTC)
    for moment in (before_midnight, before_midnight + timedelta(milliseconds=2)):
        monkeypatch.setattr(periods.time, "time", moment.timestamp)
        send_increment_message(None, page, "views")
    assert [cells[3] for cells in emitted(settings)] == ["2026-11-21", "2026-11-22"]


def test_options_are_left_as_they_were(page: Page, settings: Any) -> None:
    options = {"value": 5, "when": NOON}
    for _ in range(2):
        send_increment_message(None, page, "views", options=options)
    assert [cells[-1] for cells in emitted(settings)] == [5, 5]
    assert options == {"value": 5, "when": NOON}


def test_a_lazy_object_counts_as_what_it_stands_for(page: Page, settings: Any) -> None:
    from django.utils.functional import SimpleLazyObject

    assert send_increment_message(None, SimpleLazyObject(lambda: page), "views")  # type: ignore[arg-type]


@isolate_apps("trackable_tests.testapp")
def test_a_proxy_and_a_deferred_object_count_as_their_model(settings: Any) -> None:
    class PageProxy(Page):
        class Meta:
            proxy = True
            app_label = "testapp"

    assert send_increment_message(None, PageProxy(pk=1), "views")
    assert emitted(settings)[0][1] == "testapp.Page"


CASES = [
    (UnknownField, (Page(pk=1), "nothing"), {}),
    (UnknownField, (Page(pk=1), "object_id"), {}),
    (UnknownField, (Page(pk=1), "object_id", PageTotals), {}),
    (UnknownField, (Page(pk=1), "id", PageData), {}),
    (NotRegistered, (Unregistered(pk=1), "views"), {}),
    (NotRegistered, (object(), "views"), {}),
    (NotRegistered, (None, "views"), {}),
    (UnsavedObject, (Page(), "views"), {}),
    (UnsavedObject, (Download(), "views"), {}),
    (UnsavedObject, (Page(), "views", PageParentData), {}),
    (WrongDataClass, (Page(pk=1), "views", DownloadData), {}),
    (BadTime, (Page(pk=1), "views"), {"when": datetime(2026, 11, 21)}),  # noqa: DTZ001
    (BadTime, (Page(pk=1), "views"), {"when": "2026-11-21"}),
    (BadAmount, (Page(pk=1), "views"), {"value": True}),
    (BadAmount, (Page(pk=1), "views"), {"value": 1.5}),
    (BadAmount, (Page(pk=1), "views"), {"value": "1"}),
    (BadAmount, (Page(pk=1), "views"), {"value": None}),
    (BadAmount, (Page(pk=1), "views"), {"value": 1 << 40}),
    (BadAmount, (Page(pk=1), "revenue"), {"value": Decimal("0.001")}),
    (BadAmount, (Page(pk=1), "revenue"), {"value": Decimal("NaN")}),
    (BadAmount, (Page(pk=1), "seconds"), {"value": float("nan")}),
    (BadAmount, (Page(pk=1), "seconds"), {"value": float("inf")}),
]


@for_each("error, arguments, options", CASES)
def test_an_error_of_the_program_is_raised_in_development(
    development: None, settings: Any, error: type[TrackableError], arguments: Any, options: Any
) -> None:
    with pytest.raises(error, match=r"\w+.*[:.]"):
        send_increment_message(None, *arguments, options=options)
    assert emitted(settings) == []


@for_each("error, arguments, options", CASES)
def test_an_error_of_the_program_is_logged_once_in_production(
    caplog: pytest.LogCaptureFixture, error: Any, arguments: Any, options: Any
) -> None:
    for _ in range(3):
        assert send_increment_message(None, *arguments, options=options) is False
    assert len(caplog.messages) == 1
    assert error.__name__ in caplog.messages[0]


def test_what_a_visitor_sends_cannot_forge_a_line_of_the_log(
    page: Page, caplog: pytest.LogCaptureFixture
) -> None:
    send_increment_message(None, page, "views\nERROR forged \x1b[31m")
    assert "\n" not in caplog.messages[0]
    assert "\x1b" not in caplog.messages[0]


def test_the_log_of_causes_is_bounded(page: Page, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    for number in range(notices.MAX_CAUSES + 50):
        send_increment_message(None, page, f"field{number}")
    assert len(notices._said_at) == notices.MAX_CAUSES


def test_whatever_goes_wrong_the_request_goes_on(
    page: Page, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    def fail() -> NoReturn:
        raise MemoryError

    monkeypatch.setattr(writer, "current", fail)
    for debug in (True, False):
        settings.DEBUG = debug
        assert send_increment_message(None, page, "views") is False


def test_a_key_set_by_hand_needs_no_query(settings: Any) -> None:
    assert send_increment_message(None, Link(pk="x"), "views")
    assert send_increment_message(None, Page(pk=3), "views")


@pytest.mark.django_db
def test_an_emit_runs_no_sql_and_opens_no_socket(
    page: Page, settings: Any, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    settings.TRACKABLE_BROKER_URL = "redis://127.0.0.1:1/0"
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    request = RequestFactory(headers={"user-agent": "Mozilla/5.0 (X11; Linux) Firefox/1"}).get("/")
    send_increment_message(request, page, "views")

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    with django_assert_num_queries(0):
        for number in range(20):
            assert send_increment_message(request, Page(pk=number + 1), "views")
            assert send_increment_message(request, Page(pk=number + 1), "views", PageParentData)
    assert len(emitted(settings)) == 41


@pytest.mark.django_db
def test_a_crawler_is_filtered_and_tallied(page: Page, settings: Any) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    agent = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
    request = RequestFactory(headers={"user-agent": agent}).get("/")
    assert send_increment_message(request, page, "views") is False
    today = timezone.localdate().isoformat()
    pattern = ["trackable.FilteredHits", "trackable.Spider", "Googlebot/", today, "hits", 1]
    assert emitted(settings) == [["testapp.PageData", "filtered", 1], pattern]


def test_a_pattern_that_is_too_long_is_told_of_by_its_beginning() -> None:
    cells = lines.decode(filtering.line_of("x" * 300).rstrip(b"\n"))
    assert cells is not None
    assert cells[2] == "x" * FilteredHits._meta.get_field("object_id").max_length


def test_without_filtering_a_crawler_counts(page: Page, settings: Any) -> None:
    request = RequestFactory(headers={"user-agent": "Googlebot/2.1"}).get("/")
    assert send_increment_message(request, page, "views")


def test_a_class_in_another_registry_is_found(settings: Any) -> None:
    from trackable import TrackableSite

    registry = TrackableSite("another")
    registry.register(Unregistered, PageTotals)
    assert send_increment_message(None, Unregistered(pk=1), "views")
    assert emitted(settings)[0][:2] == ["testapp.PageTotals", "testapp.Unregistered"]
    registry.unregister(Unregistered)


def test_uuid_keys_travel_as_text(settings: Any) -> None:
    download = Download(pk=uuid4(), title="x")
    download._state.adding = False
    send_increment_message(None, download, "views")
    assert emitted(settings)[0][2] == str(download.pk)
