"""Rotations: each time has a secret, all folds the same one, and later nobody has it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.test.utils import isolate_apps
from django.utils import timezone

from trackable.exceptions import BadTime
from trackable.folding import ledger
from trackable.folding.engine import fold
from trackable.models import TrackableData, TrackableTimeSeriesData, UniqueSecret
from trackable.uniques import UniqueCount, rotations
from trackable.uniques.pseudonyms import field_cell
from trackable.uniques.rotations import ALWAYS, Hasher, secret_of
from trackable_tests.bounds.threads import in_threads
from trackable_tests.testapp.models import Page, PageVisitors
from trackable_tests.uniques.seeing import LABEL, seen, united, visit

pytestmark = pytest.mark.django_db
committing = pytest.mark.django_db(transaction=True)

TODAY = date(2026, 11, 21)
CELL = field_cell("visitors", "ana", None)


def secrets() -> set[tuple[str, date]]:
    return set(UniqueSecret.objects.values_list("rotation", "start"))


def made(rotation: str, start: date, *, age: timedelta = timedelta(0)) -> None:
    """Have a secret that was made some time ago."""
    secret_of("default", rotation, start)
    rows = UniqueSecret.objects.filter(rotation=rotation, start=start)
    rows.update(made_at=timezone.now() - age)


@isolate_apps("trackable_tests.testapp")
def declared(period: str | None, rotates: str | None = None) -> Any:
    """Return a data class with a distinct count."""
    base = TrackableData if period is None else TrackableTimeSeriesData
    meta = type("Meta", (), {"app_label": "testapp"})
    body = {"__module__": __name__, "Meta": meta, "visitors": UniqueCount(rotates=rotates)}
    if period is not None:
        body["period"] = period
    return type(TrackableData)("Declared", (base,), body)


# which secret


@pytest.mark.parametrize(
    ("period", "rotates", "start", "rotation"),
    [
        ("hour", None, "2026-11-21T23:00:00+00:00", ("day", TODAY)),
        ("day", None, "2026-11-21", ("day", TODAY)),
        ("day", "week", "2026-11-21", ("week", date(2026, 11, 16))),
        ("week", None, "2026-11-16", ("week", date(2026, 11, 16))),
        ("day", "month", "2026-11-21", ("month", date(2026, 11, 1))),
        ("month", None, "2026-11-01", ("month", date(2026, 11, 1))),
        ("year", None, "2026-01-01", ("year", date(2026, 1, 1))),
        ("hour", "year", "2026-11-21T23:00:00+00:00", ("year", date(2026, 1, 1))),
        ("day", "never", "2026-11-21", ("never", ALWAYS)),
        (None, None, "", ("never", ALWAYS)),
    ],
)
def test_an_event_has_the_secret_of_its_time(
    period: str | None, rotates: str | None, start: str, rotation: tuple[str, date]
) -> None:
    hasher = Hasher(declared(period, rotates), "default")
    assert hasher.hash_of(CELL, start) == hasher.hash_of(CELL, start)
    assert secrets() == {rotation}


def test_the_day_of_an_hour_is_that_of_the_site_whoever_folds(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    with timezone.override(ZoneInfo("America/New_York")):
        Hasher(declared("hour"), "default").hash_of(CELL, "2026-11-21T23:00:00+00:00")
    assert secrets() == {("day", date(2026, 11, 22))}


def test_an_hour_on_no_day_is_refused(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    hasher = Hasher(declared("hour"), "default")
    with pytest.raises(BadTime, match="no day"):
        hasher.hash_of(CELL, "9999-12-31T23:00:00+00:00")


def test_a_hash_depends_on_the_secret_and_on_nothing_else() -> None:
    hasher = Hasher(PageVisitors, "default")
    found = {
        hasher.hash_of(field_cell("visitors", key, None), day)
        for key in ("ana", "ben")
        for day in ("2026-11-21", "2026-11-22")
    }
    assert len(found) == 4
    again = Hasher(declared("day"), "default")
    assert again.hash_of(CELL, "2026-11-21") == hasher.hash_of(CELL, "2026-11-21")


def test_reading_makes_no_secret() -> None:
    first, second = (Hasher(PageVisitors, "default", is_reading=True) for _ in range(2))
    assert first.hash_of(CELL, "2026-11-21") == first.hash_of(CELL, "2026-11-21")
    assert first.hash_of(CELL, "2026-11-21") != second.hash_of(CELL, "2026-11-21")
    assert secrets() == set()
    third = Hasher(PageVisitors, "default")
    reading = Hasher(PageVisitors, "default", is_reading=True)
    assert third.hash_of(CELL, "2026-11-21") == reading.hash_of(CELL, "2026-11-21")


# one for all


@committing
def test_folds_at_the_same_time_have_the_same_secret() -> None:
    def get() -> bytes:
        with transaction.atomic():
            UniqueSecret.objects.filter(pk=0).update(rotation="")  # as a fold, which writes first
            return secret_of("default", "day", TODAY)

    assert len(set(in_threads(*[get] * 4))) == 1
    assert UniqueSecret.objects.count() == 1


def test_a_secret_is_gone_with_the_transaction_that_made_it() -> None:
    with transaction.atomic():
        first = secret_of("default", "day", TODAY)
        transaction.set_rollback(True)
    assert secrets() == set()
    assert secret_of("default", "day", TODAY) != first


# its end


def test_secrets_are_deleted_when_nothing_of_their_time_can_come() -> None:
    age = ledger.horizon() + ledger.PRUNING_MARGIN + timedelta(days=1)
    day = timezone.now().date()
    over = day - age - timedelta(days=1)
    made("day", over, age=age)
    made("day", day, age=age)  # by a clock that was ahead
    made("day", over - timedelta(days=1))  # for what came late
    made("year", date(day.year, 1, 1), age=age)
    made("never", ALWAYS, age=age)
    kept = secrets() - {("day", over)}
    ledger.prune_all()
    assert secrets() == kept


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_a_rotation_is_over_where_its_days_are(zone: str, settings: Any) -> None:
    settings.TIME_ZONE = zone
    for rotation, start in (
        ("day", TODAY),
        ("week", date(2026, 11, 16)),
        ("month", date(2026, 11, 1)),
        ("year", date(2026, 1, 1)),
    ):
        secret_of("default", rotation, start)
    UniqueSecret.objects.update(made_at=datetime(2020, 1, 1, tzinfo=UTC))
    rows = UniqueSecret.objects.order_by("pk").values_list("rotation", flat=True)

    def left_before(*moment: int) -> list[str]:
        rotations.forget("default", datetime(*moment, tzinfo=ZoneInfo(zone)))  # type: ignore[misc]
        return list(rows.all())

    assert left_before(2026, 11, 21, 23, 59) == ["day", "week", "month", "year"]
    assert left_before(2026, 11, 22) == ["week", "month", "year"]
    assert left_before(2026, 11, 23) == ["month", "year"]
    assert left_before(2026, 12, 1) == ["year"]
    assert left_before(2027, 1, 1) == []


def test_without_the_secret_somebody_comes_as_somebody_else() -> None:
    page = Page(pk=1)
    fold(LABEL, [visit(seen(page, "ana"))])
    UniqueSecret.objects.all().delete()
    fold(LABEL, [visit(seen(page, "ana"))])
    assert united() == 2
