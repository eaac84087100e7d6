"""Emitting visitors: as increments are, without SQL, and without a trace of the key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory

from trackable.exceptions import BadKey, BadTime, UnknownField, UnsavedObject
from trackable.journal import lines, writer
from trackable.messaging import send_increment_message, send_unique_message
from trackable_tests.testapp.models import Page, PageData, PageVisitors
from trackable_tests.uniques.seeing import LABEL, NOON, see

PAGE = Page(pk=1)


@pytest.fixture
def development(settings: Any) -> None:
    settings.DEBUG = True


def emitted(settings: Any) -> list[list[Any]]:
    """Return the cells of what the journal has."""
    writer.close()
    files = Path(settings.TRACKABLE_JOURNAL_DIR).glob("*.sealed")
    content = b"".join(file.read_bytes() for file in files)
    assert b"ana" not in content
    found = [lines.decode(line) or [] for line in content.splitlines()]
    return [cells for cells in found if cells[0] == LABEL]


def test_a_visitor_is_a_line_without_the_key(settings: Any) -> None:
    see(PAGE, "ana", "ana")  # and no SQL, which would fail here
    one, other = emitted(settings)
    assert one == other
    *counter, cell, amount = one
    assert counter == [LABEL, "testapp.Page", "1", "2026-11-21"]
    assert (cell.partition(":")[0], amount) == ("visitors", 1)


def test_without_a_key_it_is_the_requests_visitor(settings: Any) -> None:
    for agent in ("ana", "ben", "ana"):
        request = RequestFactory().get("/", headers={"User-Agent": agent})
        assert send_unique_message(request, PAGE, "visitors")
    assert len({cells[4] for cells in emitted(settings)}) == 2


def test_crawlers_are_no_visitors(settings: Any) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    request = RequestFactory().get("/", headers={"User-Agent": "Googlebot/2.1"})
    request_of_a_person = RequestFactory().get(
        "/", headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Firefox/130.0"}
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("trackable.spiders.verdict_of_request", lambda r: r is request or None)
        assert not send_unique_message(request, PAGE, "visitors", "ana")
        assert send_unique_message(request_of_a_person, PAGE, "visitors", "ana")
    assert [len(cells) for cells in emitted(settings)] == [3, 6]


def test_visitors_do_not_push_counters_out_of_the_cache() -> None:
    before = lines.encode.cache_info()
    see(PAGE, *range(100))
    assert lines.encode.cache_info() == before


@pytest.mark.usefixtures("development")
def test_mistakes_raise_in_development() -> None:
    with pytest.raises(BadKey):
        send_unique_message(None, PAGE, "visitors")
    with pytest.raises(BadKey):
        send_unique_message(None, PAGE, "visitors", "")
    with pytest.raises(UnsavedObject):
        send_unique_message(None, Page(), "visitors", "ana")
    with pytest.raises(BadTime):
        see(PAGE, "ana", when=NOON.replace(tzinfo=None))


@pytest.mark.usefixtures("development")
def test_each_kind_of_counter_has_its_own_way() -> None:
    with pytest.raises(UnknownField, match="use send_unique_message"):
        send_increment_message(None, PAGE, "visitors")
    with pytest.raises(UnknownField, match="use send_unique_message"):
        send_increment_message(None, PAGE, "visitors", PageVisitors)
    with pytest.raises(UnknownField, match="use send_increment_message"):
        send_unique_message(None, PAGE, "views", "ana", PageVisitors)
    with pytest.raises(UnknownField, match="use send_increment_message"):
        send_unique_message(None, PAGE, "views", "ana")
    with pytest.raises(UnknownField, match="no distinct count 'visitors'"):
        send_unique_message(None, PAGE, "visitors", "ana", PageData)
    with pytest.raises(UnknownField, match="'visiters'"):
        send_unique_message(None, PAGE, "visiters", "ana")


def test_in_production_a_mistake_is_logged_once_and_without_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(3):
        assert send_unique_message(None, PAGE, "visiters", "ana") is False
    [record] = caplog.records
    assert "visiters" in record.message
    assert "ana" not in record.message
