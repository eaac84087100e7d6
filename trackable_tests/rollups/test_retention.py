"""Retention: what ``class Trackable`` says, and the checks of what it cannot say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import models
from django.test.utils import isolate_apps

from trackable import TrackableTimeSeriesData
from trackable.rollups.retention import Retention, RollUp, retention_of
from trackable_tests.counting import DataClass
from trackable_tests.rollups.keeping import DAYS, THREE_STEPS, Keep, options
from trackable_tests.testapp.models import PageData, PageHours, PageTotals, PageWeeks


def complaints(data_cls: DataClass) -> list[tuple[str, str]]:
    return [(each.id.partition(".")[2], f"{each.msg} {each.hint}") for each in data_cls.check()]


def test_a_class_without_retention_has_none() -> None:
    assert retention_of(PageHours) is None


def test_steps_become_roll_ups_and_the_last_age_a_removal(keep: Keep) -> None:
    keep(PageHours, THREE_STEPS)
    roll_ups = (RollUp("day", 30 * DAYS), RollUp("month", 400 * DAYS))
    assert retention_of(PageHours) == Retention("hour", roll_ups)
    keep(PageHours, {"hour": 30 * DAYS}, remove_oldest=True)
    assert retention_of(PageHours) == Retention("hour", (), RollUp("hour", 30 * DAYS))
    assert complaints(PageHours) == []


def test_a_retention_is_inherited_as_options_are() -> None:
    with isolate_apps("trackable_tests.testapp"):

        class Base(TrackableTimeSeriesData):
            views = models.PositiveIntegerField(default=0)

            class Trackable:
                retention = {"day": 30 * DAYS, "month": None}

            class Meta:
                abstract = True
                app_label = "testapp"

        class Concrete(Base):
            class Meta:
                app_label = "testapp"

        found = retention_of(Concrete)
    assert found is not None
    assert found.roll_ups == (RollUp("month", 30 * DAYS),)


HOURS: dict[str, Any] = {"hour": 30 * DAYS}


@pytest.mark.parametrize(
    ("data_cls", "declared", "said"),
    [
        (PageHours, [("hour", None)], "no dictionary"),
        (PageHours, {}, "no dictionary"),
        (PageHours, {**HOURS, "mnth": None}, "'mnth' is no step. Did you mean 'month'?"),
        (PageHours, {"day": DAYS, "month": None}, "begins with 'day', but rows are of a hour"),
        (PageHours, {**HOURS, "month": 40 * DAYS, "day": None}, "'day' comes after 'month'"),
        (PageWeeks, {"week": DAYS, "month": None}, "A week may be part of two months"),
        (PageHours, {"hour": None, "day": None}, "not the last one"),
        (PageHours, {"hour": 30, "day": None}, "30 is no age"),
        (PageHours, {"hour": timedelta(0), "day": None}, "0) is no age"),
        (PageHours, {**HOURS, "day": 30 * DAYS, "month": None}, "is not more than"),
        (PageTotals, {"day": None}, "no periods"),
    ],
)
def test_a_retention_that_cannot_be_is_found_and_not_used(
    keep: Keep, data_cls: DataClass, declared: Any, said: str
) -> None:
    keep(data_cls, declared)
    [(number, text)] = complaints(data_cls)
    assert (number, said in text) == ("E031", True), text
    assert retention_of(data_cls) is None


def test_options_that_mean_nothing_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        PageHours, "Trackable", type("Trackable", (), {"retantion": {}}), raising=False
    )
    assert complaints(PageHours) == [
        ("E030", "'class Trackable' has no option 'retantion'. Did you mean 'retention'?")
    ]


def test_nothing_is_removed_unless_somebody_says_so(keep: Keep) -> None:
    keep(PageHours, HOURS)
    [(number, text)] = complaints(PageHours)
    assert (number, "remove_oldest = True" in text) == ("E032", True)
    assert retention_of(PageHours) == Retention("hour")
    keep(PageHours, {"hour": None}, remove_oldest=True)
    assert [number for number, _ in complaints(PageHours)] == ["E032"]


def test_rows_that_others_point_to_are_not_summed_up() -> None:
    with isolate_apps("trackable_tests.testapp"):

        class Data(TrackableTimeSeriesData):
            views = models.PositiveIntegerField(default=0)
            Trackable = options({"day": 30 * DAYS, "month": None})

            class Meta:
                app_label = "testapp"

        class Note(models.Model):
            row = models.ForeignKey(Data, models.CASCADE, related_name="+")

            class Meta:
                app_label = "testapp"

        [*_, (number, text)] = complaints(Data)
        found = retention_of(Data)
    assert (number, "testapp.Note.row points to them" in text, found) == ("E033", True, None)


def test_the_data_classes_of_the_tests_point_nowhere(keep: Keep) -> None:
    keep(PageData, {"day": 30 * DAYS, "month": None})
    assert retention_of(PageData) is not None
