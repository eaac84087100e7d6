"""The published limits of the services, written down once more, beside the code that keeps them.

Each check takes a request and fails where the service would cut, drop or refuse something. The
pages are named in the services' modules.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from trackable.contrib.analytics.services.base import Request

#: bytes of the old protocol's parameters, by the Measurement Protocol Parameter Reference
UNIVERSAL_BYTES = {
    "dr": 2048,
    "dl": 2048,
    "dp": 2048,
    "cd": 2048,
    "st": 2048,
    "dt": 1500,
    "dh": 100,
    "cn": 100,
    "cs": 100,
    "cm": 50,
    "ck": 500,
    "cc": 500,
    "ci": 100,
    "xid": 40,
    "cu": 10,
    "sr": 20,
    "vp": 20,
    "de": 20,
    "sd": 20,
    "ul": 20,
    "fl": 20,
    "an": 100,
    "aid": 150,
    "av": 100,
    "aiid": 150,
    "ec": 150,
    "ea": 500,
    "el": 500,
    "ti": 500,
    "ta": 500,
    "in": 500,
    "ic": 500,
    "iv": 500,
    "sn": 50,
    "sa": 50,
    "utc": 150,
    "utv": 500,
    "utl": 500,
    "exd": 150,
}
PRODUCT_TEXT = re.compile(r"pr\d+(id|nm|br|ca|va|cc)")
INTEGERS = {"qt", "ev", "iq", "cos", "utt", "plt", "dns", "pdt", "rrt", "tcp", "srt", "dit", "clt"}
CURRENCY = {"tr", "ts", "tt", "ip"}
REQUIRED = {
    "event": {"ec", "ea"},
    "transaction": {"ti"},
    "item": {"ti", "in"},
    "social": {"sn", "sa", "st"},
    "timing": {"utc", "utv", "utt"},
    "screenview": {"cd"},
}
GA4_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
GA4_USER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,23}")
GA4_LENGTHS = {"page_title": 300, "page_referrer": 420, "page_location": 1000}
GA4_PREFIXES = ("_", "firebase_", "ga_", "google_", "gtag.")
HOUR_MSEC = 3_600_000


def check_headers(request: Request) -> None:
    for name, value in request.headers.items():
        assert re.fullmatch(r"[A-Za-z-]+", name)
        assert re.fullmatch(r"[ -~]*", value)


def check_universal(request: Request) -> None:
    assert len(request.url) <= 8000
    lines = (
        request.body.decode("ascii").split("\n") if request.body else [urlsplit(request.url).query]
    )
    assert len(lines) <= 20
    assert len(request.body) <= (16 * 1024 if len(lines) > 1 else 8192)
    for line in lines:
        assert len(line) <= 8192
        pairs = parse_qsl(line, keep_blank_values=True, strict_parsing=True)
        assert len(dict(pairs)) == len(pairs)
        _check_universal_hit(dict(pairs))


def _check_universal_hit(hit: dict[str, str]) -> None:
    assert (hit["v"], bool(hit["tid"]), "cid" in hit) == ("1", True, True)
    assert REQUIRED.get(hit["t"], set()) <= set(hit)
    for name, value in hit.items():
        longest = 500 if PRODUCT_TEXT.fullmatch(name) else UNIVERSAL_BYTES.get(name)
        assert longest is None or len(value.encode()) <= longest, name
        if name in INTEGERS:
            assert re.fullmatch(r"-?\d{1,19}", value), name
        if name in CURRENCY:
            assert re.fullmatch(r"-?\d+(\.\d{1,6})?", value), name
    assert 0 <= int(hit.get("qt", 0)) <= 4 * HOUR_MSEC


def check_ga4(request: Request) -> None:
    assert (request.method, len(request.body) < 130_000) == ("POST", True)
    body = json.loads(request.body)
    assert re.fullmatch(r"\d+\.\d+", body["client_id"])
    assert 1 <= len(body["events"]) <= 25
    assert len(body.get("user_id", "")) <= 256
    properties = body.get("user_properties", {})
    assert len(properties) <= 25
    for name, each in properties.items():
        assert GA4_USER_NAME.fullmatch(name)
        assert not name.startswith(GA4_PREFIXES)
        assert len(str(each["value"])) <= 36 or not isinstance(each["value"], str)
    for event in body["events"]:
        _check_ga4_event(event)


def _check_ga4_event(event: dict[str, Any]) -> None:
    assert GA4_NAME.fullmatch(event["name"])
    assert not event["name"].startswith(GA4_PREFIXES)
    assert len(event["params"]) <= 25
    for name, value in event["params"].items():
        assert GA4_NAME.fullmatch(name)
        assert not name.startswith(GA4_PREFIXES)
        if name == "items":
            assert len(value) <= 200
            texts = [each for item in value for each in item.values() if isinstance(each, str)]
            assert max(map(len, texts), default=0) <= 100
        else:
            assert isinstance(value, int | float | str)
            assert not isinstance(value, str) or len(value) <= GA4_LENGTHS.get(name, 100)


def check_matomo(request: Request) -> None:
    body = json.loads(request.body) if request.body[:1] == b"{" else None
    queries = [each.removeprefix("?") for each in body["requests"]] if body else []
    if body is None:
        queries = [request.body.decode("ascii") or urlsplit(request.url).query]
    assert queries
    for query in queries:
        hit = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=True))
        assert (hit["idsite"], hit["rec"]) == ("3", "1")
        assert re.fullmatch(r"[0-9a-f]{16}", hit["_id"])
        assert re.fullmatch(r"\d+", hit["cdt"])
        assert "cip" not in hit or (body is not None and body["token_auth"])
        assert "e_c" not in hit or (hit["e_c"].strip() and hit["e_a"].strip())
        assert re.fullmatch(r"-?\d+(\.\d+)?", hit.get("e_v", "0"))
        for sku, name, category, price, quantity in json.loads(hit.get("ec_items", "[]")):
            assert all(isinstance(each, str) for each in (sku, name, category))
            assert all(isinstance(each, int | float) for each in (price, quantity))


def check_plausible(request: Request) -> None:
    assert (request.method, len(request.hits)) == ("POST", 1)
    assert request.headers["User-Agent"]
    assert request.headers["X-Forwarded-For"]
    event = json.loads(request.body)
    assert (event["domain"], 1 <= len(event["name"]) <= 120) == ("example.com", True)
    assert event["name"] != "engagement"
    assert 1 <= len(event["url"].encode()) <= 2000
    assert len(event.get("referrer", "").encode()) <= 2000
    properties = event.get("props", {})
    assert len(properties) <= 30
    for key, value in properties.items():
        assert len(key.encode()) <= 300
        assert isinstance(value, str)
        assert len(value.encode()) <= 2000
    if revenue := event.get("revenue"):
        assert re.fullmatch(r"-?\d+(\.\d+)?", revenue["amount"])


CHECKS: dict[str, Callable[[Request], None]] = {
    "ga4": check_ga4,
    "matomo": check_matomo,
    "plausible": check_plausible,
    "universal": check_universal,
}
