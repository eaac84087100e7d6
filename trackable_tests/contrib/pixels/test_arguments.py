"""Arguments: what can travel does so as what it is, and the rest is refused by its name."""

import json
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any

import pytest
from django.db.models import IntegerChoices, TextChoices
from django.utils.functional import SimpleLazyObject, lazy
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from trackable.contrib.pixels import PtrackArgumentError
from trackable.contrib.pixels.arguments import MAX_DEPTH, clean
from trackable_tests.tables import for_each


class Colour(TextChoices):
    RED = "r"


class Size(IntegerChoices):
    LARGE = 3


class Plain(str, Enum):  # noqa: UP042
    ONE = "one"


class Number(IntEnum):
    TWO = 2


def refusal_of(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(PtrackArgumentError) as caught:
        clean(args, kwargs)
    return str(caught.value).removeprefix("A pixel cannot carry ")


# what can travel


@for_each("value", [0, -1, 10**600, "", "text", "Grüße 😀", "\0\n", [], {}, [[{}]]])
def test_value_stays_as_it_is(value: Any) -> None:
    assert clean([value], {"key": value}) == ((value,), {"key": value})


@for_each(
    "value, plain",
    [
        (mark_safe("<b>"), "<b>"),
        (gettext_lazy("Yes"), "Yes"),
        (lazy(lambda: 7, int)(), "7"),
        (Colour.RED, "r"),
        (Plain.ONE, "one"),
        (Size.LARGE, 3),
        (Number.TWO, 2),
        ((1, (2,)), [1, [2]]),
        ({mark_safe("k"): mark_safe("v")}, {"k": "v"}),
    ],
)
def test_value_travels_as_what_it_stands_for(value: Any, plain: Any) -> None:
    (found,), _ = clean([value], {})
    assert found == plain
    assert type(found) is type(plain)


def test_string_is_plain_for_any_encoder() -> None:
    (found,), named = clean([[SafeString("a")]], {SafeString("key"): SafeString("b")})
    assert [type(each) for each in (found[0], *named, *named.values())] == [str, str, str]


def test_list_may_be_there_twice() -> None:
    shared = [1]
    assert clean([[shared, shared]], {"key": shared}) == (([[1], [1]],), {"key": [1]})


def test_arguments_of_the_caller_are_left_alone() -> None:
    value = {"a": (1,)}
    clean([value], {})
    assert value == {"a": (1,)}


@examples(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    )
)
def test_what_is_not_refused_is_json(value: Any) -> None:
    try:
        (found,), _ = clean([value], {})
    except PtrackArgumentError:
        return
    assert json.loads(json.dumps(found).encode()) == found == value


# what cannot


@for_each(
    "value",
    [
        *(None, True, False, 1.5, float("nan"), float("inf"), Decimal(1), 1j, b"bytes", {1, 2}),
        *(object(), Colour, len, range(3), SimpleLazyObject(lambda: "text"), iter("ab")),
    ],
)
def test_anything_else_is_refused_with_its_type(value: Any) -> None:
    told = refusal_of(1, value)
    assert told.startswith("argument 2: it is ")
    assert type(value).__name__ in told or value is None
    assert told.endswith("Pass integers, strings, and lists or dictionaries of them.")


@for_each("args", ["opened", b"opened", {"opened"}, None, 7, iter([1])])
def test_arguments_are_a_list_or_tuple(args: Any) -> None:
    with pytest.raises(PtrackArgumentError, match="and must be a list or tuple"):
        clean(args, {})


@for_each("kwargs", [None, [("a", 1)], "a", 7])
def test_keyword_arguments_are_a_mapping(kwargs: Any) -> None:
    with pytest.raises(PtrackArgumentError, match="and must be a mapping"):
        clean([], kwargs)


def test_argument_is_named() -> None:
    assert refusal_of("a", None).startswith("argument 2: it is None.")
    assert refusal_of(key1=1.5).startswith("argument 'key1': it is a float.")
    assert refusal_of(key1=object()).startswith("argument 'key1': it is an object.")


def test_place_within_an_argument_is_named() -> None:
    assert refusal_of(key1={"a": [None]}).startswith("argument key1['a'][0]: ")
    assert refusal_of(1, [2, {"b": (3, True)}]).startswith("argument 2[1]['b'][1]: ")


def test_long_key_is_shown_in_part() -> None:
    assert refusal_of(key1={"x" * 1000: None}).startswith(f"argument key1['{'x' * 40}']: ")


@for_each("key", [1, None, b"k", 1.5, ("a",)])
def test_key_must_be_a_string(key: Any) -> None:
    told = refusal_of(key1=[{key: "v"}])
    assert told.startswith("argument key1[0]: it has a key that is ")


@for_each("name", ["request", "self", "trackable_options"])
def test_name_that_is_taken_is_refused(name: str) -> None:
    assert refusal_of(**{name: 1}).startswith(f"argument '{name}': ")
    assert clean([{name: 1}], {"key": {name: 1}})[1] == {"key": {name: 1}}


def test_name_must_be_a_string() -> None:
    with pytest.raises(PtrackArgumentError, match="its name is an int"):
        clean([], {1: 2})  # type: ignore[dict-item]


@for_each("value", [2**2000, -(2**2000), 10**5000])
def test_integer_of_many_digits_is_refused(value: int) -> None:
    assert refusal_of(value).startswith("argument 1: it has more than 2000 bits")


def test_half_a_character_is_refused() -> None:
    assert refusal_of("\ud800").startswith("argument 1: it has half a surrogate")
    assert refusal_of({"\udfff": 1}).startswith("argument 1: it has half a surrogate")


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


def test_nesting_has_a_limit() -> None:
    clean([nested(MAX_DEPTH)], {})
    assert "it is more than 20 deep" in refusal_of(nested(MAX_DEPTH + 1))
    assert "it is more than 20 deep" in refusal_of(nested(100_000))


def test_cycle_is_refused() -> None:
    ring: list[Any] = [1]
    ring += [ring, ring]
    loop: dict[str, Any] = {}
    loop["loop"] = loop
    for value in (ring, loop):
        assert "or contains itself" in refusal_of(value)


def test_few_lists_that_are_many_when_written_out_are_refused() -> None:
    value: Any = [1] * 10
    for _ in range(15):
        value = [value] * 10
    assert "more than 10000 values" in refusal_of(value)
