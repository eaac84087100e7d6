"""Plans: the coarsest step first, and what was done before last."""

from __future__ import annotations

from datetime import UTC, date

from trackable.rollups.plans import Stretch, stretches
from trackable.rollups.retention import Retention, RollUp
from trackable_tests.rollups.keeping import DAYS, NOW, at

HOURS = Retention("hour", (RollUp("day", 30 * DAYS), RollUp("month", 400 * DAYS)))
DAY, MONTH = at(2026, 10, 22), at(2025, 10, 1)


def test_at_first_all_is_due() -> None:
    assert stretches(HOURS, {}, now=NOW, zone=UTC) == [
        Stretch("month", None, MONTH),
        Stretch("day", MONTH, DAY),
    ]


def test_what_is_done_is_only_looked_at_again() -> None:
    untils = {"month": MONTH, "day": DAY - DAYS}
    assert stretches(HOURS, untils, now=NOW, zone=UTC) == [
        Stretch("day", DAY - DAYS, DAY),
        Stretch("month", None, MONTH, is_done=True),
        Stretch("day", MONTH, DAY - DAYS, is_done=True),
    ]


def test_longer_ages_than_before_undo_nothing() -> None:
    days = Retention("day", (RollUp("month", 4000 * DAYS),))
    untils = {"month": at(2026, 3, 1), "year": at(2020, 1, 1)}
    assert stretches(days, untils, now=NOW, zone=UTC) == [
        Stretch("month", None, date(2026, 3, 1), is_done=True)
    ]
