"""What was dropped, and why: counted, and logged once a minute at most."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from typing import Final

logger = logging.getLogger(__name__)

INTERVAL_SECONDS: Final = 60.0

_lock = threading.Lock()
_counts: Counter[tuple[str, str]] = Counter()
_told_at = -INTERVAL_SECONDS


def add(alias: str, reason: str, number: int = 1) -> None:
    """Count hits that a service does not get. A reason has nothing of a hit in it."""
    with _lock:
        _counts[alias, reason] += number
    tell()


def tell(*, now: bool = False) -> None:
    """Log what has come together, if the last time is a minute ago, or ``now``."""
    global _told_at
    with _lock:
        at = time.monotonic()
        if not _counts or not (now or at - _told_at >= INTERVAL_SECONDS):
            return
        found, _told_at = dict(_counts), at
        _counts.clear()
    for (alias, reason), number in sorted(found.items()):
        logger.warning("%d hits for %a were dropped: %s.", number, alias, reason)


def forget() -> None:
    """Be as in a new process."""
    global _lock, _told_at
    _lock, _told_at = threading.Lock(), -INTERVAL_SECONDS
    _counts.clear()


os.register_at_fork(after_in_child=forget)
