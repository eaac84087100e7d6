"""Each target with what Hypothesis makes of real input; ``make fuzz`` goes on for longer."""

from __future__ import annotations

import os
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trackable_tests.fuzzing.seeds import TOKENS, seeds
from trackable_tests.fuzzing.targets import TARGETS

pytestmark = pytest.mark.django_db

EXAMPLES: Final = int(os.environ.get("TRACKABLE_TEST_EXAMPLES", "20"))
SEEDS: Final = seeds()

PROFILE: Final = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck)
)


@st.composite
def mutated(draw: Any, found: list[bytes]) -> bytes:
    """Draw a seed with some of it cut out, and something else put in there."""
    data = draw(st.sampled_from(found))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 12))
        data = (
            data[:start]
            + draw(st.one_of(st.binary(max_size=8), st.sampled_from(TOKENS)))
            + data[end:]
        )
    return data


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_is_raised_but_what_is_documented(name: str) -> None:
    target, handled = TARGETS[name], []

    @PROFILE
    @given(st.one_of(mutated(SEEDS[name]), st.binary(max_size=200)))
    def check(data: bytes) -> None:
        handled.append(target(data))

    check()
    assert len(handled) >= EXAMPLES


@pytest.mark.parametrize("name", TARGETS)
def test_real_input_passes(name: str) -> None:
    handled = [TARGETS[name](data) for data in SEEDS[name][:20]]
    assert handled
    assert all(handled), handled
