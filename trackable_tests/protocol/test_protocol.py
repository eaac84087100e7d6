"""Whatever happens on the way, in any order: what is counted is what was acknowledged."""

from __future__ import annotations

import os
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from trackable_tests.protocol.machine import Protocol, ProtocolWithoutBroker

pytestmark = pytest.mark.django_db

EXAMPLES: Final = int(os.environ.get("TRACKABLE_TEST_EXAMPLES", "15"))
STEPS: Final = 30

PROFILE: Final = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("machine", [Protocol, ProtocolWithoutBroker])
def test_what_is_counted_is_what_was_acknowledged(machine: type[Protocol]) -> None:
    compared: list[int] = []

    class Watched(machine):  # type: ignore[misc, valid-type]
        def _compare(self) -> None:
            super()._compare()
            compared.append(len(self.increments))

    run_state_machine_as_test(Watched, settings=PROFILE)
    assert len(compared) >= EXAMPLES
    assert sum(compared) >= EXAMPLES, "there was hardly anything to compare"
