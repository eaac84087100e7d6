"""Notices: each cause once an hour, few of them, and from any thread."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from functools import partial

import pytest

from trackable import notices
from trackable_tests.bounds.threads import in_threads


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    moment = [1e6]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    return moment


@pytest.fixture
def hasty() -> Iterator[None]:
    """Have threads take turns as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_a_cause_is_news_once_an_hour(now: list[float]) -> None:
    assert [notices.is_news("a"), notices.is_news("a"), notices.is_news("b")] == [True, False, True]
    now[0] += notices.INTERVAL_SECONDS
    assert notices.is_news("a")


def test_nobody_can_fill_the_log_with_causes(now: list[float]) -> None:
    told = [notices.is_news(str(number)) for number in range(notices.MAX_CAUSES + 10)]
    assert sum(told) == notices.MAX_CAUSES
    now[0] += notices.INTERVAL_SECONDS
    assert notices.is_news("later")
    assert len(notices._said_at) == 1


@pytest.mark.usefixtures("hasty")
def test_threads_may_ask_at_once(now: list[float]) -> None:
    def ask(turn: int) -> None:
        for number in range(3000):
            if number % 500 == 0:
                now[0] += notices.INTERVAL_SECONDS
            notices.is_news(f"{turn} {number}")

    in_threads(*(partial(ask, turn) for turn in range(8)))
    assert len(notices._said_at) <= notices.MAX_CAUSES + 8
