"""Timespans are days of the site, as one, by month or by day."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.utils import timezone

from trackable.contrib.affiliations import timespans
from trackable.contrib.affiliations.timespans import DAY, MONTH, WHOLE, Timespan
from trackable_tests.tables import for_each

FIRST, LAST = date(2026, 10, 30), date(2026, 11, 2)


@for_each(
    "by, texts",
    [
        (WHOLE, ["2026-10-30"]),
        (MONTH, ["2026-10", "2026-11"]),
        (DAY, ["2026-10-30", "2026-10-31", "2026-11-01", "2026-11-02"]),
    ],
)
def test_periods_are_those_that_the_days_are_in(by: str, texts: list[str]) -> None:
    span = Timespan(FIRST, LAST, by)
    assert [span.text_of(period) for period in span.periods] == texts
    assert span.number == len(span.ends) == len(texts)


def test_months_go_on_into_the_next_year() -> None:
    span = Timespan(date(2025, 11, 30), date(2026, 2, 1), MONTH)
    texts = ["2025-11", "2025-12", "2026-01", "2026-02"]
    assert [span.text_of(period) for period in span.periods] == texts


def test_days_begin_and_end_as_the_sites_do(settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    span = Timespan(date(2026, 3, 29), date(2026, 3, 30), DAY)
    assert span.starts_at == datetime(2026, 3, 28, 23, tzinfo=UTC)
    assert span.ends == [
        datetime(2026, 3, 29, 22, tzinfo=UTC),  # a day of 23 hours
        datetime(2026, 3, 30, 22, tzinfo=UTC),
    ]


def test_without_time_zone_support_moments_are_naive(settings: Any) -> None:
    settings.USE_TZ = False
    assert timezone.is_naive(Timespan(FIRST, LAST).ends_at)
    assert isinstance(timespans.today(), date)


def test_today_is_the_sites(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever zone somebody who looks has activated."""
    settings.TIME_ZONE = "Pacific/Auckland"
    now = datetime(2026, 11, 21, 23, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    with timezone.override(UTC):
        assert timespans.today() == date(2026, 11, 22)
