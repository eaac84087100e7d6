"""The model can fail: it finds each of these ways to break the core."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from trackable import settling, shipping
from trackable.folding import ledger
from trackable.journal import segments
from trackable.journal.segments import FOLDED, SHIPPED, Segment
from trackable_tests.protocol.fake_broker import FakeBroker
from trackable_tests.protocol.machine import Protocol
from trackable_tests.protocol.rows import TOTALS

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

#: Found within a few dozen, in the same order each time; not made any shorter.
SEARCH: Final = settings(
    max_examples=1000,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def find(what: str) -> None:
    with pytest.raises(AssertionError, match=what):
        run_state_machine_as_test(Protocol, settings=SEARCH)


def remove_once(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    """Have segments removed as soon as they are in a state."""
    real = Segment.become

    def become(segment: Segment, target: str) -> Segment | None:
        changed = real(segment, target)
        if changed is not None and target == state:
            changed.remove()
        return changed

    monkeypatch.setattr(Segment, "become", become)


def test_the_model_finds_a_fold_that_does_not_ask_the_ledger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = ledger.claim

    def claim(alias: str, group: Any) -> set[str]:
        real(alias, group)
        return {item.id for item in group}

    monkeypatch.setattr(ledger, "claim", claim)
    find("counted more than once")


def test_the_model_finds_a_ledger_that_forgets_before_the_horizon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ledger, "PRUNING_MARGIN", timedelta(days=-7))
    find("counted more than once")


def test_the_model_finds_a_segment_that_is_sent_again_under_another_id(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = shipping.read

    def read(*arguments: Any) -> Any:
        found = real(*arguments)
        return found and [replace(batch, id=segments.new_id()) for batch in found]

    monkeypatch.setattr(shipping, "read", read)
    find("counted more than once")


def test_the_model_finds_a_segment_that_is_removed_once_shipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    remove_once(monkeypatch, SHIPPED)
    find("increments were lost")


def test_the_model_finds_an_ack_before_the_commit_without_sending_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = FakeBroker.claim

    def claim(connection: FakeBroker, data_class: str) -> Any:
        found = real(connection, data_class)
        if found is not None:
            found.message.ack()
        return found

    monkeypatch.setattr(FakeBroker, "claim", claim)
    monkeypatch.setattr(settling, "_is_lost", lambda segment, now: False)
    find("never empty|increments were lost")


def test_the_model_finds_a_settling_that_does_not_ask_the_ledger(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def ask(found: Any) -> Any:
        return dict.fromkeys(found, True), []

    monkeypatch.setattr(settling, "_ask_ledgers", ask)
    find("increments were lost")


def test_the_model_finds_segments_that_are_not_kept_for_a_fail_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In an order that is given, because it takes a search some ten seconds."""
    remove_once(monkeypatch, FOLDED)
    protocol = Protocol()
    protocol.emit(0, 1, ((TOTALS, "views"), 1), 1)
    protocol.seal(0)
    protocol.fold(0, None)
    protocol.fail_over(0)
    with pytest.raises(AssertionError, match="increments were lost"):
        protocol.teardown()
