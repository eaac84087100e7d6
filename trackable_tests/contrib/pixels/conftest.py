"""Fixtures: a tracker that holds what the test registers, and a pixel that keeps its calls."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpRequest

from trackable.contrib import pixels
from trackable.contrib.pixels import Tracker, TrackingPixel


class Calls(list[tuple[list[Any], dict[str, Any]]]):
    """What pixels were called with: a list of arguments and keyword arguments."""

    def pixel(self, name: str = "Recorder", **body: Any) -> type[TrackingPixel]:
        """Return a class of this name whose calls are kept here."""

        def record(_: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
            self.append(([*args], kwargs))

        return type(name, (TrackingPixel,), {"record": record, **body})


@pytest.fixture
def own_tracker(monkeypatch: pytest.MonkeyPatch) -> Tracker:
    """The default tracker, with nothing registered until the test does it."""
    monkeypatch.setattr(pixels.tracker, "_registry", {})
    return pixels.tracker


@pytest.fixture
def calls(own_tracker: Tracker) -> Calls:
    """What the only registered pixel was called with."""
    calls = Calls()
    own_tracker.register(calls.pixel())
    return calls
