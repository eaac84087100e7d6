"""Drops: counted, and logged once a minute at most."""

from __future__ import annotations

from typing import Any

import pytest

from trackable.contrib.analytics.sending import drops


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the time."""

    def set_time(seconds: float) -> None:
        monkeypatch.setattr(drops.time, "monotonic", lambda: 1000.0 + seconds)

    set_time(0.0)
    return set_time


def test_first_drop_is_told_and_the_rest_of_the_minute_together(at: Any, caplog: Any) -> None:
    for _ in range(5):
        drops.add("ga4", "the queue is full")
    assert caplog.messages == ["1 hits for 'ga4' were dropped: the queue is full."]
    caplog.clear()
    at(59.9)
    drops.add("matomo", "it answered 400", 3)
    assert caplog.messages == []
    at(60.0)
    drops.tell()
    assert caplog.messages == [
        "4 hits for 'ga4' were dropped: the queue is full.",
        "3 hits for 'matomo' were dropped: it answered 400.",
    ]


def test_nothing_is_told_of_nothing(at: Any, caplog: Any) -> None:
    drops.tell(now=True)
    assert caplog.messages == []


def test_the_end_of_a_process_tells_the_rest(at: Any, caplog: Any) -> None:
    drops.add("ga4", "x")
    drops.add("ga4", "x")
    caplog.clear()
    drops.tell(now=True)
    assert caplog.messages == ["1 hits for 'ga4' were dropped: x."]
