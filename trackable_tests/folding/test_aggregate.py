"""Aggregation: pure, and nothing is lost in it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from trackable.batches import Batch, Entry
from trackable.folding.aggregate import aggregate

ENTRIES = st.builds(
    Entry,
    parent=st.just("app.Page"),
    object_id=st.sampled_from("123"),
    period=st.sampled_from(["", "2026-11-21"]),
    field=st.sampled_from(["views", "clicks"]),
    amount=st.integers(-9, 9),
    hits=st.integers(0, 5),
)
BATCHES = st.builds(
    Batch.of,
    identity=st.uuids().map(lambda uuid: uuid.hex),
    data_class=st.sampled_from(["app.A", "app.B"]),
    entries=st.lists(ENTRIES, max_size=8).map(tuple),
)


def a_batch(identity: str, *entries: Entry, label: str = "app.A") -> Batch:
    return Batch.of(identity * 32, label, entries)


def an_entry(amount: object = 1, hits: int = 1, object_id: str = "1") -> Entry:
    return Entry("app.Page", object_id, "", "views", amount, hits)  # type: ignore[arg-type]


@settings(max_examples=50)
@given(st.lists(BATCHES, max_size=6))
def test_totals_are_those_of_the_entries(found: list[Batch]) -> None:
    wanted: Counter[tuple[str, ...]] = Counter()
    hits: Counter[tuple[str, ...]] = Counter()
    for batch in found:
        for entry in batch.entries:
            key = (batch.data_class, entry.parent, entry.object_id, entry.period, entry.field)
            wanted[key] += int(entry.amount)
            hits[key] += entry.hits
    deltas = {
        (label, *row, field): delta
        for label, rows in aggregate(found).items()
        for row, by_field in rows.items()
        for (field, _), delta in by_field.items()
    }
    assert {key: delta.amount for key, delta in deltas.items()} == dict(wanted)
    assert {key: delta.hits for key, delta in deltas.items()} == dict(hits)


def test_one_counter_is_one_delta() -> None:
    one, other = a_batch("1", an_entry(2, 2)), a_batch("2", an_entry(5, 1))
    [delta] = aggregate([one, other])["app.A"]["app.Page", "1", ""].values()
    assert (delta.amount, delta.hits, delta.batch_id) == (7, 3, "1" * 32)


def test_data_classes_and_objects_stay_apart() -> None:
    one = a_batch("1", an_entry(object_id="1"), an_entry(object_id="2"))
    other = a_batch("2", an_entry(object_id="1"), label="app.B")
    found = aggregate([one, other])
    assert {label: len(rows) for label, rows in found.items()} == {"app.A": 2, "app.B": 1}


def test_amounts_of_different_types_stay_apart() -> None:
    found = aggregate([a_batch("1", an_entry(1), an_entry(0.5), an_entry(Decimal("0.1")))])
    deltas = found["app.A"]["app.Page", "1", ""]
    assert [delta.amount for delta in deltas.values()] == [1, 0.5, Decimal("0.1")]


def test_decimals_are_added_without_rounding() -> None:
    great, small = Decimal("1" + "0" * 60), Decimal("0." + "0" * 60 + "1")
    found = aggregate([a_batch("1", an_entry(great)), a_batch("2", an_entry(small))])
    [delta] = found["app.A"]["app.Page", "1", ""].values()
    assert f"{delta.amount:f}" == f"{great:f}.{f'{small:f}'[2:]}"


def test_nothing_makes_nothing() -> None:
    assert aggregate([]) == {}
    assert aggregate([a_batch("1")]) == {"app.A": {}}
