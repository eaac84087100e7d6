"""Batches: what travels."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackable import batches
from trackable.batches import Batch, Entry, Malformed
from trackable.exceptions import BadMessage
from trackable_tests.tables import for_each

SEGMENT = f"{1_700_000_000_000:012x}{'a' * 20}"
OTHER_SEGMENT = f"{1_700_000_000_001:012x}{'0' * 20}"
ID = batches.batch_id(SEGMENT, "a.D")


def entry(object_id: str = "1", amount: Any = 1, hits: int = 1, field: str = "views") -> Entry:
    return Entry("a.page", object_id, "2026-11-21", field, amount, hits)


def message(**changed: Any) -> bytes:
    batch = Batch.of(ID, "a.D", (entry(),))
    found = {**json.loads(batches.encode(batch)), **changed}
    return json.dumps({key: value for key, value in found.items() if value != "gone"}).encode()


def test_a_message_without_damaged_lines_need_not_say_so() -> None:
    assert batches.decode(message(damaged="gone")).damaged == 0


def test_ids_differ_by_segment_and_class_and_sort_by_time() -> None:
    ids = [batches.batch_id(s, c) for s in (SEGMENT, OTHER_SEGMENT) for c in ("a.D", "b.D")]
    assert len(set(ids)) == 4
    assert max(ids[:2]) < min(ids[2:])


amounts = st.one_of(
    st.integers(-(10**30), 10**30),
    st.decimals(
        allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9
    ),
    st.floats(allow_nan=False, allow_infinity=False),
)
entries = st.builds(
    Entry,
    parent=st.text(max_size=9),
    object_id=st.text(max_size=9),
    period=st.text(max_size=9),
    field=st.text(max_size=9),
    amount=amounts,
    hits=st.integers(0, 10**9),
)


@given(st.lists(entries, max_size=9, unique_by=lambda e: e.counter))
def test_what_is_encoded_is_decoded(found: list[Entry]) -> None:
    batch = Batch.of(ID, "a.D", tuple(found), 3, 4)
    decoded = batches.decode(batches.encode(batch))
    assert sorted(decoded.entries, key=repr) == sorted(found, key=repr)
    assert (decoded.id, decoded.filtered, decoded.dropped) == (batch.id, 3, 4)


def test_a_hit_more_of_a_counter_that_is_there_costs_no_byte() -> None:
    small, large = (Batch.of(ID, "a.D", [entry(amount=n, hits=n)]) for n in (2, 9))
    assert len(batches.encode(small)) == len(batches.encode(large))


def test_a_thousand_hits_on_a_hundred_counters_take_few_bytes() -> None:
    batch = Batch.of(ID, "a.D", [entry(str(1000 + n % 100)) for n in range(1000)])
    assert (len(batch.counts), batch.hits) == (100, 1000)
    assert len(batches.encode(batch)) < 1500


BAD = [
    b"",
    b"\xff\xfe",
    b"\x80\x04\x95pickle",
    b"[]",
    b"null",
    b'"text"',
    b"[" * 100_000,
    b"1" * 5000,
    message(v=2),
    message(v="1"),
    message(v="gone"),
    message(id="gone"),
    message(id="../../etc/passwd"),
    message(id="A" * 32),
    message(**{"class": 7}),
    message(filtered=-1),
    message(filtered=True),
    message(dropped=1.5),
    message(dropped=1 << 63),
    message(counts={}),
    message(counts=[1]),
    message(counts=[["a.page", "", "views"]]),
    message(counts=[["a.page", "", "views", {"1": "abc"}]]),
    message(counts=[["a.page", "", "views", {"1": None}]]),
    message(counts=[["a.page", "", "views", {"1": [1, 2, 3]}]]),
    message(counts=[["a.page", "", "views", {"1": True}]]),
    message(counts=[["a.page", "", "views", {"1": [1, -1]}]]),
    message(counts=[["a.page", "", "views", {"1": ["1e999999999", 1]}]]),
    message(counts=[["a.page", "", "views", {"1": 10**400}]])[:-1].replace(b"1", b"1e999", 1),
    message(counts=[["a.page", "", "views", {"1": float("nan")}]]),
    message(counts=[["a.page", "", "views", {"1": [float("inf"), 1]}]]),
]


@for_each("body", BAD)
def test_what_is_no_batch_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(BadMessage, match=r"\w"):
        batches.decode(body)


def test_a_message_that_is_too_long_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_MESSAGE_BYTES", 10)
    with pytest.raises(BadMessage, match="more than a batch can have"):
        batches.decode(message())


def test_unknown_keys_of_a_later_minor_change_are_passed_over() -> None:
    assert batches.decode(message(later="thing")).entries == (entry(),)


@for_each("length", [1, 1 << 10, 1 << 20, 2 << 20])
def test_bodies_that_differ_at_the_end_are_two_messages_and_equal_ones_are_one(length: int) -> None:
    body = b"x" * length
    one, again, other = (Malformed.of("a.D", each, "bad") for each in (body, body, body[1:] + b"y"))
    assert one.id == again.id != other.id


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    with pytest.raises(BadMessage):
        batches.decode(body)
