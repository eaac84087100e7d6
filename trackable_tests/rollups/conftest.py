"""Fixtures of the tests of roll-ups."""

from __future__ import annotations

from typing import Any

import pytest

from trackable.folding import engine
from trackable.rollups import rolling
from trackable_tests.counting import DataClass
from trackable_tests.rollups.keeping import Keep, options


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what failed tried again at once, and make no way for others."""
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(rolling, "WAY_SECONDS", 0.0)


@pytest.fixture
def keep(monkeypatch: pytest.MonkeyPatch) -> Keep:
    """Give a data class a retention, for this test."""

    def keep(data_cls: DataClass, retention: Any, **others: Any) -> None:
        monkeypatch.setattr(data_cls, "Trackable", options(retention, **others), raising=False)

    return keep
