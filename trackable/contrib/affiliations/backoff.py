"""Backoff: how long to wait after a failed attempt. A pure function of what is known of it."""

from __future__ import annotations

from typing import Final

FIRST_PAUSE_SECONDS: Final = 60.0
MAX_PAUSE_SECONDS: Final = 6 * 3600.0
#: Shares of a pause: those that failed together do not come again together.
LEAST_SHARE: Final = 0.75
MOST_SHARE: Final = 1.25
MOST_DOUBLINGS: Final = 20


def pause_seconds(attempts: int, *, asked_seconds: float, dice: float) -> float:
    """Return the pause after so many attempts: a minute, doubled each time, up to six hours.

    ``dice`` is from 0 to 1. A partner that asks for more time (``Retry-After``) gets it, up to
    the same six hours.
    """
    doublings = min(max(attempts - 1, 0), MOST_DOUBLINGS)
    pause = min(FIRST_PAUSE_SECONDS * 2.0**doublings, MAX_PAUSE_SECONDS)
    share = LEAST_SHARE + (MOST_SHARE - LEAST_SHARE) * dice
    return max(pause * share, min(asked_seconds, MAX_PAUSE_SECONDS))
