"""Payloads: whatever an encoder decrypts is a payload or nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from trackable.contrib.pixels.payloads import OPTIONS, Payload, payload_of
from trackable_tests.tables import for_each

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["a", OPTIONS, "expires", "to", "self"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@for_each("args", [[], [1, "two"], (1, "two")])
def test_arguments_are_taken_as_they_are(args: Any) -> None:
    assert payload_of([args, {"a": 1}]) == Payload(args, {"a": 1})


@for_each(
    "decoded",
    [
        *(None, True, 7, 1.5, "", "ab", b"ab", {}, {"a": 1, "b": 2}, [], [[]], [[], {}, {}]),
        *([1, 2], [[], []], [{}, {}], [{}, []], ["ab", {}], [None, {}], [[], None], [[], "ab"]),
        *([[], {1: 2}], [[], {"a": 1, None: 2}], {"a", "b"}, iter([[], {}]), object()),
    ],
)
def test_anything_else_is_nothing(decoded: Any) -> None:
    assert payload_of(decoded) is None


@pytest.mark.parametrize("name", ["request", "self"])
def test_argument_that_record_could_not_take_is_nothing(name: str) -> None:
    assert payload_of([[], {name: 1}]) is None


def test_options_are_taken_out_of_the_arguments() -> None:
    kwargs = {"a": 1, OPTIONS: {"expires": 5, "to": "X"}}
    assert payload_of([[2], kwargs]) == Payload([2], {"a": 1}, 5, "X")
    assert kwargs == {"a": 1, OPTIONS: {"expires": 5, "to": "X"}}


@for_each(
    "options",
    [
        *(None, 7, "", [], ["expires"], {"until": 5}, {"expires": 5, "more": 1}, {"to": 7}),
        *({"expires": value} for value in (None, True, False, 5.0, "5", [5], {})),
        *({"to": value} for value in (None, True, ["X"], {})),
    ],
)
def test_options_that_are_not_known_forbid_a_call(options: Any) -> None:
    assert payload_of([[1], {OPTIONS: options}]) is None


@examples(max_examples=100, deadline=None)
@given(decoded=JSON | st.tuples(st.lists(JSON, max_size=2), JSON).map(list))
def test_whatever_is_decrypted_is_a_payload_or_nothing(decoded: Any) -> None:
    payload = payload_of(decoded)
    if payload is not None:
        assert OPTIONS not in payload.kwargs
        assert payload_of([payload.args, payload.keywords()]) == payload


@for_each(
    "payload",
    [Payload([], {}), Payload([1], {"a": 2}), Payload([], {}, 5), Payload([], {}, 5, "X")],
)
def test_payload_comes_back_from_what_travels(payload: Payload) -> None:
    assert payload_of([payload.args, payload.keywords()]) == payload


def test_without_options_only_the_arguments_travel() -> None:
    assert Payload([1], {"a": 2}).keywords() == {"a": 2}


def test_payload_expires_at_its_moment() -> None:
    payload = Payload([1], {}, expires_at_seconds=100)
    assert [payload.is_expired(now) for now in (0, 99.999, 100, 101)] == [False, False, True, True]
    assert not Payload([1], {}).is_expired(1e12)


def test_payload_without_arguments_is_empty() -> None:
    assert Payload([], {}, 5, "X").is_empty
    assert not Payload([0], {}).is_empty
    assert not Payload([], {"a": ""}).is_empty
