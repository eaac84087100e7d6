"""Sketches: exact while small, within two per cent then, and the same in whatever order."""

from __future__ import annotations

import random
import sys

import pytest

from trackable.exceptions import BadSketch, MissingLibrary
from trackable.uniques import sketches


def hashes(number: int, seed: int = 1) -> list[int]:
    dice = random.Random(f"{number} {seed}")
    return [dice.getrandbits(64) for _ in range(number)]


def sketch(number: int, seed: int = 1) -> bytes:
    return sketches.add(b"", hashes(number, seed))


def test_nothing_is_no_bytes() -> None:
    assert sketches.empty() == sketches.add(b"", []) == sketches.merge([]) == b""
    assert sketches.merge([b"", b""]) == b""
    assert sketches.estimate(b"") == 0


def test_few_are_counted_exactly() -> None:
    for number in (1, 2, 7, 8, 9, 100, 1000, 1400):
        assert sketches.estimate(sketch(number)) == number


def test_what_is_known_changes_nothing() -> None:
    for number in (1, 100, 1600, 5000):
        known = sketch(number)
        assert sketches.add(known, hashes(number)[::3]) == known
        assert sketches.estimate(sketches.merge([known, known])) == sketches.estimate(known)


def test_neither_order_nor_grouping_changes_the_estimate() -> None:
    for number in (100, 1500, 1537, 1600, 3000, 20_000):
        found = hashes(number)
        whole = sketches.add(b"", found)
        halves = sketches.add(sketches.add(b"", found[::-1][: number // 2]), found)
        parts = sketches.merge(sketches.add(b"", found[each::7]) for each in range(7))
        estimates = {sketches.estimate(each) for each in (whole, halves, parts)}
        assert len(estimates) == 1, number


def test_a_union_has_what_each_has_once() -> None:
    one, other = hashes(900), hashes(900, seed=2)
    both = sketches.merge([sketches.add(b"", one), sketches.add(b"", [*other, *one[:300]])])
    assert sketches.estimate(both) == sketches.estimate(sketches.add(b"", one + other))
    few = sketches.merge([memoryview(sketches.add(b"", one[:50])), sketches.add(b"", one[40:60])])
    assert sketches.estimate(few) == 60


def test_sketches_take_little_room() -> None:
    assert (len(sketch(5)), len(sketch(100))) == (28, 412)
    assert len(sketch(20_000)) < 8300


def check_error(number: int, seeds: int) -> None:
    """All but a few must be within 2 %, and all within 4 %: five times the standard error."""
    errors = [abs(sketches.estimate(sketch(number, seed)) / number - 1) for seed in range(seeds)]
    assert max(errors) < 0.04, errors
    assert sum(error > 0.02 for error in errors) <= seeds // 10, errors


def test_thousands_are_within_two_per_cent() -> None:
    for number in (1600, 5000, 20_000):
        check_error(number, seeds=10)


@pytest.mark.slow
def test_a_million_is_within_two_per_cent() -> None:
    check_error(100_000, seeds=20)
    check_error(1_000_000, seeds=10)


def test_what_is_no_sketch_is_refused() -> None:
    whole = sketch(3000)
    for broken in (b"x", b"\0" * 40, whole[:100], b"no sketch at all"):
        with pytest.raises(BadSketch, match="no sketch of a distinct count"):
            sketches.add(broken, [1])
        with pytest.raises(BadSketch):
            sketches.merge([whole, broken])


def test_a_missing_library_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = sketch(3)
    monkeypatch.setitem(sys.modules, "datasketches", None)
    with pytest.raises(MissingLibrary, match=r"install trackable\[uniques\]"):
        sketches.estimate(kept)
    assert sketches.estimate(b"") == 0
