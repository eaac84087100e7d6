"""A roll-up that is killed at any moment, again and again, beside another, loses nothing."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.contenttypes.models import ContentType

from trackable_tests.counting import counts, output_of
from trackable_tests.rollups.keeping import at, sums
from trackable_tests.testapp.models import Page, PageHours

OBJECTS, HOURS = 7, 12
STARTS = (at(2025, 2, 2), at(2025, 2, 5, 6), at(2026, 8, 30), at(2026, 9, 3))
TIMEOUT_SECONDS = 120


def add_rows() -> None:
    """Make rows whose amounts are no others', so that a loss does not make up for a double."""
    content_type = ContentType.objects.get_for_model(Page)
    rows = [
        PageHours(
            content_type=content_type,
            object_id=pk,
            collected_during=start + timedelta(hours=hour),
            views=pk * 1000 + hour,
        )
        for pk in range(1, OBJECTS + 1)
        for start in STARTS
        for hour in range(HOURS)
    ]
    PageHours.objects.bulk_create(rows)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_roll_up_killed_again_and_again(child_environment: Callable[..., dict[str, str]]) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")  # shown if it fails
    add_rows()
    expected = sums(PageHours)
    command = [sys.executable, "-m", "trackable_tests.rollups.killing", str(seed)]
    pipe = subprocess.PIPE
    child = subprocess.Popen(command, env=child_environment(), stdout=pipe, stderr=pipe, text=True)
    told = output_of(child, timeout_seconds=TIMEOUT_SECONDS)
    print(told)  # kills, and how often it had got on
    assert min(map(int, told.split())) > 0
    assert sums(PageHours) == expected
    assert sorted(counts(PageHours)) == [
        (pk, start)
        for pk in range(1, OBJECTS + 1)
        for start in (at(2025, 2, 1), at(2026, 8, 30), at(2026, 9, 3))
    ]
