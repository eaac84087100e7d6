"""Batches: what travels."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackable import batches
from trackable.batches import Batch, Entry
from trackable.exceptions import BadMessage
from trackable.journal import lines

SEGMENT = f"{1_700_000_000_000:012x}{'a' * 20}"
OTHER_SEGMENT = f"{1_700_000_000_001:012x}{'0' * 20}"


def line(object_id: str = "1", amount: Any = 1, field: str = "views", label: str = "a.D") -> bytes:
    return lines.encode(label, "a.page", object_id, "2026-11-21", field, amount)


def entry(object_id: str = "1", amount: Any = 1, hits: int = 1, field: str = "views") -> Entry:
    return Entry("a.page", object_id, "2026-11-21", field, amount, hits)


def message(**changed: Any) -> bytes:
    batch = Batch(batches.batch_id(SEGMENT, "a.D"), "a.D", (entry(),))
    found = {**json.loads(batches.encode(batch)), **changed}
    return json.dumps({key: value for key, value in found.items() if value != "gone"}).encode()


def test_a_segment_gives_one_batch_for_each_data_class() -> None:
    content = line() * 2 + line("2") + line(label="b.D") + line(amount=5)
    found, damaged = batches.of_lines(SEGMENT, content)
    assert [(b.data_class, b.entries) for b in found] == [
        ("a.D", (entry("1", 7, 3), entry("2", 1, 1))),
        ("b.D", (entry(),)),
    ]
    assert damaged == 0


def test_decimals_add_up_without_rounding() -> None:
    content = line(amount="0.01") * 3 + line(amount="99999999999999999999999999999.99")
    ((batch,), _) = batches.of_lines(SEGMENT, content)
    assert batch.entries == (entry("1", Decimal("100000000000000000000000000000.02"), 4),)


def test_tallies_are_added_up_beside_the_counts() -> None:
    content = lines.encode("a.D", "filtered", 1) * 4 + lines.encode("a.D", "dropped", 7) + line()
    ((batch,), _) = batches.of_lines(SEGMENT, content)
    assert (batch.filtered, batch.dropped, batch.hits) == (4, 7, 1)


def test_damaged_lines_are_counted_and_their_neighbours_kept() -> None:
    content = line() + b"0000" + line() + lines.encode("unknown", "shape") + line()
    ((batch,), damaged) = batches.of_lines(SEGMENT, content)
    assert batch.entries == (entry("1", 2, 2),)
    assert damaged == 2


def test_whoever_reads_a_segment_makes_the_same_batch() -> None:
    one, _ = batches.of_lines(SEGMENT, line() + line("2"))
    other, _ = batches.of_lines(SEGMENT, line() + line("2"))
    assert [batches.encode(b) for b in one] == [batches.encode(b) for b in other]


def test_ids_differ_by_segment_and_class_and_sort_by_time() -> None:
    ids = [batches.batch_id(s, c) for s in (SEGMENT, OTHER_SEGMENT) for c in ("a.D", "b.D")]
    assert len(set(ids)) == 4
    assert max(ids[:2]) < min(ids[2:])


def test_a_batch_knows_when_its_segment_was_opened() -> None:
    ((batch,), _) = batches.of_lines(SEGMENT, line())
    assert batch.created_at == 1_700_000_000.0


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


@given(st.lists(entries, max_size=9, unique_by=lambda e: (*e.__getstate__()[:4], type(e.amount))))
def test_what_is_encoded_is_decoded(found: list[Entry]) -> None:
    batch = Batch(batches.batch_id(SEGMENT, "a.D"), "a.D", tuple(found), 3, 4)
    decoded = batches.decode(batches.encode(batch))
    assert sorted(decoded.entries, key=repr) == sorted(found, key=repr)
    assert (decoded.id, decoded.filtered, decoded.dropped) == (batch.id, 3, 4)


def test_a_hit_more_of_a_counter_that_is_there_costs_no_byte() -> None:
    small, _ = batches.of_lines(SEGMENT, line() * 2)
    large, _ = batches.of_lines(SEGMENT, line() * 9)
    assert len(batches.encode(small[0])) == len(batches.encode(large[0]))


def test_a_thousand_hits_on_a_hundred_counters_take_few_bytes() -> None:
    content = b"".join(line(str(1000 + n % 100)) for n in range(1000))
    ((batch,), _) = batches.of_lines(SEGMENT, content)
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


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
def test_what_is_no_batch_is_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(BadMessage, match=r"\w"):
        batches.decode(body)


def test_a_message_that_is_too_long_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "MAX_MESSAGE_BYTES", 10)
    with pytest.raises(BadMessage, match="more than a batch can have"):
        batches.decode(message())


def test_unknown_keys_of_a_later_minor_change_are_passed_over() -> None:
    assert batches.decode(message(later="thing")).entries == (entry(),)


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(body: bytes) -> None:
    with pytest.raises(BadMessage):
        batches.decode(body)
