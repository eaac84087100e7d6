"""Orders of events that the model has found, and that once broke the promise."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from trackable_tests.protocol.machine import HORIZON, HOUR, MACHINES, MINUTE, Protocol
from trackable_tests.protocol.rows import TOTALS, Counted, Quarantined

pytestmark = pytest.mark.django_db


@pytest.fixture
def protocol() -> Iterator[Protocol]:
    """A model, whose teardown compares."""
    protocol = Protocol()
    protocol.set_clocks([0.0] * (MACHINES + 1))
    yield protocol
    protocol._patches.close()


@pytest.mark.parametrize(
    ("age", "first"),
    [(HORIZON - MINUTE, Counted), (HORIZON + HOUR, Quarantined)],
    ids=["counted", "set aside"],
)
def test_a_fail_over_takes_nothing_that_was_folded_at_the_horizon(
    protocol: Protocol, age: float, first: type[Counted | Quarantined]
) -> None:
    protocol.emit(0, 1, ((TOTALS, "views"), 1), 1)
    protocol.seal(0)
    protocol.wait(age)
    protocol.fold(0, None)
    assert first().times == {0: 1}
    protocol.fail_over(0)
    protocol.teardown()
    # What is sent again comes past the horizon, however it was folded at first.
    assert (Counted().times, Quarantined().times) == ({}, {0: 1})
