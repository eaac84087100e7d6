"""The circuit breaker: open after failures in a row, with one try at a time, and closed again."""

from __future__ import annotations

import pytest

from trackable.contrib.analytics.sending.backoff import pause_seconds
from trackable.contrib.analytics.sending.breaker import Breaker


class Clock:
    """The time, as the test says."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(3, 30.0, clock=clock)


def open_it(breaker: Breaker) -> None:
    for _ in range(3):
        breaker.fail()


def test_closed_one_lets_everybody_go(breaker: Breaker) -> None:
    assert [breaker.wait_seconds() for _ in range(3)] == [0.0, 0.0, 0.0]


def test_it_opens_after_failures_in_a_row_and_says_so_once(breaker: Breaker) -> None:
    assert [breaker.fail() for _ in range(5)] == [False, False, True, False, False]
    assert breaker.is_open


def test_success_between_failures_keeps_it_closed(breaker: Breaker) -> None:
    breaker.fail()
    breaker.fail()
    assert breaker.succeed() is False
    assert [breaker.fail() for _ in range(2)] == [False, False]
    assert not breaker.is_open


def test_open_one_lets_nobody_go_for_its_time(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    assert breaker.wait_seconds() == 30.0
    clock.now += 29.0
    assert breaker.wait_seconds() == 1.0


def test_after_its_time_one_try_goes_at_a_time(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += 30.0
    assert [breaker.wait_seconds() for _ in range(3)] == [0.0, 30.0, 30.0]
    clock.now += 30.0  # nobody has told what became of the first
    assert breaker.wait_seconds() == 0.0


def test_try_that_fails_keeps_it_open(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += 30.0
    assert (breaker.wait_seconds(), breaker.fail()) == (0.0, False)
    assert breaker.wait_seconds() == 30.0


def test_try_that_succeeds_closes_it(breaker: Breaker, clock: Clock) -> None:
    open_it(breaker)
    clock.now += 30.0
    assert (breaker.wait_seconds(), breaker.succeed()) == (0.0, True)
    assert [breaker.wait_seconds(), breaker.fail()] == [0.0, False]


def test_rest_that_is_asked_for_begins_at_once_and_no_success_ends_it(
    breaker: Breaker, clock: Clock
) -> None:
    assert [breaker.rest(600.0), breaker.rest(60.0)] == [True, False]
    assert [breaker.succeed(), breaker.fail()] == [False, False]
    assert breaker.wait_seconds() == 600.0
    clock.now += 600.0
    assert [breaker.wait_seconds() for _ in range(2)] == [0.0, 30.0]
    assert breaker.succeed()
    assert breaker.wait_seconds() == 0.0


def test_pauses_grow_to_a_minute_and_differ() -> None:
    for tries, longest in [(1, 1.0), (2, 2.0), (3, 4.0), (7, 60.0), (1000, 60.0)]:
        pauses = [pause_seconds(tries) for _ in range(100)]
        assert longest / 2 <= min(pauses) < max(pauses) <= longest


@pytest.mark.parametrize(("asked", "given"), [(90.0, 90.0), (99_999.0, 1800.0)])
def test_service_may_ask_for_a_longer_pause(asked: float, given: float) -> None:
    assert pause_seconds(1, asked_seconds=asked) == given
