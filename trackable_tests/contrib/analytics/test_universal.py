"""The old Measurement Protocol: each kind of hit in its parameters, singly and in batches."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.services.base import Request, Response
from trackable.contrib.analytics.services.universal import UniversalService
from trackable_tests.contrib.analytics.test_hits import NEEDED
from trackable_tests.tables import for_each

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
#: in every hit of the fixture's
USUAL = {
    "v": "1",
    "tid": "UA-1-2",
    "ds": "web",
    "aip": "1",
    "cid": "35009a79-1a05-49d7-b876-2b884d0f825b",
    "uip": "192.0.2.0",
    "ua": "Mozilla/5.0",
    "dl": "https://example.com/page/?a=1",
}
GOODS = {
    "items": [{"sku": "s1", "name": "Tea", "price": 2.5, "quantity": 2, "category": "drinks"}],
    "shipping": 3,
    "tax": 1,
    "currency_code": "EUR",
}


def service(**options: Any) -> UniversalService:
    return UniversalService({"property": "UA-1-2", "url": "https://c.example", **options})


def requests_for(*hits: Hit, **options: Any) -> list[Request]:
    return service(**options).requests_for(hits, now=NOW)


def told(request: Request) -> dict[str, str]:
    """Return the parameters of a request of one hit."""
    query = request.body.decode() or urlsplit(request.url).query
    return dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))


@pytest.fixture
def tell(a_hit: Callable[..., Hit]) -> Callable[..., dict[str, str]]:
    """Return what is told of a hit, beside the usual."""

    def make(*, service_options: Any = None, **values: Any) -> dict[str, str]:
        hit = a_hit(**{"happened_at": NOW, **values})
        (request,) = requests_for(hit, **(service_options or {}))
        found = told(request)
        return {name: value for name, value in found.items() if USUAL.get(name) != value}

    return make


def test_page_view_is_posted(a_hit: Callable[..., Hit]) -> None:
    (request,) = requests_for(a_hit(happened_at=NOW))
    assert (request.method, request.url) == ("POST", "https://c.example/collect")
    assert request.headers["User-Agent"] == "Mozilla/5.0"
    assert told(request) == {**USUAL, "t": "pageview"}


@for_each(
    "kind, values, parameters",
    [
        ("screenview", {"screen_name": "Start", "app_name": "App", "app_version": "2"},
         {"cd": "Start", "an": "App", "av": "2"}),
        ("event", {"category": "Video", "action": "Play", "label": "Cats", "value": 7},
         {"ec": "Video", "ea": "Play", "el": "Cats", "ev": "7"}),
        ("social", NEEDED["social"], {"sn": "Example", "sa": "like", "st": "/"}),
        ("exception", {"description": "Not Found", "fatal": False},
         {"exd": "Not Found", "exf": "0"}),
        ("timing", {**NEEDED["timing"], "dns_time": 9},
         {"utc": "js", "utv": "load", "utt": "123", "dns": "9"}),
    ],
)  # fmt: skip
def test_hit_of_each_kind_has_its_parameters(
    tell: Callable[..., dict[str, str]], kind: str, values: Any, parameters: dict[str, str]
) -> None:
    assert tell(kind=kind, values=values) == {"t": kind, **parameters}


def test_visitor_and_page_are_told(tell: Callable[..., dict[str, str]]) -> None:
    found = tell(
        user_id="u1",
        title="Home",
        referrer="https://from.example/",
        language="en-gb",
        screen_resolution="1920x1080",
        viewport_size="1000x900",
        screen_colors="24-bits",
        is_interaction=False,
    )
    assert found == {
        "t": "pageview",
        "uid": "u1",
        "dt": "Home",
        "dr": "https://from.example/",
        "ul": "en-gb",
        "sr": "1920x1080",
        "vp": "1000x900",
        "sd": "24-bits",
        "ni": "1",
    }


def test_campaign_is_read_off_the_url(tell: Callable[..., dict[str, str]]) -> None:
    query = (
        "utm_source=s&utm_medium=m&utm_campaign=n&utm_term=k&utm_content=c&utm_id=i&gclid=g&dclid=d"
    )
    found = tell(location=f"https://example.com/?{query}")
    names = ("cs", "cm", "cn", "ck", "cc", "ci", "gclid", "dclid")
    assert [found[name] for name in names] == ["s", "m", "n", "k", "c", "i", "g", "d"]


def test_transaction_is_one_hit_and_one_more_for_each_item(a_hit: Callable[..., Hit]) -> None:
    hit = a_hit(kind="transaction", values={"transaction_id": "T1", **GOODS}, happened_at=NOW)
    (request,) = requests_for(hit)
    assert request.url == "https://c.example/batch"
    first, second = (dict(parse_qsl(line)) for line in request.body.decode().split("\n"))
    assert first == {
        **USUAL,
        "t": "transaction",
        "ti": "T1",
        "tr": "9",
        "ts": "3",
        "tt": "1",
        "cu": "EUR",
    }
    item = {
        "t": "item",
        "ti": "T1",
        "in": "Tea",
        "ip": "2.5",
        "iq": "2",
        "ic": "s1",
        "iv": "drinks",
    }
    assert {**USUAL, **item, "cu": "EUR"} == second


def test_goods_go_with_hits_of_any_kind(tell: Callable[..., dict[str, str]]) -> None:
    found = tell(values={**GOODS, "product_action": "detail", "product_action_list": "search"})
    assert found == {
        "t": "pageview",
        "pa": "detail",
        "pal": "search",
        "cu": "EUR",
        "ts": "3",
        "tt": "1",
        "pr1id": "s1",
        "pr1nm": "Tea",
        "pr1pr": "2.5",
        "pr1qt": "2",
        "pr1ca": "drinks",
    }


def test_properties_are_dimensions_and_metrics_by_their_numbers(
    tell: Callable[..., dict[str, str]],
) -> None:
    options = {
        "dimensions": {"author": 1, "member": 2, "none": 3},
        "metrics": {"words": 4, "author": 5},
    }
    found = tell(
        properties={"author": "é" * 100, "member": True, "words": 101, "other": 1},
        service_options=options,
    )
    assert found == {"t": "pageview", "cd1": "é" * 75, "cd2": "true", "cm4": "101"}


def test_parameters_of_ones_own_are_sent_as_they_are(tell: Callable[..., dict[str, str]]) -> None:
    assert tell(parameters={"cg1": "/news", "linkid": "nav"}) == {
        "t": "pageview",
        "cg1": "/news",
        "linkid": "nav",
    }


def test_hit_tells_how_long_it_waited(tell: Callable[..., dict[str, str]]) -> None:
    assert tell(happened_at=NOW - timedelta(seconds=61.5))["qt"] == "61500"
    assert "qt" not in tell(happened_at=NOW + timedelta(seconds=3))


def test_hit_of_more_than_four_hours_is_refused(a_hit: Callable[..., Hit], caplog: Any) -> None:
    late = a_hit(happened_at=NOW - timedelta(hours=4, seconds=1))
    assert requests_for(late, late) == []
    assert [record.getMessage() for record in caplog.records] == [
        "The service 'universal' does not get everything: hits older than 4:00:00 are not sent."
    ]


# GET, POST and batches


@pytest.mark.parametrize(("length", "method"), [(900, "GET"), (1900, "POST")])
def test_get_becomes_post_by_its_size(
    settings: Any, a_hit: Callable[..., Hit], length: int, method: str
) -> None:
    settings.SERVER_SIDE_TRACKING = {"send_method": "GET"}
    (request,) = requests_for(a_hit(referrer="a" * length))
    assert request.method == method
    assert len(request.url) <= 2000
    assert told(request)["dr"] == "a" * length
    assert list(told(request))[-1] == "z"


def test_get_may_be_longer_if_the_settings_say_so(settings: Any, a_hit: Callable[..., Hit]) -> None:
    settings.SERVER_SIDE_TRACKING = {"send_method": "GET", "get_max_bytes": 8000}
    (request,) = requests_for(a_hit(title="a" * 1900, referrer="b" * 2000))
    assert (request.method, 3000 < len(request.url) <= 8000) == ("GET", True)


def test_long_get_is_refused_without_the_fallback(
    settings: Any, a_hit: Callable[..., Hit], caplog: Any
) -> None:
    settings.SERVER_SIDE_TRACKING = {"send_method": "GET", "post_fallback": False}
    short, long = a_hit(), a_hit(referrer="a" * 1900)
    assert [request.method for request in requests_for(short, long, short)] == ["GET", "GET"]
    assert "too long for GET" in caplog.text


def test_several_hits_are_one_batch(a_hit: Callable[..., Hit]) -> None:
    requests = requests_for(*[a_hit(title=str(n)) for n in range(45)])
    assert [request.url for request in requests] == ["https://c.example/batch"] * 3
    assert [request.body.count(b"\n") + 1 for request in requests] == [20, 20, 5]
    assert [len(request.hits) for request in requests] == [20, 20, 5]


def test_batch_has_16_kilobytes_at_most(a_hit: Callable[..., Hit]) -> None:
    requests = requests_for(*[a_hit(title="a" * 1500, referrer="b" * 2000) for n in range(10)])
    assert max(len(request.body) for request in requests) <= 16 * 1024
    assert sum(len(request.hits) for request in requests) == 10


def test_hit_of_more_than_8_kilobytes_is_refused(a_hit: Callable[..., Hit], caplog: Any) -> None:
    big = a_hit(
        title="€" * 500, referrer="€" * 600, location="€" * 600, parameters={"cd1": "€" * 700}
    )
    assert requests_for(big) == []
    assert [len(request.hits) for request in requests_for(big, a_hit(), a_hit())] == [2]
    assert "hits of more than 8192 bytes are not taken" in caplog.text


def test_collector_without_batches_gets_one_hit_a_request(a_hit: Callable[..., Hit]) -> None:
    requests = requests_for(a_hit(), a_hit(), batch_path="", collect_path="/x")
    assert [request.url for request in requests] == ["https://c.example/x"] * 2


def test_hit_that_lacks_something_is_refused_alone(a_hit: Callable[..., Hit], caplog: Any) -> None:
    nowhere = a_hit(location="")
    (request,) = requests_for(nowhere, a_hit())
    assert told(request)["t"] == "pageview"
    assert "'location_url' must be specified" in caplog.text


# debug


def test_debug_asks_the_validation_server(settings: Any, a_hit: Callable[..., Hit]) -> None:
    settings.SERVER_SIDE_TRACKING = {"debug": True}
    requests = requests_for(a_hit(), a_hit())
    assert [request.url for request in requests] == ["https://c.example/debug/collect"] * 2


def test_answer_of_the_validation_server_is_read(settings: Any) -> None:
    settings.SERVER_SIDE_TRACKING = {"debug": True}
    body = b"""{"hitParsingResult": [{"valid": false, "hit": "GET /debug/collect?tid=fake",
        "parserMessage": [{"messageType": "ERROR", "description": "The value is invalid.",
        "messageCode": "VALUE_INVALID", "parameter": "tid"}]}, {"valid": true}],
        "parserMessage": [{"messageType": "INFO", "description": "Found 2 hits."}]}"""
    remarks = [(each.level, each.text) for each in service().parse(Response(200, {}, body))]
    assert remarks == [
        (30, "a hit is not valid"),
        (10, "a hit is valid"),
        (20, "Found 2 hits. (message code None, parameter None)"),
        (40, "The value is invalid. (message code VALUE_INVALID, parameter tid)"),
    ]


@for_each("body", [b"", b"[]", b"GIF89a", b'{"hitParsingResult": 7}', b"[" * 99_999,
                                  b'{"hitParsingResult": [7], "parserMessage": {}}'])  # fmt: skip
def test_odd_answer_is_passed_over(settings: Any, body: bytes) -> None:
    settings.SERVER_SIDE_TRACKING = {"debug": True}
    assert list(service().parse(Response(200, {}, body))) == []
