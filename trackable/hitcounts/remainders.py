"""Remainders: hits that are in an object's total and have no row, so nobody knows their time."""

from __future__ import annotations

from datetime import date, datetime, time

from django.utils import timezone

from trackable.conversion.plan import BadConversion
from trackable.hitcounts.plan import OLDEST, HitPlan, aware
from trackable.hitcounts.survey import Held
from trackable.hitcounts.tallies import Tally
from trackable.hitcounts.totals import Total
from trackable.periods import encode_start


def place_of(plan: HitPlan, total: Total, tally: Tally, before: datetime) -> str | None:
    """Return the start of the period that a remainder goes to; ``None`` if it is left out.

    ``before`` is the end of the time at hand.
    """
    if isinstance(plan.remainder, date):
        moment = timezone.make_aware(datetime.combine(plan.remainder, time.min))
    elif plan.remainder == OLDEST:
        moment = min(tally.oldest or aware(total.modified), before)
    else:
        return "" if plan.remainder is None and not plan.has_periods else None
    return encode_start(plan.data_cls.period, moment)


def check(plan: HitPlan, held: Held) -> None:
    """Raise ``BadConversion`` if hits without a time have no place, and nobody gave them one."""
    if held.hits and plan.has_periods and plan.remainder is None:
        raise BadConversion(
            f"When {held.hits} hits on {held.objects} objects were is unknown: they are in the"
            " totals, and their rows were removed. Say where they go: --remainder-on DATE,"
            " oldest or none."
        )
