"""Roll-ups of a table that is partitioned as the how-to page says."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from trackable.rollups.rolling import roll_up
from trackable_tests.bounds.test_partitions import make_table, migrate, own_schema  # noqa: F401
from trackable_tests.counting import counts
from trackable_tests.rollups.keeping import DAYS, NOW, Keep, add
from trackable_tests.testapp.models import PageData

pytestmark = [pytest.mark.vendor("postgresql"), pytest.mark.django_db]


@pytest.mark.usefixtures("own_schema")
def test_rows_of_all_partitions_are_rolled_up(keep: Keep) -> None:
    keep(PageData, {"day": 30 * DAYS, "month": None})
    make_table()
    migrate(forth=True)
    days = [date(2026, 11, 5), date(2026, 12, 31), date(2026, 12, 2), date(2020, 2, 29)]
    for day in days:
        add(PageData, 1, day)
    with CaptureQueriesContext(connection) as asked:
        assert roll_up(PageData, now=NOW + 90 * DAYS).rows == 4
    assert counts(PageData) == {
        (1, date(2020, 2, 1)): 1,
        (1, date(2026, 11, 1)): 1,
        (1, date(2026, 12, 1)): 2,
    }
    deletes = [each["sql"] for each in asked if each["sql"].startswith("DELETE")]
    assert deletes
    assert all("collected_during" in sql for sql in deletes)
