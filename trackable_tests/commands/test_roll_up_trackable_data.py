"""The command rolls up what is due, says what is due, and refuses what cannot be."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.db import OperationalError

from trackable.models import RolledUp
from trackable.rollups import portions, rolling
from trackable_tests.commands.running import Said, run
from trackable_tests.counting import total
from trackable_tests.rollups.keeping import DAYS, HOURS_AND_DAYS, add, at, options
from trackable_tests.testapp.models import PageHours, PageMonths

pytestmark = pytest.mark.django_db

HOURS = "testapp.PageHours"


def roll_up(*arguments: str, **options: Any) -> Said:
    return run("roll_up_trackable_data", *arguments, **options)


@pytest.fixture
def old_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three rows of a day long ago, of each of two pages."""
    monkeypatch.setattr(PageHours, "Trackable", options(HOURS_AND_DAYS), raising=False)
    monkeypatch.setattr(rolling, "WAY_SECONDS", 0.0)
    for page in (1, 2):
        for hour in (0, 5, 23):
            add(PageHours, page, at(2020, 2, 29, hour))


def test_classes_without_retention_are_left_alone() -> None:
    assert roll_up().out == "No data class has a retention: nothing is rolled up.\n"
    with pytest.raises(CommandError, match="PageMonths has no retention"):
        roll_up("testapp.PageMonths")
    with pytest.raises(CommandError, match=r"Did you mean testapp\.PageHours"):
        roll_up("testapp.PageHuors")


@pytest.mark.usefixtures("old_hours")
def test_what_is_due_is_said_and_then_done() -> None:
    assert roll_up("--dry-run").out == f"{HOURS}: 4 rows to be summed by day\n"
    assert PageHours.objects.count() == 6
    assert roll_up(HOURS).out.startswith("Summed up 4 rows in 0.")
    assert (PageHours.objects.count(), total(PageHours)) == (2, 6)
    assert roll_up("--dry-run").out == f"{HOURS}: nothing is due\n"


def test_what_is_removed_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = options({"month": 30 * DAYS}, remove_oldest=True)
    monkeypatch.setattr(PageMonths, "Trackable", kept, raising=False)
    add(PageMonths, 1, at(2020, 2, 1).date())
    assert "1 row to be removed" in roll_up("--dry-run").out
    assert roll_up().out.endswith("s, removed 1\n")
    assert not PageMonths.objects.exists()


@pytest.mark.usefixtures("old_hours")
def test_time_that_is_up_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "ROWS_AT_A_TIME", 2)
    said = roll_up("--max-seconds", "1e-9")
    assert said.out.endswith("1 not finished: the next run goes on\n")
    assert (PageHours.objects.count(), total(PageHours)) == (6, 6)


@pytest.mark.usefixtures("old_hours")
def test_a_signal_ends_it_between_two_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portions, "ROWS_AT_A_TIME", 3)
    whole = rolling.roll_up_portion

    def interrupted(*args: Any) -> Any:
        signal.raise_signal(signal.SIGTERM)
        return whole(*args)

    monkeypatch.setattr(rolling, "roll_up_portion", interrupted)
    with pytest.raises(CommandError) as raised:
        roll_up()
    assert (raised.value.returncode, total(PageHours)) == (130, 6)
    assert (PageHours.objects.count(), RolledUp.objects.count()) == (4, 0)


@pytest.mark.usefixtures("old_hours")
def test_what_does_not_fit_is_said_on_standard_error() -> None:
    PageHours.objects.filter(object_id=1).update(views=2**31 - 1)
    said = roll_up()
    assert said.err == "The rows of 1 object stay as they are: the log says why.\n"
    assert said.out.startswith("Summed up 2 rows")


@pytest.mark.usefixtures("old_hours")
def test_a_database_that_fails_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("away\n")

    monkeypatch.setattr(rolling.marks, "untils", fail)
    with pytest.raises(CommandError, match=r"\(away\\n\)\. Nothing is lost"):
        roll_up()
    with pytest.raises(CommandError, match=r"'othr' is no database\. Did you mean other"):
        roll_up("--database", "othr")


@pytest.mark.usefixtures("old_hours")
@pytest.mark.django_db(databases=["default", "other"])
def test_another_database_can_be_named() -> None:
    assert roll_up("--database", "other", "--dry-run").out == f"{HOURS}: nothing is due\n"
    roll_up("--database", "other")
    assert PageHours.objects.count() == 6
    assert RolledUp.objects.using("other").count() == 1
