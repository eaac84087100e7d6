"""Marks: they only ever go forward, and the status has them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from trackable.rollups import marks
from trackable.status.databases import read_database
from trackable.status.report import as_text
from trackable_tests.rollups.keeping import NOW, at
from trackable_tests.status.making import a_status
from trackable_tests.testapp.models import PageData, PageHours

pytestmark = pytest.mark.django_db


def test_a_mark_goes_forward_whoever_sets_it_last() -> None:
    for hours in (0, 2, 1):
        marks.advance("default", PageHours, "day", NOW + timedelta(hours=hours))
    assert marks.untils("default", PageHours) == {"day": NOW + timedelta(hours=2)}
    assert marks.untils("default", PageData) == {}


def test_the_status_says_how_far_roll_ups_are() -> None:
    for step, until in (("day", at(2026, 10, 22)), ("month", at(2025, 10, 1))):
        marks.advance("default", PageHours, step, until)
    shown = as_text(a_status(database=read_database("default")), [])
    line = "testapp.PageHours: month until 2025-10-01 00:00, day until 2026-10-22 00:00"
    assert f"  rolled up             {line}" in shown
