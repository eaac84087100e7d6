"""Calendar periods, through changes to and from summer time and in zones of every offset."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.test import override_settings
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from trackable import periods
from trackable.periods import PERIODS, current_zone, decode_start, encode_start, start_of
from trackable_tests.tables import for_each

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu"]
ZONES += ["Australia/Lord_Howe", "Pacific/Kiritimati", "Pacific/Marquesas"]


def moments_since(seconds: int) -> st.SearchStrategy[datetime]:
    return st.integers(seconds, 4 * 10**9).map(lambda each: datetime.fromtimestamp(each, UTC))


moments = moments_since(0)
zones = st.sampled_from(ZONES).map(ZoneInfo)


@for_each(
    "period, start",
    [
        ("hour", datetime(2026, 11, 21, 22, tzinfo=UTC)),
        ("day", date(2026, 11, 21)),
        ("week", date(2026, 11, 16)),
        ("month", date(2026, 11, 1)),
        ("year", date(2026, 1, 1)),
    ],
)
def test_a_moment_falls_into_its_period(period: str, start: Any) -> None:
    last_second = datetime(2026, 11, 21, 23, 59, 59, tzinfo=BERLIN)
    assert start_of(period, last_second, BERLIN) == start


def test_day_is_that_of_the_zone() -> None:
    moment = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    assert start_of("day", moment, UTC) == date(2026, 11, 21)
    assert start_of("day", moment, BERLIN) == date(2026, 11, 22)


@for_each("day, hours", [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 6, 1), 24)])
def test_days_have_as_many_hours_as_they_have(day: date, hours: int) -> None:
    first = datetime(day.year, day.month, day.day, tzinfo=BERLIN).astimezone(UTC)
    around = [first + timedelta(minutes=30 * half) for half in range(-10, 60)]
    within = [moment for moment in around if start_of("day", moment, BERLIN) == day]
    assert len(within) == 2 * hours
    assert len({start_of("hour", moment, BERLIN) for moment in within}) == hours


def test_repeated_hour_is_two_hours() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=0)
    second = first.replace(fold=1)
    assert start_of("hour", second, BERLIN) - start_of("hour", first, BERLIN) == timedelta(hours=1)


def test_hour_starts_on_the_hour_of_a_zone_with_a_half() -> None:
    moment = datetime(2026, 11, 21, 10, 10, tzinfo=ZoneInfo("Asia/Kolkata"))
    start = start_of("hour", moment, ZoneInfo("Asia/Kolkata"))
    assert start == datetime(2026, 11, 21, 4, 30, tzinfo=UTC)


def test_unknown_period_is_an_error() -> None:
    with pytest.raises(ValueError, match="'fortnight' is no period: use one of hour, day"):
        start_of("fortnight", datetime.now(UTC), UTC)


@given(moments, zones, st.sampled_from(PERIODS))
def test_start_is_not_after_the_moment_and_is_its_own_start(
    moment: datetime, zone: ZoneInfo, period: str
) -> None:
    start = start_of(period, moment, zone)
    if isinstance(start, datetime):
        assert timedelta(0) <= moment - start < timedelta(hours=1)
        assert start_of(period, start, zone) == start
    else:
        noon = datetime(start.year, start.month, start.day, 12, tzinfo=zone)
        assert start <= moment.astimezone(zone).date()
        assert start_of(period, noon, zone) == start


@given(moments, zones, st.sampled_from(PERIODS))
def test_start_survives_the_journal(moment: datetime, zone: ZoneInfo, period: str) -> None:
    with timezone.override(zone):
        text = encode_start(period, moment)
        assert text.isascii()
        assert decode_start(period, text) == start_of(period, moment, zone)


@given(moments_since(1_600_000_000), zones, st.sampled_from(PERIODS))
def test_now_is_encoded_as_any_moment_is(moment: datetime, zone: ZoneInfo, period: str) -> None:
    with pytest.MonkeyPatch.context() as patch, timezone.override(zone):
        patch.setattr(periods.time, "time", moment.timestamp)
        assert encode_start(period, None) == encode_start(period, moment)


def test_no_period_has_no_start() -> None:
    assert encode_start(None, datetime.now(UTC)) == ""
    assert decode_start(None, "") is None
    assert decode_start(None, "2026-11-21") is None


@for_each(
    "period, text, start",
    [
        ("month", "2026-11-21", date(2026, 11, 1)),
        ("week", "2026-11-21", date(2026, 11, 16)),
        ("year", "2026-11-01", date(2026, 1, 1)),
        ("day", "2026-11-21T23:00:00+00:00", date(2026, 11, 22)),
    ],
)
def test_finer_start_falls_into_the_coarser_period(period: str, text: str, start: Any) -> None:
    with timezone.override(BERLIN):
        assert decode_start(period, text) == start


@for_each(
    "period, text, reason",
    [
        ("day", "", "Invalid isoformat"),
        ("day", "yesterday", "Invalid isoformat"),
        ("day", "2026-02-30", "day"),
        ("hour", "2026-11-21", "the day 2026-11-21 is no hour"),
        ("hour", "2026-11-21T10:00:00", "has no time zone"),
        ("hour", "T", "Invalid isoformat"),
    ],
)
def test_what_is_no_start_is_an_error(period: str, text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        decode_start(period, text)


@for_each("zone", ZONES)
def test_hour_of_an_event_is_kept_by_a_fold_in_another_zone(zone: str) -> None:
    moment = datetime(2026, 11, 21, 10, 10, tzinfo=ZoneInfo(zone))
    with timezone.override(zone):
        text = encode_start("hour", moment)
    with timezone.override("UTC"):
        assert decode_start("hour", text) == start_of("hour", moment, ZoneInfo(zone))


def zone_in_a_thread() -> str:
    with ThreadPoolExecutor(1) as threads:
        return str(threads.submit(current_zone).result())


@pytest.mark.parametrize("is_known", [True, False])
def test_current_zone_is_that_of_django(is_known: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not is_known:
        monkeypatch.setattr(periods, "_ACTIVATED", None)
    default = timezone.get_default_timezone_name()
    assert str(current_zone()) == default
    with timezone.override("Asia/Tokyo"):
        assert str(current_zone()) == "Asia/Tokyo"
        assert str(async_to_sync(sync_to_async(current_zone))()) == "Asia/Tokyo"
        assert zone_in_a_thread() == default
        with timezone.override(None):
            assert str(current_zone()) == default
    assert str(current_zone()) == default
    with override_settings(TIME_ZONE="Europe/Paris"):
        assert str(current_zone()) == "Europe/Paris"


def test_a_context_where_no_zone_was_activated_is_found() -> None:
    assert periods._ACTIVATED is not None
    assert Context().run(periods._ACTIVATED.get, None) is None


def test_a_local_that_keeps_its_values_elsewhere_is_left_alone() -> None:
    assert periods._variable_of(threading.local()) is None
