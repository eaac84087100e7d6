"""GA4: each kind of hit in its events, in requests of one visitor, by names that GA4 takes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.services.base import Request, Response
from trackable.contrib.analytics.services.ga4 import GA4Service, client_id
from trackable.contrib.analytics.services.ga4_names import (
    RESERVED_EVENTS,
    event_name,
    is_event_name,
)
from trackable_tests.contrib.analytics.test_hits import NEEDED
from trackable_tests.contrib.analytics.test_universal import GOODS
from trackable_tests.tables import for_each

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
PAGE = {"page_location": "https://example.com/page/?a=1", "engagement_time_msec": 1}
ITEM = {"item_id": "s1", "item_name": "Tea", "price": 2.5, "quantity": 2, "item_category": "drinks"}


def service(**options: Any) -> GA4Service:
    known = {"measurement_id": "G-1", "api_secret": "hush", "url": "https://g.example/"}
    return GA4Service({**known, **options})


def requests_for(*hits: Hit, **options: Any) -> list[Request]:
    return service(**options).requests_for(hits, now=NOW)


def bodies_for(*hits: Hit, **options: Any) -> list[Any]:
    return [json.loads(request.body) for request in requests_for(*hits, **options)]


@pytest.fixture
def events_for(a_hit: Callable[..., Hit]) -> Callable[..., list[tuple[str, dict[str, Any]]]]:
    """Return the events that are told of a hit, without what all of its page have."""

    def make(*, service_options: Any = None, **values: Any) -> list[tuple[str, dict[str, Any]]]:
        (body,) = bodies_for(a_hit(**{"happened_at": NOW, **values}), **(service_options or {}))
        return [
            (event["name"], {k: v for k, v in event["params"].items() if PAGE.get(k) != v})
            for event in body["events"]
        ]

    return make


def test_page_view_is_one_event_of_a_visitor(a_hit: Callable[..., Hit]) -> None:
    (request,) = requests_for(a_hit(happened_at=NOW, session_id="1777863721"))
    assert request.method == "POST"
    assert request.url == "https://g.example/mp/collect?measurement_id=G-1&api_secret=hush"
    assert request.headers["Content-Type"] == "application/json"
    assert json.loads(request.body) == {
        "client_id": client_id("35009a79-1a05-49d7-b876-2b884d0f825b"),
        "ip_override": "192.0.2.0",
        "user_agent": "Mozilla/5.0",
        "events": [
            {
                "name": "page_view",
                "params": {**PAGE, "session_id": "1777863721"},
                "timestamp_micros": 1777863721000000,
            }
        ],
    }


def test_secret_is_in_no_representation(a_hit: Callable[..., Hit]) -> None:
    (request,) = requests_for(a_hit())
    assert "hush" not in repr(request) + repr(service()) + str(service())


@for_each(
    "kind, values, name, parameters",
    [
        ("screenview", {"screen_name": "Start", "app_name": "App"}, "screenview",
         {"screen_name": "Start", "app_name": "App"}),
        ("event", {"category": "Video", "action": "play", "label": "Cats", "value": 7}, "play",
         {"event_category": "Video", "event_label": "Cats", "value": 7}),
        ("event", {"category": "Video", "action": "Add to cart!"}, "Add_to_cart",
         {"event_category": "Video", "event_action": "Add to cart!"}),
        ("social", NEEDED["social"], "like", {"method": "Example", "item_id": "/"}),
        ("exception", {"description": "Not Found", "fatal": True}, "exception",
         {"description": "Not Found", "fatal": 1}),
        ("timing", {**NEEDED["timing"], "dns_time": 9}, "timing_complete",
         {"name": "load", "value": 123, "event_category": "js", "dns_time": 9}),
        ("transaction", {"transaction_id": "T1", **GOODS}, "purchase",
         {"transaction_id": "T1", "currency": "EUR", "value": 5.0, "tax": 1, "shipping": 3,
          "items": [ITEM]}),
        ("transaction", {"transaction_id": "T1", "revenue": 9, **GOODS}, "purchase",
         {"transaction_id": "T1", "currency": "EUR", "value": 5, "tax": 1, "shipping": 3,
          "items": [ITEM]}),
    ],
)  # fmt: skip
def test_hit_of_each_kind_is_an_event(
    events_for: Callable[..., Any], kind: str, values: Any, name: str, parameters: Any
) -> None:
    assert events_for(kind=kind, values=values) == [(name, parameters)]


@for_each(
    "action, name",
    [("detail", "view_item"), ("add", "add_to_cart"), ("remove", "remove_from_cart"),
     ("click", "select_item"), ("checkout", "begin_checkout"), ("refund", "refund")],
)  # fmt: skip
def test_what_is_done_to_products_is_an_event_more(
    events_for: Callable[..., Any], action: str, name: str
) -> None:
    found = events_for(values={"product_action": action, "items": GOODS["items"]})
    assert found == [("page_view", {}), (name, {"value": 5.0, "items": [ITEM]})]


def test_campaign_is_told_before_the_page_view(events_for: Callable[..., Any]) -> None:
    found = events_for(location="https://example.com/?utm_source=s&utm_campaign=n&gclid=g")
    assert [name for name, _ in found] == ["campaign_details", "page_view"]
    assert {"source": "s", "campaign": "n"}.items() <= found[0][1].items()


def test_properties_are_parameters_of_the_event(
    events_for: Callable[..., Any], caplog: Any
) -> None:
    properties = {"author": "x" * 101, "member": True, "words": 7, "ga_x": 1, "1st": 1, "é": 1}
    assert events_for(properties=properties) == [
        ("page_view", {"author": "x" * 100, "member": "true", "words": 7})
    ]
    assert "properties with names that GA4 does not take are left out" in caplog.text


def test_analytics_360_takes_longer_values(events_for: Callable[..., Any]) -> None:
    options = {"is_360": True, "engagement_time_msec": 1}
    found = events_for(properties={"author": "x" * 501}, service_options=options)
    assert found == [("page_view", {"author": "x" * 500})]


def test_own_properties_do_not_push_aside_what_all_events_have(a_hit: Callable[..., Hit]) -> None:
    properties = {f"p{n}": n for n in range(40)} | {"page_title": "mine"}
    (body,) = bodies_for(a_hit(title="Home", properties=properties))
    params = body["events"][0]["params"]
    assert (len(params), params["page_title"], params["p0"]) == (25, "Home", 0)


def test_visitor_is_told_once_a_request(a_hit: Callable[..., Hit], caplog: Any) -> None:
    (body,) = bodies_for(
        a_hit(user_id="u" * 300, user_properties={"tier": "x" * 37, "user_id": 1, "n" * 25: 1}),
        consent={"ad_user_data": "DENIED"},
    )
    assert body["user_id"] == "u" * 256
    assert body["user_properties"] == {"tier": {"value": "x" * 36}}
    assert body["consent"] == {"ad_user_data": "DENIED"}
    assert "user properties with names" in caplog.text


def test_events_of_one_visitor_go_together(a_hit: Callable[..., Hit]) -> None:
    hits = [a_hit(client_id=str(n % 2), title=str(n)) for n in range(60)]
    bodies = bodies_for(*hits)
    assert [len(body["events"]) for body in bodies] == [25, 5, 25, 5]
    titles = [event["params"]["page_title"] for body in bodies for event in body["events"]]
    assert sorted(titles, key=int) == [str(n) for n in range(60)]
    assert len({body["client_id"] for body in bodies[:2]}) == 1


def test_hits_are_told_in_their_order(a_hit: Callable[..., Hit]) -> None:
    hits = [a_hit(title=str(n), happened_at=NOW - timedelta(minutes=n)) for n in range(3)]
    (body,) = bodies_for(*hits)
    assert [event["params"]["page_title"] for event in body["events"]] == ["2", "1", "0"]


def test_body_is_smaller_than_130_kilobytes(a_hit: Callable[..., Hit], caplog: Any) -> None:
    item = {name: "€" * 100 for name in ("sku", "name", "brand", "category", "variant")}
    huge = a_hit(values={"items": [item] * 200, "product_action": "detail"})
    requests = requests_for(huge, a_hit(), *[a_hit(location="€" * 1000) for _ in range(60)])
    assert max(len(request.body) for request in requests) < 130_000
    assert sum(len(request.hits) for request in requests) == 62
    assert "some items are left out" in caplog.text


def test_hit_of_more_than_three_days_is_refused(a_hit: Callable[..., Hit]) -> None:
    assert requests_for(a_hit(happened_at=NOW - timedelta(hours=72, seconds=1))) == []
    assert len(requests_for(a_hit(happened_at=NOW - timedelta(hours=72)))) == 1


def test_answer_that_is_no_success_is_not_asked_for_again() -> None:
    assert not any(service().may_repeat(status) for status in (429, 500, 503))


# names


@for_each(
    "text, name",
    [
        ("login", "login"),
        ("Add to cart", "Add_to_cart"),
        ("404", "event_404"),
        ("error", "event_error"),
        ("screen_view", "event_screen_view"),
        ("google_ads", "event_google_ads"),
        ("покупка", "event"),
        ("", "event"),
        ("a" * 50, "a" * 40),
        ("1" * 50, "event_" + "1" * 34),
    ],
)
def test_event_gets_a_name_that_is_taken(text: str, name: str) -> None:
    assert event_name(text) == name
    assert is_event_name(name)


def test_reserved_names_are_never_sent() -> None:
    assert not any(is_event_name(event_name(name)) is False for name in RESERVED_EVENTS)
    assert not RESERVED_EVENTS & {event_name(name) for name in RESERVED_EVENTS}


@for_each("text", ["GA1.2.3", "a", "", "1.0", "0.1", "35009a79-1a05-49d7", "\udcff"])
def test_client_id_is_two_positive_numbers(text: str) -> None:
    first, second = map(int, client_id(text).split("."))
    assert (first > 0, second > 0) == (True, True)
    assert client_id(text) == client_id(text) != client_id(text + "x")


def test_client_id_of_the_browser_stays_as_it_is() -> None:
    assert client_id("123456.7654321") == "123456.7654321"


# debug


def test_debug_asks_the_validation_server(settings: Any, a_hit: Callable[..., Hit]) -> None:
    settings.SERVER_SIDE_TRACKING = {"debug": True}
    (request,) = requests_for(a_hit())
    assert request.url.startswith("https://g.example/debug/mp/collect?")
    assert json.loads(request.body)["validation_behavior"] == "ENFORCE_RECOMMENDATIONS"


def test_answer_of_the_validation_server_is_read(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"debug": True}
    message = {
        "fieldPath": "events",
        "description": "Event at index: [0] has invalid name [_bad].",
        "validationCode": "NAME_INVALID",
    }
    answer = Response(200, {}, json.dumps({"validationMessages": [message, 7]}).encode())
    assert [(each.level, each.text) for each in service().parse(answer)] == [
        (30, "NAME_INVALID, events, Event at index: [0] has invalid name [_bad].")
    ]
    fine = Response(200, {}, b'{"validationMessages": []}')
    assert [each.text for each in service().parse(fine)] == ["the events are valid"]


@for_each("body", [b"", b"[]", b"{}", b'{"validationMessages": "x"}'])
def test_odd_answer_is_passed_over(settings: Any, body: bytes) -> None:
    settings.SERVER_SIDE_TRACKING = {"debug": True}
    assert [each for each in service().parse(Response(200, {}, body)) if each.level > 10] == []
