"""The collection task rolls up what is due, in the time that it has."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError

from trackable import conf, tasks
from trackable.journal.locks import MachineLock
from trackable.tasks import CollectTrackingData
from trackable_tests.counting import a_page, counts, emit
from trackable_tests.rollups.keeping import HOURS_AND_DAYS, Keep, add, at
from trackable_tests.testapp.models import PageData, PageHours

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def an_old_hour(keep: Keep) -> None:
    keep(PageHours, HOURS_AND_DAYS)
    add(PageHours, 1, at(2020, 2, 29, 5))


def is_rolled_up() -> bool:
    return counts(PageHours) == {(1, at(2020, 2, 29)): 1}


def test_a_collection_rolls_up_what_is_due() -> None:
    emit(a_page())
    assert (CollectTrackingData(), is_rolled_up()) == (1, True)


def test_a_collection_that_took_half_of_its_period_leaves_it_to_the_next(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.TRACKABLE_COLLECTION_PERIOD = 0
    assert (CollectTrackingData(), is_rolled_up()) == (0, False)


def test_while_another_process_rolls_up_a_collection_does_not() -> None:
    other = MachineLock(conf.journal_dir() / tasks.ROLL_UP_LOCK_NAME)
    assert other.acquire()
    assert (CollectTrackingData(), is_rolled_up()) == (0, False)
    other.release()
    assert (CollectTrackingData(), is_rolled_up()) == (0, True)


def test_what_fails_fails_no_collection(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(tasks, "roll_up_all", fail)
    emit(a_page(), data_cls=PageData)
    assert CollectTrackingData() == 1
    assert MachineLock(conf.journal_dir() / tasks.ROLL_UP_LOCK_NAME).acquire()
