"""Plausible: each kind of hit in its event, with the headers that tell visitors apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.services.base import Request, Response
from trackable.contrib.analytics.services.plausible import PlausibleService
from trackable_tests.contrib.analytics.test_hits import NEEDED
from trackable_tests.contrib.analytics.test_universal import GOODS
from trackable_tests.tables import for_each

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
USUAL = {"domain": "example.com", "url": "https://example.com/page/?a=1"}


def service(**options: Any) -> PlausibleService:
    return PlausibleService({"domain": "example.com", **options})


def requests_for(*hits: Hit) -> list[Request]:
    return service().requests_for(hits, now=NOW)


@pytest.fixture
def tell(a_hit: Callable[..., Hit]) -> Callable[..., dict[str, Any]]:
    """Return what is told of a hit, beside the usual."""

    def make(**values: Any) -> dict[str, Any]:
        (request,) = requests_for(a_hit(**{"happened_at": NOW, **values}))
        found = json.loads(request.body)
        return {name: value for name, value in found.items() if USUAL.get(name) != value}

    return make


def test_page_view_is_sent_as_the_browser_would(a_hit: Callable[..., Hit]) -> None:
    (request,) = requests_for(a_hit(happened_at=NOW, referrer="https://from.example/"))
    assert (request.method, request.url) == ("POST", "https://plausible.io/api/event")
    assert request.headers == {
        "Content-Type": "application/json",
        "User-Agent": "Mozilla/5.0",
        "X-Forwarded-For": "192.0.2.0",
    }
    assert json.loads(request.body) == {
        **USUAL,
        "name": "pageview",
        "referrer": "https://from.example/",
    }


@for_each(
    "kind, values, event",
    [
        ("screenview", {"screen_name": "Start"}, {"name": "pageview"}),
        ("event", {"category": "Video", "action": "Play", "label": "Cats", "value": 7},
         {"name": "Video: Play", "props": {"label": "Cats", "value": "7"}}),
        ("social", NEEDED["social"], {"name": "Example: like", "props": {"target": "/"}}),
        ("exception", {"description": "Not Found", "fatal": False},
         {"name": "Exception", "props": {"description": "Not Found", "fatal": "false"}}),
        ("timing", NEEDED["timing"],
         {"name": "Timing: load",
          "props": {"user_timing_category": "js", "user_timing_value": "123"}}),
        ("transaction", {"transaction_id": "T1", **GOODS},
         {"name": "Purchase", "props": {"transaction_id": "T1"},
          "revenue": {"currency": "EUR", "amount": "9"}}),
        ("transaction", {"transaction_id": "T1"},
         {"name": "Purchase", "props": {"transaction_id": "T1"}}),
    ],
)  # fmt: skip
def test_hit_of_each_kind_is_an_event(
    tell: Callable[..., Any], kind: str, values: Any, event: Any
) -> None:
    assert tell(kind=kind, values=values) == event


def test_screen_gets_a_url_that_is_made_up(tell: Callable[..., Any]) -> None:
    found = tell(kind="screenview", values={"screen_name": "Log in"}, location="")
    assert found == {"name": "pageview", "url": "app://localhost/Log%20in"}


def test_what_the_visitor_has_not_done_is_told_so(tell: Callable[..., Any]) -> None:
    assert tell(is_interaction=False)["interactive"] is False


def test_properties_are_texts(tell: Callable[..., Any], caplog: Any) -> None:
    properties = {"author": "Ann", "price": 9.5, "member": True, "list": [1], " ": "x", "none": " "}
    assert tell(properties=properties)["props"] == {
        "author": "Ann",
        "price": "9.5",
        "member": "true",
    }
    assert len(tell(properties={f"p{n}": n for n in range(31)})["props"]) == 30
    assert "of more than 30 properties, the first are sent" in caplog.text


def test_texts_are_cut_by_their_bytes(tell: Callable[..., Any]) -> None:
    found = tell(
        kind="event",
        values={"category": "é" * 100, "action": "a"},
        properties={"k" * 301: "é" * 1001},
        referrer="é" * 1001,
    )
    assert (found["props"], found["referrer"]) == ({"k" * 300: "é" * 1000}, "é" * 1000)
    assert found["name"] == "é" * 100 + ": a"


@for_each(
    "values",
    [
        {"user_agent": ""},
        {"address": ""},
        {"location": ""},
        {"location": "https://example.com/" + "a" * 1990},
        {"kind": "event", "values": {"category": " ", "action": ""}},
        {"happened_at": NOW - timedelta(hours=2)},
    ],
)
def test_hit_that_would_be_dropped_or_count_wrongly_is_refused(
    a_hit: Callable[..., Hit], caplog: Any, values: dict[str, Any]
) -> None:
    fine = a_hit(happened_at=NOW)
    assert [request.hits for request in requests_for(a_hit(**values), fine)] == [[fine]]
    assert len(caplog.records) == 1


def test_headers_cannot_be_split(a_hit: Callable[..., Hit]) -> None:
    (request,) = requests_for(a_hit(happened_at=NOW, user_agent="a\r\nX-Evil: 1\x00é"))
    assert request.headers["User-Agent"] == "a??X-Evil: 1??"


def test_event_that_was_dropped_is_told() -> None:
    dropped = Response(202, {"x-plausible-dropped": "1"})
    assert [each.text for each in service().parse(dropped)] == ["an event was dropped"]
    assert list(service().parse(Response(202))) == []
