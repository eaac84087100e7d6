"""Words: durations and sizes as people read them, in ASCII."""

from __future__ import annotations

from typing import Final

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


def duration(seconds: float) -> str:
    """Return a duration in its two largest units at most: ``3 h 5 min``."""
    whole = int(seconds)
    if whole >= 3 * DAY:
        return f"{whole // DAY} days"
    if whole >= HOUR:
        hours, minutes = whole // HOUR, whole % HOUR // MINUTE
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{whole // MINUTE} min" if whole >= MINUTE else f"{whole} s"


def size(number: float) -> str:
    """Return a number of bytes in the unit that fits it: ``12.3 MiB``."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if number < 1024:
            return f"{number:,.0f} bytes" if unit == "bytes" else f"{number:,.1f} {unit}"
        number /= 1024
    return f"{number:,.1f} TiB"


def counted(number: int, noun: str) -> str:
    """Return a number of things: ``1 fold``, ``1,200 folds``, ``2 batches``."""
    plural = "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{'' if number == 1 else plural}"
