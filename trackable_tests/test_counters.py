"""Which fields count, and what may be added to them."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import models
from django.test.utils import isolate_apps
from hypothesis import given
from hypothesis import strategies as st

from trackable import TrackableData
from trackable.counters import clean_amount, counters_of, field_range, is_positive
from trackable.exceptions import BadAmount, UnknownField
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import LinkData, PageData, PageParentData, PageSizes

COUNTERS = counters_of(PageData)


def test_numeric_fields_are_the_counters() -> None:
    assert list(COUNTERS) == ["views", "clicks", "score", "revenue", "seconds"]


@for_each("data_cls", [PageData, PageParentData, LinkData])
@for_each("name", ["id", "object_id", "content_type", "parent", "collected_during"])
def test_key_is_never_a_counter(data_cls: Any, name: str) -> None:
    with pytest.raises(UnknownField):
        counters_of(data_cls)[name]


def test_unknown_field_names_the_counters_there_are() -> None:
    with pytest.raises(UnknownField, match=r"PageParentData has no counter 'viewz': .* are views"):
        counters_of(PageParentData)["viewz"]


def test_other_fields_do_not_count() -> None:
    assert list(counters_of(PageSizes)) == ["small", "big", "positive_small", "positive_big"]


@isolate_apps("trackable_tests.testapp")
def test_class_may_list_its_counters() -> None:
    class Listed(TrackableData):
        counters = ("views",)
        views = models.IntegerField(default=0)
        rank = models.IntegerField(default=0)

        class Meta:
            app_label = "testapp"

    assert list(counters_of(Listed)) == ["views"]


def test_positive_fields_are_told_from_others() -> None:
    assert is_positive(COUNTERS["views"])
    assert not is_positive(COUNTERS["score"])
    assert not is_positive(COUNTERS["revenue"])


@for_each(
    "name, amount, cleaned",
    [
        ("views", 3, 3),
        ("views", -3, -3),
        ("score", -(2**31) + 1, -(2**31) + 1),
        ("revenue", 3, Decimal(3)),
        ("revenue", Decimal("9.99"), Decimal("9.99")),
        ("seconds", 3, 3.0),
        ("seconds", Decimal("0.5"), 0.5),
        ("seconds", 0.25, 0.25),
    ],
)
def test_amounts_become_the_fields_own_type(name: str, amount: Any, cleaned: Any) -> None:
    found = clean_amount(COUNTERS[name], amount)
    assert (found, type(found)) == (cleaned, type(cleaned))


UNFIT = {
    "true": True,
    "false": False,
    "none": None,
    "text": "1",
    "bytes": b"1",
    "list": [],
    "complex": 1j,
    "nan": float("nan"),
    "infinity": float("inf"),
    "less than anything": float("-inf"),
    "decimal nan": Decimal("NaN"),
    "decimal signal": Decimal("sNaN"),
    "decimal infinity": Decimal("Infinity"),
    "more digits than Python writes": 10**5000,
    "as many less than zero": -(10**5000),
}


@for_each("name", list(COUNTERS))
@for_each("kind", UNFIT)
def test_what_is_no_finite_number_is_refused_everywhere(name: str, kind: str) -> None:
    with pytest.raises(BadAmount, match=f"cannot be added to {name}"):
        clean_amount(COUNTERS[name], UNFIT[kind])


@for_each(
    "name, amount, reason",
    [
        ("views", 1.0, "is not an integer"),
        ("views", Decimal(1), "is not an integer"),
        ("views", 2**31, "is more than the column can hold"),
        ("revenue", 0.1, "is a float, which is not exact"),
        ("revenue", Decimal("0.001"), "no more than 2 decimal places"),
        ("revenue", 10**10, "no more than 1[02] digits"),
    ],
)
def test_refusal_says_why(name: str, amount: Any, reason: str) -> None:
    with pytest.raises(BadAmount, match=reason):
        clean_amount(COUNTERS[name], amount)


@pytest.mark.parametrize(
    ("name", "amount", "end"),
    [
        ("views", 1.5, "views (PositiveIntegerField): it is not an integer."),
        (
            "revenue",
            Decimal("1.234"),
            "revenue (DecimalField). Ensure that there are no more than 2 decimal places.",
        ),
    ],
)
def test_refusal_is_made_of_sentences(name: str, amount: Any, end: str) -> None:
    with pytest.raises(BadAmount) as caught:
        clean_amount(COUNTERS[name], amount)
    assert str(caught.value) == f"'{amount}' cannot be added to {end}"


@for_each("name, bits", [("small", 15), ("big", 63), ("positive_small", 15), ("positive_big", 63)])
def test_range_is_the_columns(name: str, bits: int) -> None:
    high = 2**bits - 1
    assert field_range(counters_of(PageSizes)[name]) == (-high, high)
    assert clean_amount(counters_of(PageSizes)[name], high) == high
    with pytest.raises(BadAmount):
        clean_amount(counters_of(PageSizes)[name], high + 1)


@given(st.integers() | st.floats() | st.decimals() | st.text() | st.none() | st.booleans())
def test_any_amount_is_cleaned_or_refused(amount: Any) -> None:
    for field in COUNTERS.values():
        try:
            cleaned = clean_amount(field, amount)
        except BadAmount:
            continue
        assert cleaned == amount or isinstance(field, models.FloatField)
