"""A comparison finds what is lost and what is doubled, and leaves the uncertain open."""

from __future__ import annotations

from decimal import Decimal

import pytest

from trackable_tests.faults.compare import Comparison, compare
from trackable_tests.faults.records import Recorded
from trackable_tests.faults.traffic import Counter

VIEWS = Counter("testapp.PageTotals", 1, "", "views")
CLICKS = Counter("testapp.PageData", 2, "2026-03-01", "clicks")  # each of them is 3
SCORE = Counter("testapp.PageData", 2, "2026-03-01", "score")  # 5, -3 or -1


def recorded(*emits: tuple[Counter, str, str]) -> Recorded:
    """Return a record of emits: their counters, amounts and answers (``+``, ``-`` or none)."""
    found = Recorded()
    for number, (counter, amount, answer) in enumerate(emits):
        cells = (counter.data_class, counter.page, counter.period or "-", counter.field, amount)
        lines = [" ".join(map(str, ("?", number, *cells))) + "\n"]
        found.add([*lines, *([f"{answer} {number}\n"] if answer else [])])
    return found


def outcome(found: Comparison) -> tuple[int, int, int]:
    return found.lost, found.doubled, len(found.differences)


def compared(*emits: tuple[Counter, str, str], **counted: int) -> tuple[int, int, int]:
    names = {"views": VIEWS, "clicks": CLICKS, "score": SCORE}
    rows = {names[name]: Decimal(amount) for name, amount in counted.items()}
    return outcome(compare(recorded(*emits), rows))


def test_what_was_acknowledged_and_counted_is_exact() -> None:
    emits = [(VIEWS, "1", "+")] * 3 + [(CLICKS, "3", "+"), (SCORE, "-3", "+")]
    assert compared(*emits, views=3, clicks=3, score=-3) == (0, 0, 0)


def test_a_loss_is_found() -> None:
    assert compared(*[(VIEWS, "1", "+")] * 3, views=2) == (1, 0, 1)
    assert compared((VIEWS, "1", "+")) == (1, 0, 1)  # not even a row


def test_a_double_is_found() -> None:
    assert compared((CLICKS, "3", "+"), clicks=9) == (0, 2, 1)
    assert compared(views=1) == (0, 1, 1)  # of what was never emitted


def test_a_loss_and_a_double_do_not_make_up_for_one_another() -> None:
    emits = [(VIEWS, "1", "+"), (CLICKS, "3", "+")]
    assert compared(*emits, views=2) == (1, 1, 2)


def test_what_was_refused_must_not_be_counted() -> None:
    assert compared((VIEWS, "1", "-")) == (0, 0, 0)
    assert compared((VIEWS, "1", "-"), views=1) == (0, 1, 1)


@pytest.mark.parametrize("views", [1, 2, 3])
def test_what_has_no_answer_may_be_counted(views: int) -> None:
    emits = [(VIEWS, "1", "+"), (VIEWS, "1", ""), (VIEWS, "1", "")]
    assert compared(*emits, views=views) == (0, 0, 0)


def test_what_has_no_answer_is_counted_once_at_most() -> None:
    emits = [(VIEWS, "1", "+"), (VIEWS, "1", "")]
    assert compared(*emits, views=3) == (0, 1, 1)
    assert compared(*emits, views=0) == (1, 0, 1)


@pytest.mark.parametrize(("score", "differences"), [(5, 0), (2, 0), (4, 0), (1, 0), (0, 1), (3, 1)])
def test_of_mixed_amounts_only_those_that_were_tried_are_explained(
    score: int, differences: int
) -> None:
    emits = [(SCORE, "5", "+"), (SCORE, "-3", ""), (SCORE, "-1", "")]
    assert compared(*emits, score=score) == (0, 0, differences)


def test_increments_are_added_up() -> None:
    found = recorded((CLICKS, "3", "+"), (CLICKS, "3", "-"), (CLICKS, "3", ""), (SCORE, "5", "+"))
    totals = (found.emitted, found.acknowledged, found.refused, found.uncertain)
    assert totals == (4, 2, 1, 1)
    assert compare(found, {CLICKS: Decimal(6), SCORE: Decimal(5)}).counted == 3


def test_a_line_that_was_cut_was_no_attempt() -> None:
    found = Recorded()
    found.add(["? 1 testapp.PageTotals 1 - views 1\n", "+ 1\n", "? 2 testapp.PageTot"])
    assert (found.emitted, found.acknowledged, found.uncertain) == (1, 1, 0)


def test_an_answer_to_nothing_is_an_error_of_the_harness() -> None:
    with pytest.raises(AssertionError):
        Recorded().add(["+ 1\n"])
