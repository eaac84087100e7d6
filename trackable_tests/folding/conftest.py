"""Fixtures of the tests of folding."""

from __future__ import annotations

import pytest

from trackable.folding import engine


@pytest.fixture
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a fold that failed tried again at once."""
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.0)
