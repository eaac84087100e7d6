"""Attribution: which of the partners that sent somebody is the one that counts. Pure functions."""

from __future__ import annotations

from datetime import datetime
from typing import Final

FIRST: Final = "first"
LAST: Final = "last"


def is_open(referred_on: datetime, *, now: datetime, window_seconds: float | None) -> bool:
    """Tell whether a referral still counts; at the end of its window it does not."""
    return window_seconds is None or (now - referred_on).total_seconds() < window_seconds


def keeps(current_partner_id: int | None, partner_id: int, *, attribution: str) -> bool:
    """Tell whether somebody stays the visitor they are when a partner sends them here.

    ``None`` is nobody's. One partner's visitor is not registered twice, however often they come.
    """
    if current_partner_id is None:
        return False
    return attribution == FIRST or current_partner_id == partner_id
