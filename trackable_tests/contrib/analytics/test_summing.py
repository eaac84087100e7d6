"""Summing: amounts of one counter are told as one, which is exactly as much as all of them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from trackable.contrib.analytics.forwarding.summing import MAX_TEXT_LENGTH, summed
from trackable.contrib.analytics.models import ForwardedAmount

AT = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)

texts = st.one_of(
    st.integers(-(2**63), 2**63).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**60)).map(
        "{:f}".format
    ),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)


def noted(pk: int, amount: str, *, counter: str = "views", at: datetime = AT) -> ForwardedAmount:
    return ForwardedAmount(pk=pk, amount=amount, counter=counter, object_id="7", folded_at=at)


@given(st.lists(st.tuples(st.sampled_from(["views", "clicks"]), texts), max_size=8))
def test_sum_of_each_counter_is_exact(given_: list[tuple[str, str]]) -> None:
    wanted: Counter[str] = Counter()
    amounts = []
    for pk, (counter, text) in enumerate(given_):
        wanted[counter] += Fraction(text)
        amounts.append(noted(pk, text, counter=counter))
    found: Counter[str] = Counter()
    for each in summed(amounts):
        assert len(each.amount) <= MAX_TEXT_LENGTH
        found[each.counter] += Fraction(each.amount)
    assert +found == +wanted
    assert -found == -wanted


def test_sum_is_new_and_as_old_as_the_latest() -> None:
    later = AT + timedelta(minutes=20)
    (left,) = summed([noted(2, "2.50", at=later), noted(1, "3"), noted(3, "-0.25")])
    assert (left.pk, left.amount, left.folded_at) == (None, "5.25", later)


def test_hours_and_periods_and_objects_are_told_apart() -> None:
    others = [
        noted(1, "1"),
        noted(2, "1", at=AT + timedelta(hours=1)),
        noted(3, "1"),
        noted(4, "1"),
    ]
    others[2].period = "2026-11-21"
    others[3].object_id = "8"
    assert summed(others) == others


def test_what_comes_to_nothing_is_nothing_and_what_cannot_be_summed_stays() -> None:
    assert summed([noted(1, "3"), noted(2, "-3")]) == []
    for odd in ("nonsense", "1e-300", "Infinity"):
        pair = [noted(1, "1"), noted(2, odd)]
        assert [each.amount for each in summed(pair)] == ["1", odd]
