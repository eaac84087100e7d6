"""Waiting for what other processes and threads do, up to a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

WAIT_SECONDS = 30.0
POLL_SECONDS = 0.01


def until(
    condition: Callable[[], Any], *, seconds: float = WAIT_SECONDS, every: float = POLL_SECONDS
) -> Any:
    """Wait until something is so, and return what then was found."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(every)
    return found
