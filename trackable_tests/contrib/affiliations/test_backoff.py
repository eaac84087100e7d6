"""Pauses between attempts: a minute, doubled up to six hours, and never the same for two."""

from __future__ import annotations

from trackable.contrib.affiliations.backoff import MAX_PAUSE_SECONDS, pause_seconds
from trackable_tests.tables import for_each


def pauses(*numbers: int, asked_seconds: float = 0, dice: float = 0.5) -> list[float]:
    return [pause_seconds(n, asked_seconds=asked_seconds, dice=dice) for n in numbers]


def test_pause_doubles_up_to_six_hours() -> None:
    assert pauses(1, 2, 3, 9, 10) == [60, 120, 240, 15360, 21600]
    assert pauses(100, 10**9) == [21600, 21600]


def test_no_attempt_at_all_waits_as_one_does() -> None:
    assert pauses(0, -1) == [60, 60]


@for_each("dice, seconds", [(0, 45), (0.5, 60), (1, 75)])
def test_pause_is_spread(dice: float, seconds: float) -> None:
    assert pauses(1, dice=dice) == [seconds]


@for_each("asked, seconds", [(0, 60), (59, 60), (3600, 3600), (10**9, MAX_PAUSE_SECONDS)])
def test_partner_may_ask_for_more_time_within_bounds(asked: float, seconds: float) -> None:
    assert pauses(1, asked_seconds=asked) == [seconds]


def test_twelve_attempts_are_made_within_a_day() -> None:
    assert 18 * 3600 < sum(pauses(*range(1, 12))) < 24 * 3600
