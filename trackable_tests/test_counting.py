"""Counting: what the lines of a segment add up to."""

from __future__ import annotations

from decimal import Decimal, Inexact, localcontext
from pathlib import Path
from typing import Any

import pytest

from trackable import batches, conf, counting
from trackable.batches import Entry
from trackable.counting import KnownLines
from trackable.journal import lines, segments
from trackable_tests.tables import for_each

SEGMENT = f"{1_700_000_000_000:012x}{'a' * 20}"


def line(object_id: str = "1", amount: Any = 1, field: str = "views", label: str = "a.D") -> bytes:
    return lines.encode(label, "a.page", object_id, "2026-11-21", field, amount)


def entry(object_id: str = "1", amount: Any = 1, hits: int = 1, field: str = "views") -> Entry:
    return Entry("a.page", object_id, "2026-11-21", field, amount, hits)


def test_a_segment_gives_one_batch_for_each_data_class() -> None:
    content = line() * 2 + line("2") + line(label="b.D") + line(amount=5)
    found = counting.of_lines(SEGMENT, content)
    assert [(b.data_class, b.entries) for b in found] == [
        ("a.D", (entry("1", 7, 3), entry("2", 1, 1))),
        ("b.D", (entry(),)),
    ]


def test_decimals_add_up_without_rounding() -> None:
    content = line(amount="0.01") * 3 + line(amount="99999999999999999999999999999.99")
    (batch,) = counting.of_lines(SEGMENT, content)
    assert batch.entries == (entry("1", Decimal("100000000000000000000000000000.02"), 4),)


def test_tallies_are_added_up_beside_the_counts() -> None:
    content = lines.encode("a.D", "filtered", 1) * 4 + lines.encode("a.D", "dropped", 7) + line()
    (batch,) = counting.of_lines(SEGMENT, content)
    assert (batch.filtered, batch.dropped, batch.hits) == (4, 7, 1)


def test_damaged_lines_are_counted_and_their_neighbours_kept() -> None:
    content = line() + b"0000" + line()[9:] + lines.encode("unknown", "shape") + line() + line()[:9]
    batch, damaged = counting.of_lines(SEGMENT, content)
    assert batch.entries == (entry("1", 2, 2),)
    assert (damaged.data_class, damaged.entries, damaged.damaged) == (batches.DAMAGED, (), 3)
    assert batches.decode(batches.encode(damaged)) == damaged


def test_whoever_reads_a_segment_makes_the_same_batch() -> None:
    one = counting.of_lines(SEGMENT, line() + line("2"))
    other = counting.of_lines(SEGMENT, line() + line("2"))
    assert [batches.encode(b) for b in one] == [batches.encode(b) for b in other]


def test_a_batch_knows_when_its_segment_was_opened() -> None:
    (batch,) = counting.of_lines(SEGMENT, line())
    assert batch.created_at == 1_700_000_000.0


def test_lines_are_worked_out_once_for_all_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[bytes] = []

    def decode(text: bytes) -> Any:
        decoded.append(text)
        return real(text)

    real = lines.decode
    monkeypatch.setattr(lines, "decode", decode)
    known = KnownLines()
    for number in range(3):
        (batch,) = counting.of_lines(segments.new_id(), line() * 2 + line(str(number)), known)
        assert batch.entries == (entry("1", 3, 3),) if number == 1 else batch.hits == 3
    assert len(decoded) == 3


def test_lines_that_are_known_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_KNOWN_LINES", 3)
    known = KnownLines()
    content = b"".join(line(str(number)) for number in range(10))
    (batch,) = counting.of_lines(SEGMENT, content, known)
    assert batch.hits == 10
    assert len(known) <= 3


@for_each(
    "cells",
    [
        ["a.D", "a.page", "1", "", "views", True],
        ["a.D", "a.page", "1", "", "views", None],
        ["a.D", "a.page", 1, "", "views", 1],
        ["a.D", "a.page", "1", "", "views"],
        ["a.D", "filtered", True],
        ["a.D", "filtered", -1],
        ["a.D", "filtered", 1 << 40],
        ["a.D", "unknown", 1],
        [1, "filtered", 1],
        [],
    ],
)
def test_a_whole_line_that_says_nothing_is_damaged(cells: list[Any]) -> None:
    found = counting.of_lines(SEGMENT, line() + lines.encode.__wrapped__(*cells))
    assert [(batch.hits, batch.damaged) for batch in found] == [(1, 0), (0, 1)]


def test_a_label_that_is_no_text_stops_nothing() -> None:
    one, other = counting.of_lines(SEGMENT, line() + line(label="\ud800"))
    assert batches.decode(batches.encode(other)) == other
    assert (one.hits, other.hits) == (1, 1)


@pytest.mark.parametrize("is_known", [True, False])
def test_ids_of_a_segment_are_those_of_its_batches(is_known: bool) -> None:
    directory = conf.journal_dir()
    segment, fd = segments.create(directory)
    Path(segment.path).write_bytes(line() + line(label="b.D"))
    sealed = segments.seal(segment, fd)
    assert sealed is not None
    found = counting.of_segment(sealed)
    if not is_known:
        counting._ids.clear()
    ids = counting.batch_ids(directory, sealed.id)
    assert ids == tuple((batch.data_class, batch.id) for batch in found)


def test_a_segment_that_has_gone_has_no_ids() -> None:
    with pytest.raises(FileNotFoundError):
        counting.batch_ids(conf.journal_dir(), segments.new_id())


def test_segments_that_are_known_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MAX_KNOWN_SEGMENTS", 3)
    for _ in range(10):
        counting.of_lines(segments.new_id(), line())
    assert len(counting._ids) <= 3


def test_damaged_and_long_lines_are_not_kept() -> None:
    known = KnownLines()
    found = counting.of_lines(SEGMENT, bytes(1 << 16) + b"\n" + line("x" * 600) + line(), known)
    assert sum(batch.hits + batch.damaged for batch in found) == 3
    assert list(known) == [line()[:-1]]


@pytest.mark.parametrize("trapped", [[], [Inexact]])
def test_amounts_are_read_whatever_context_decimals_have(trapped: list[Any]) -> None:
    with localcontext(prec=6, traps=trapped):
        (batch,) = counting.of_lines(SEGMENT, line(amount="9" * 90) + line(amount="-0.1234567"))
    assert batch.entries == (entry(amount=Decimal("9" * 89 + "8.8765433"), hits=2),)
