"""Records at their emission: what can travel, what is filtered, and what a test sees of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import RequestFactory

from trackable import records
from trackable.exceptions import BadRecord
from trackable.messaging import send_record, tally_filtered
from trackable.testing import Record, capture
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import PageTotals, Visit

VISIT = "testapp.Visit"


def test_a_record_says_what_was_emitted() -> None:
    _, *counter, number = records.cells_of(VISIT, {"path": "/ä", "number": 1})
    assert records.is_record(counter)
    assert records.values_of(counter) == {"path": "/ä", "number": 1}
    assert number == 1


def test_each_record_is_another() -> None:
    one, other = (records.cells_of(VISIT, {}) for _ in range(2))
    assert one != other


@for_each(
    "values",
    [{"path": object()}, {"path": float("nan")}, {"path": "x" * records.MAX_LENGTH}, {(1, 2): 3}],
)
def test_what_cannot_travel_is_refused(values: dict[Any, Any], settings: Any) -> None:
    assert not send_record(None, Visit, values)
    settings.DEBUG = True
    with pytest.raises(BadRecord, match=VISIT):
        send_record(None, Visit, values)


def test_a_record_without_end_is_refused() -> None:
    endless: dict[str, Any] = {}
    endless["self"] = endless
    with pytest.raises(BadRecord):
        records.cells_of(VISIT, endless)


def test_an_outbox_shows_records_apart_from_increments() -> None:
    with capture() as outbox:
        assert send_record(None, Visit, {"path": "/"})
    assert outbox.records == [Record(VISIT, {"path": "/"})]
    assert outbox == []


@pytest.mark.django_db
def test_an_outbox_folds_the_records_that_are_left_in_it() -> None:
    with capture() as outbox:
        for path in ("/a", "/b"):
            send_record(None, Visit, {"path": path})
        del outbox.records[0]
        assert outbox.fold() == 1
    assert Visit.objects.get().path == "/b"


def test_crawlers_leave_no_record(settings: Any, rf: RequestFactory) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    request = rf.get("/", headers={"user-agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"})
    with capture() as outbox:
        assert not send_record(request, Visit, {"path": "/"})
    assert outbox.records == []
    assert outbox.filtered == {VISIT: 1}


def test_hits_that_are_not_to_be_counted_can_be_told_of() -> None:
    with capture() as outbox:
        assert tally_filtered(PageTotals)
        assert tally_filtered(Visit)
    assert outbox.filtered == {"testapp.PageTotals": 1, VISIT: 1}


def test_nothing_in_a_record_reaches_the_line_unescaped() -> None:
    cells = records.cells_of(VISIT, {"path": 'a\n"b\x00\ud800'})
    assert json.loads(json.dumps(cells))[2].isascii()
    assert "\n" not in cells[2]
