"""Rates: how many of something a visitor may send in a time, as settings write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
PATTERN: Final = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,2})?([smhd])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in so many seconds."""

    number: int
    seconds: int


def parse(text: str) -> Rate:
    """Return the rate that a text such as ``"60/m"`` or ``"5/10s"`` writes.

    Raises ``ValueError`` for any other.
    """
    found = PATTERN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:80]!r} is no rate: write one as '60/m' or '5/10s'.")
    number, units, unit = found.groups()
    return Rate(int(number), int(units or 1) * UNIT_SECONDS[unit])


def is_rate(value: Any) -> bool:
    """Tell whether a value writes a rate."""
    return isinstance(value, str) and PATTERN.fullmatch(value) is not None
