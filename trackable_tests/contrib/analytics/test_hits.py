"""Hits: a developer's mistake raises, what a visitor sends never does, and both stay small."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackable.contrib.analytics import hits, plain
from trackable.contrib.analytics.exceptions import HitError
from trackable.contrib.analytics.hits import Hit
from trackable_tests.tables import for_each

#: of each kind what it needs
NEEDED: dict[str, dict[str, Any]] = {
    "pageview": {},
    "screenview": {"screen_name": "Start"},
    "event": {"category": "Video", "action": "Play"},
    "transaction": {"transaction_id": "T1"},
    "social": {"network": "Example", "action": "like", "target": "/"},
    "exception": {},
    "timing": {
        "user_timing_category": "js",
        "user_timing_variable": "load",
        "user_timing_value": 123,
    },
}
TEXTS = ["client_id", "user_id", "location", "title", "referrer", "address", "user_agent"]


@for_each("kind", hits.REQUIRED)
def test_hit_of_each_kind_travels_as_json(kind: str) -> None:
    hit = Hit(kind=kind, client_id="1", values=NEEDED[kind], properties={"a": [1, {"b": None}]})
    assert Hit.of_dict(json.loads(json.dumps(hit.as_dict()))) == hit


@for_each("kind", [kind for kind, needed in NEEDED.items() if needed])
def test_hit_needs_the_values_of_its_kind(kind: str) -> None:
    for name in NEEDED[kind]:
        values = {**NEEDED[kind], name: None}
        with pytest.raises(HitError, match=f"needs {name}"):
            Hit(kind=kind, client_id="1", values=values)


def test_kind_that_does_not_exist_raises() -> None:
    with pytest.raises(HitError, match="There is no kind 'pageveiw'"):
        Hit(kind="pageveiw", client_id="1")


def test_value_that_the_kind_does_not_have_raises() -> None:
    with pytest.raises(HitError, match="kind pageview has no categroy"):
        Hit(kind="pageview", client_id="1", values={"categroy": "a"})
    with pytest.raises(HitError, match="item of a hit has no prize"):
        Hit(kind="pageview", client_id="1", values={"items": [{"prize": 1}]})
    with pytest.raises(HitError, match="list of dictionaries"):
        Hit(kind="pageview", client_id="1", values={"items": ["a"]})


@for_each("at", [datetime(2026, 1, 1), None, 5.0, "now"])  # noqa: DTZ001
def test_time_of_a_hit_is_aware(at: Any) -> None:
    with pytest.raises(HitError, match="aware"):
        Hit(kind="pageview", client_id="1", happened_at=at)


def test_time_of_a_hit_is_kept_to_the_microsecond(a_hit: Callable[..., Hit]) -> None:
    at = datetime(2026, 5, 4, 3, 2, 1, 123456, tzinfo=timezone(timedelta(hours=2)))
    assert Hit.of_dict(a_hit(happened_at=at).as_dict()).happened_at == at
    assert abs(a_hit().happened_at - datetime.now(UTC)) < timedelta(minutes=1)


@given(st.text(st.characters(codec=None)), st.sampled_from(TEXTS))
def test_no_text_of_a_visitor_raises(text: str, name: str) -> None:
    hit = Hit(**{"kind": "pageview", "client_id": "1", name: text})
    kept = getattr(hit, name)
    assert len(kept) <= plain.MAX_TEXT_LENGTH
    json.dumps(hit.as_dict(), ensure_ascii=False).encode()


def test_long_texts_are_cut_and_surrogates_replaced() -> None:
    hit = Hit(kind="pageview", client_id="1", title="a" * 10_000, location="/\udcff")
    assert (len(hit.title), hit.location) == (plain.MAX_TEXT_LENGTH, "/?")


@for_each(
    "values",
    [
        {"label": float("nan")},
        {"value": 10**20},
        {"label": [[[["a"]]]]},
        {"label": dict.fromkeys(map(str, range(201)), 1)},
        {"label": ["a"] * 201},
        {"label": b"a"},
        "abc",
        None,
    ],
)
def test_value_that_cannot_travel_raises(values: Any) -> None:
    if isinstance(values, dict):
        values = {**NEEDED["event"], **values}
    with pytest.raises(HitError, match="values of a hit"):
        Hit(kind="event", client_id="1", values=values)


@for_each("text", [["a"], b"a", True, {}])
def test_text_that_is_none_raises(text: Any) -> None:
    with pytest.raises(HitError, match="title of a hit"):
        Hit(kind="pageview", client_id="1", title=text)


def test_values_become_plain(a_hit: Callable[..., Hit]) -> None:
    hit = a_hit(properties={"price": Decimal("9.50"), "none": None, "tuple": (1, 2), 3: True})
    assert hit.properties == {"price": 9.5, "tuple": [1, 2], "3": True}


def test_hit_knows_about_how_much_memory_it_takes(a_hit: Callable[..., Hit]) -> None:
    assert 1000 < a_hit().size_bytes < 10_000
    assert a_hit(title="€" * 2000).size_bytes - a_hit(title="€").size_bytes > 3900


@for_each(
    "found",
    [None, [], {}, {"kind": "pageview"}, {"kind": "pageview", "client_id": "1", "happened_at": "x"},
     {"kind": "x", "client_id": "1", "happened_at": 1}, {"happened_at": 1e300}, 7],
)  # fmt: skip
def test_what_is_no_hit_raises_one_error(found: Any) -> None:
    with pytest.raises(HitError):
        Hit.of_dict(found)


def test_what_a_later_version_adds_is_passed_over(a_hit: Callable[..., Hit]) -> None:
    hit = a_hit()
    assert Hit.of_dict({**hit.as_dict(), "mood": "fine"}) == hit
