"""Canonical lines."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trackable.journal import lines
from trackable_tests.tables import for_each

CELLS = ("app.PageData", "app.page", "42", "2026-11-21", "views", 1)


def test_the_same_increment_gives_the_same_bytes() -> None:
    once = lines.encode(*CELLS)
    lines.encode.cache_clear()
    assert lines.encode(*CELLS) == once


def test_a_line_is_ascii_and_ends_once() -> None:
    line = lines.encode("app.PageData", "app.page", "naïve\nkey\0 ✓", "", "views", 1)
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


def test_what_is_encoded_is_decoded() -> None:
    assert lines.decode(lines.encode(*CELLS)[:-1]) == list(CELLS)


def test_a_segment_is_counted_by_its_different_lines() -> None:
    other = ("app.PageData", "app.page", "43", "2026-11-21", "views", 1)
    content = lines.encode(*CELLS) * 3 + lines.encode(*other) + lines.encode(*CELLS)
    assert list(lines.count(content)) == [(list(CELLS), 4), (list(other), 1)]


@for_each("length", range(1, len(lines.encode(*CELLS)) - 1))
def test_half_a_line_at_the_end_is_damaged(length: int) -> None:
    whole = lines.encode(*CELLS)
    assert list(lines.count(whole + whole[:length])) == [(list(CELLS), 1), (None, 1)]


def test_a_last_line_that_lacks_its_end_alone_is_counted() -> None:
    assert list(lines.count(lines.encode(*CELLS)[:-1])) == [(list(CELLS), 1)]


def test_an_empty_segment_has_no_lines() -> None:
    assert list(lines.count(b"")) == []


@given(position=st.integers(0, len(lines.encode(*CELLS)) - 2), bit=st.integers(0, 7))
def test_a_flipped_bit_damages_its_own_line_alone(position: int, bit: int) -> None:
    whole = lines.encode(*CELLS)
    damaged = bytearray(whole)
    damaged[position] ^= 1 << bit
    found = list(lines.count(whole + bytes(damaged) + whole))
    assert (list(CELLS), 2) in found
    assert all(cells is None for cells, _ in found if cells != list(CELLS))


@given(st.binary(max_size=300))
def test_any_bytes_can_be_read(content: bytes) -> None:
    for cells, occurrences in lines.count(content):
        assert cells is None or isinstance(cells, list)
        assert occurrences > 0
