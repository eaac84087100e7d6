"""How long to wait before trying again: longer each time, and never quite as long as others."""

from __future__ import annotations

import random
from typing import Final

FIRST_SECONDS: Final = 1.0
LONGEST_SECONDS: Final = 60.0
#: of what a service asks for; after an hour Celery on Redis would run a waiting task twice
MOST_ASKED_SECONDS: Final = 1800.0


def pause_seconds(tries: int, *, asked_seconds: float = 0.0) -> float:
    """Return the pause after so many tries, at least what the service has asked for.

    Up to half of it is left to chance, so that processes do not come back together.
    """
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(tries - 1, 10))
    drawn = longest * random.uniform(0.5, 1.0)  # noqa: S311  # nobody gains by guessing it
    return max(drawn, min(asked_seconds, MOST_ASKED_SECONDS))
