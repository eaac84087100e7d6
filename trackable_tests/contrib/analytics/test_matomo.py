"""Matomo: each kind of hit in its parameters, one request at a time and in bulk."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest

from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.services.base import Request, Response
from trackable.contrib.analytics.services.matomo import MatomoService, visitor_id
from trackable_tests.contrib.analytics.test_hits import NEEDED
from trackable_tests.contrib.analytics.test_universal import GOODS, told
from trackable_tests.tables import for_each

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
TOKEN = "f" * 32
USUAL = {
    "idsite": "3",
    "rec": "1",
    "apiv": "1",
    "send_image": "0",
    "ua": "Mozilla/5.0",
    "_id": visitor_id("35009a79-1a05-49d7-b876-2b884d0f825b"),
    "url": "https://example.com/page/?a=1",
    "cdt": "1777863721",
}


def service(**options: Any) -> MatomoService:
    return MatomoService({"url": "https://m.example", "site_id": 3, **options})


def requests_for(*hits: Hit, **options: Any) -> list[Request]:
    return service(**options).requests_for(hits, now=NOW)


@pytest.fixture
def tell(a_hit: Callable[..., Hit]) -> Callable[..., dict[str, str]]:
    """Return what is told of a hit, beside the usual."""

    def make(*, service_options: Any = None, **values: Any) -> dict[str, str]:
        hit = a_hit(**{"happened_at": NOW, **values})
        (request,) = requests_for(hit, **(service_options or {}))
        found = told(request)
        return {name: value for name, value in found.items() if USUAL.get(name) != value}

    return make


def test_page_view_has_what_is_required_and_recommended(a_hit: Callable[..., Hit]) -> None:
    (request,) = requests_for(a_hit(happened_at=NOW, title="Home"))
    assert (request.method, request.url) == ("POST", "https://m.example/matomo.php")
    assert told(request) == {**USUAL, "action_name": "Home"}


@for_each(
    "kind, values, parameters",
    [
        ("screenview", {"screen_name": "Start"}, {"action_name": "Start"}),
        ("event", {"category": "Video", "action": "Play", "label": "Cats", "value": 7.5},
         {"ca": "1", "e_c": "Video", "e_a": "Play", "e_n": "Cats", "e_v": "7.5"}),
        ("social", NEEDED["social"], {"ca": "1", "e_c": "Example", "e_a": "like", "e_n": "/"}),
        ("exception", {"description": "Not Found", "fatal": True},
         {"ca": "1", "e_c": "Exception", "e_a": "fatal", "e_n": "Not Found"}),
        ("timing", NEEDED["timing"], {"ca": "1", "e_c": "js", "e_a": "load", "e_v": "123"}),
        ("transaction", {"transaction_id": "T1", **GOODS},
         {"idgoal": "0", "ec_id": "T1", "revenue": "9", "ec_st": "5", "ec_tx": "1", "ec_sh": "3",
          "ec_items": '[["s1","Tea","drinks",2.5,2]]'}),
        ("pageview", {"product_action": "detail", "items": GOODS["items"]},
         {"_pks": "s1", "_pkn": "Tea", "_pkc": "drinks", "_pkp": "2.5"}),
    ],
)  # fmt: skip
def test_hit_of_each_kind_has_its_parameters(
    tell: Callable[..., dict[str, str]], kind: str, values: Any, parameters: dict[str, str]
) -> None:
    assert tell(kind=kind, values=values) == parameters


def test_visitor_is_told(tell: Callable[..., dict[str, str]]) -> None:
    found = tell(
        user_id="u1",
        referrer="https://from.example/",
        language="en-gb",
        screen_resolution="1920x1080",
    )
    assert found == {
        "uid": "u1",
        "urlref": "https://from.example/",
        "lang": "en-gb",
        "res": "1920x1080",
    }


def test_properties_are_dimensions_by_their_numbers(tell: Callable[..., dict[str, str]]) -> None:
    options = {"dimensions": {"author": 1, "member": 999, "none": 3}}
    found = tell(properties={"author": "Ann", "member": False}, service_options=options)
    assert found == {"dimension1": "Ann", "dimension999": "false"}


@for_each(
    "client, visitor",
    [
        ("AF344A398DF83874", "af344a398df83874"),
        ("abc", "ba7816bf8f01cfea"),
        ("", "e3b0c44298fc1c14"),
    ],
)
def test_visitor_has_16_hexadecimal_characters(client: str, visitor: str) -> None:
    assert visitor_id(client) == visitor


# the token


def test_address_is_told_with_a_token_alone(a_hit: Callable[..., Hit]) -> None:
    (without,) = requests_for(a_hit())
    assert "cip" not in told(without)
    (request,) = requests_for(a_hit(), token_auth=TOKEN)
    body = json.loads(request.body)
    assert dict(parse_qsl(body["requests"][0].removeprefix("?")))["cip"] == "192.0.2.0"
    assert body["token_auth"] == TOKEN


def test_token_is_in_no_url_and_no_representation(settings: Any, a_hit: Callable[..., Hit]) -> None:
    settings.SERVER_SIDE_TRACKING = {"send_method": "GET"}
    (request,) = requests_for(a_hit(), token_auth=TOKEN)
    assert request.method == "POST"
    assert TOKEN not in request.url + repr(request) + repr(service(token_auth=TOKEN))


def test_late_hit_needs_a_token(a_hit: Callable[..., Hit], caplog: Any) -> None:
    late = a_hit(happened_at=NOW - timedelta(hours=25))
    assert requests_for(late) == []
    assert "not sent without token_auth" in caplog.text
    assert len(requests_for(late, token_auth=TOKEN)) == 1


# in bulk


def test_several_hits_go_in_bulk_in_their_order(a_hit: Callable[..., Hit]) -> None:
    hits = [a_hit(title=str(n), happened_at=NOW - timedelta(minutes=n)) for n in range(3)]
    (request,) = requests_for(*hits)
    assert request.headers["Content-Type"] == "application/json"
    body = json.loads(request.body)
    assert [dict(parse_qsl(each[1:]))["action_name"] for each in body["requests"]] == [
        "2",
        "1",
        "0",
    ]
    assert (all(each.startswith("?") for each in body["requests"]), "token_auth" in body) == (
        True,
        False,
    )


def test_bulk_is_as_large_as_the_settings_say() -> None:
    assert (service().max_bulk, service(max_bulk=7).max_bulk) == (50, 7)


def test_event_without_words_is_refused_alone(a_hit: Callable[..., Hit], caplog: Any) -> None:
    blank = a_hit(kind="event", values={"category": " ", "action": "Play"})
    (request,) = requests_for(blank, a_hit())
    assert len(request.hits) == 1
    assert "events need a category and an action" in caplog.text


def test_get_is_possible_and_never_cached(settings: Any, a_hit: Callable[..., Hit]) -> None:
    settings.SERVER_SIDE_TRACKING = {"send_method": "GET"}
    (request,) = requests_for(a_hit(happened_at=NOW))
    assert request.url.startswith("https://m.example/matomo.php?idsite=3&rec=1")
    assert len(told(request)["rand"]) == 16


def test_with_debug_nothing_is_sent_and_that_is_said(
    settings: Any, a_hit: Callable[..., Hit], caplog: Any
) -> None:
    settings.SERVER_SIDE_TRACKING = {"debug": True}
    assert requests_for(a_hit()) == []
    assert "with 'debug' on, it gets no hits" in caplog.text


def test_invalid_requests_of_a_bulk_one_are_told() -> None:
    answer = b'{"status":"success","tracked":2,"invalid":1}'
    assert [each.text for each in service().parse(Response(200, {}, answer))] == [
        "1 requests of a bulk one are invalid, 2 were tracked"
    ]
    assert list(service().parse(Response(204))) == []


def test_bulk_is_no_larger_than_it_may_be(a_hit: Callable[..., Hit]) -> None:
    hits = [a_hit(happened_at=NOW) for _ in range(5)]
    found = requests_for(*hits, max_bulk=2)
    assert [len(json.loads(request.body)["requests"]) for request in found] == [2, 2, 1]
    assert [hit for request in found for hit in request.hits] == hits
