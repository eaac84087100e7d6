"""A fault point strikes at its pass, on its side, and only in the process that was armed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from trackable_tests.faults import points
from trackable_tests.faults.points import AFTER, BEFORE, Point


class Steps:
    """What a process does, and what has happened to it."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def step(self, number: int) -> int:
        self.seen.append(number)
        return number


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[[Point, int], Steps]:
    """Arm a step; a signal to this process is only noted, between the steps."""

    def armed(point: Point, occurrence: int) -> Steps:
        found = Steps()
        monkeypatch.setitem(points.POINTS, "a-point", point)
        monkeypatch.setattr(Steps, "step", Steps.step)
        monkeypatch.setattr(os, "kill", lambda pid, number: found.seen.append((pid, number)))
        points.arm("a-point", occurrence, points.KILL, found.seen.append)
        return found

    return armed


def struck() -> list[Any]:
    return ["fired a-point kill", (os.getpid(), signal.SIGKILL)]


def test_before(steps: Any) -> None:
    found = steps(Point(Steps, "step", BEFORE), 2)
    assert [found.step(n) for n in (1, 2, 3)] == [1, 2, 3]
    assert found.seen == [1, *struck(), 2, 3]


def test_after(steps: Any) -> None:
    found = steps(Point(Steps, "step", AFTER), 1)
    assert [found.step(n) for n in (1, 2)] == [1, 2]
    assert found.seen == [1, *struck(), 2]


def test_only_calls_that_meet_the_condition_are_passes(steps: Any) -> None:
    found = steps(Point(Steps, "step", BEFORE, lambda _self, number: number > 5), 2)
    for number in (7, 1, 8, 9):
        found.step(number)
    assert found.seen == [7, 1, *struck(), 8, 9]


def test_a_fork_does_not_strike(steps: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = steps(Point(Steps, "step", BEFORE), 1)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    found.step(1)
    assert found.seen == [1]
