"""Notices: what is said to the log once an hour, however often it is met."""

from __future__ import annotations

import time
from typing import Final

INTERVAL_SECONDS: Final = 3600.0
#: Past so many different causes no further ones are told: a visitor may find a way to make them.
MAX_CAUSES: Final = 1000

_said_at: dict[str, float] = {}


def is_news(cause: str) -> bool:
    """Tell whether a cause should be logged: it was not in the last hour."""
    now = time.monotonic()
    if cause not in _said_at and len(_said_at) >= MAX_CAUSES:
        # A copy, and no lock: other threads do so too, and a fork may come in the middle.
        for old, at in _said_at.copy().items():
            if now - at >= INTERVAL_SECONDS:
                _said_at.pop(old, None)
        if len(_said_at) >= MAX_CAUSES:
            return False
    if now - _said_at.get(cause, -INTERVAL_SECONDS) < INTERVAL_SECONDS:
        return False
    _said_at[cause] = now
    return True


def forget() -> None:
    """Be as in a new process."""
    _said_at.clear()
