"""Whatever is counted when and where, and wherever a roll-up is stopped: the sums stay."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trackable.folding.engine import fold
from trackable.models import RolledUp
from trackable.periods import PERIODS, start_of
from trackable.rollups import portions
from trackable.rollups.boundaries import EARLIEST, floor
from trackable.rollups.retention import retention_of
from trackable.rollups.rolling import roll_up
from trackable_tests.counting import Crash, DataClass, batch, entry
from trackable_tests.rollups.keeping import Keep, add, at, sums
from trackable_tests.testapp.models import Page, PageData, PageHours

ZONES = ("UTC", "Asia/Kolkata", "Europe/Berlin", "Asia/Beirut", "Pacific/Apia")
STEPS = {"hour": ("day", "week", "month", "year"), "day": ("week", "month", "year")}
COARSE = st.lists(st.sampled_from(("day", "week", "month", "year")), min_size=1, unique=True)
#: close together, where clocks are set and elsewhere
MOMENTS = st.builds(
    lambda day, hours: day + timedelta(hours=hours),
    st.sampled_from([at(2025, 3, 29, 20), at(2025, 10, 25, 20), at(2025, 12, 30, 20)]),
    st.integers(0, 30) | st.integers(0, 24 * 30),
)
ROWS = st.dictionaries(st.tuples(st.integers(1, 2), MOMENTS), st.integers(1, 9), max_size=40)

pytestmark = pytest.mark.django_db


def a_retention(period: str, coarse: list[str], days: list[int]) -> dict[str, Any]:
    found = sorted((set(coarse) & set(STEPS[period])), key=PERIODS.index)
    if "week" in found:
        found = found[: found.index("week") + 1]
    ages = [timedelta(days=sum(days[: place + 1])) for place in range(len(found))]
    return dict(zip((period, *found), [*ages, None], strict=True))


def stopped_after(data_cls: DataClass, steps: int, now: datetime) -> None:
    """Roll up, and stop before one of the steps of one of the transactions."""
    left = iter(range(steps))

    def count_down() -> None:
        if next(left, None) is None:
            raise Crash

    names = ("_locked_rows", "_add", "_verify", "_delete")
    with pytest.MonkeyPatch.context() as patch:
        for name in names:
            whole = getattr(portions._Transaction, name)

            def step(work: Any, *args: Any, whole: Any = whole) -> Any:
                count_down()
                return whole(work, *args)

            patch.setattr(portions._Transaction, name, step)
        with suppress(Crash):
            roll_up(data_cls, now=now)


@pytest.mark.slow
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    data_cls=st.sampled_from([PageHours, PageData]),
    rows=ROWS,
    late=ROWS,
    missed=ROWS,
    coarse=COARSE,
    days=st.lists(st.integers(1, 200), min_size=4, max_size=4),
    zone=st.sampled_from(ZONES),
    steps=st.integers(0, 40),
    size=st.integers(2, 20),
)
def test_sums_stay_at_every_moment(
    keep: Keep,
    data_cls: DataClass,
    rows: dict[Any, int],
    late: dict[Any, int],
    missed: dict[Any, int],
    coarse: list[str],
    days: list[int],
    zone: str,
    steps: int,
    size: int,
) -> None:
    data_cls._base_manager.all().delete()
    RolledUp.objects.all().delete()
    period, now, own_zone = str(data_cls.period), datetime(2026, 1, 10, tzinfo=UTC), ZoneInfo(zone)
    keep(data_cls, a_retention(period, coarse, days))
    retention = retention_of(data_cls)
    expected: Counter[int] = Counter()

    def count(found: dict[Any, int]) -> None:
        starts = [start_of(period, moment, own_zone).isoformat() for _, moment in found]
        pages = [Page(pk=pk) for pk, _ in found]
        seen = zip(pages, found.values(), starts, strict=True)
        entries = [entry(page, amount=views, period=start) for page, views, start in seen]
        fold(data_cls._meta.label, [batch(data_cls, *entries)])
        for page, views in zip(pages, found.values(), strict=True):
            expected[page.pk] += views

    def insert(found: dict[Any, int]) -> None:
        """Make rows that nobody has looked where to make."""
        for (pk, moment), views in found.items():
            start = start_of(period, moment, own_zone)
            kept = data_cls._base_manager.filter(object_id=pk, collected_during=start)
            if not kept.exists():
                add(data_cls, pk, start, views=views)
                expected[pk] += views

    with override_settings(TIME_ZONE=zone), pytest.MonkeyPatch.context() as patch:
        patch.setattr(portions, "ROWS_AT_A_TIME", size)
        count(rows)
        stopped_after(data_cls, steps, now - timedelta(days=100))
        assert sums(data_cls) == expected
        count(late)
        insert(missed)
        stopped_after(data_cls, steps, now)
        assert sums(data_cls) == expected
        roll_up(data_cls, now=now)
        assert sums(data_cls) == expected
        assert retention is not None
        for start in data_cls._base_manager.values_list("collected_during", flat=True):
            assert is_coarse_enough(start, retention, now, own_zone), start


def is_coarse_enough(start: date, retention: Any, now: datetime, zone: ZoneInfo) -> bool:
    """Tell whether a row may be there: what is older than an age is of the next step."""
    from trackable.rollups.boundaries import following, moment_of

    for roll in retention.roll_ups:
        end = moment_of(following(roll.step, start, zone), zone)
        if end <= now - roll.age and floor(roll.step, start, zone) != start:
            return False
    return moment_of(start, zone) > EARLIEST
