"""Settling a data class that has moved to another database: what either ledger shows is folded."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connections

from trackable import settling, shipping
from trackable.folding import ledger
from trackable.folding.engine import fold
from trackable.journal import segments
from trackable.journal.segments import FOLDED, SEALED, SHIPPED, Segment
from trackable.models import LedgerEntry
from trackable_tests.counting import a_page, emit_segment
from trackable_tests.testapp.models import PageHours, PageTotals

HOUR = 3600
TOTALS = "testapp.PageTotals"

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "other"])


@pytest.fixture
def directory(settings: Any) -> Path:
    return Path(settings.TRACKABLE_JOURNAL_DIR)


def a_segment(directory: Path, slug: str = "a", data_cls: Any = PageTotals) -> Segment:
    emit_segment(a_page(slug), data_cls=data_cls)
    return segments.listing(directory, SEALED)[-1]


def folded(segment: Segment) -> Segment:
    for batch in shipping.read(segment) or ():
        fold(batch.data_class, [batch])
    return segment


def move(settings: Any) -> None:
    """Have totals counted in the other database from now on."""
    settings.TEST_DATABASE_OF = {TOTALS: "other"}


def states(directory: Path) -> list[str]:
    return [segment.state for segment in segments.listing(directory)]


def test_what_was_folded_before_a_move_is_not_sent_again(directory: Path, settings: Any) -> None:
    folded(a_segment(directory))
    settling.settle(directory, time.time())
    move(settings)
    settling.settle(directory, time.time() + 610)
    assert states(directory) == []


def test_what_was_shipped_and_folded_before_a_move_is_not_sent_again(
    directory: Path, settings: Any
) -> None:
    folded(a_segment(directory)).become(SHIPPED)
    move(settings)
    settling.settle(directory, time.time() + HOUR + 10)
    assert states(directory) == [FOLDED]


def test_what_no_ledger_shows_after_a_move_is_sent_again(directory: Path, settings: Any) -> None:
    folded(a_segment(directory))
    a_segment(directory, "b").become(SHIPPED)
    settling.settle(directory, time.time())
    assert states(directory) == [FOLDED, SHIPPED]
    LedgerEntry.objects.all().delete()
    move(settings)
    settling.settle(directory, time.time() + HOUR + 10)
    assert states(directory) == [SEALED, SEALED]


def test_a_segment_of_two_classes_may_be_in_two_ledgers(directory: Path, settings: Any) -> None:
    page = a_page()
    emit_segment(page, data_cls=PageTotals)
    [segment] = segments.listing(directory, SEALED)
    content = segment.read()
    emit_segment(page, data_cls=PageHours)
    segment = segments.listing(directory, SEALED)[-1]
    segment.path.write_bytes(content + segment.read())
    folded(segment).become(SHIPPED)
    move(settings)
    settling.settle(directory, time.time() + HOUR + 10)
    assert segments.listing(directory, FOLDED)[0].id == segment.id


def test_while_a_ledger_does_not_answer_nothing_is_sent_again(
    directory: Path, settings: Any
) -> None:
    folded(a_segment(directory)).become(SHIPPED)
    move(settings)

    def be_away(*_: Any) -> None:
        raise OperationalError("it is away")

    with connections["default"].execute_wrapper(be_away), pytest.raises(OperationalError):
        settling.settle(directory, time.time() + HOUR + 10)
    assert states(directory) == [SHIPPED]


def test_the_other_ledgers_are_not_asked_for_what_may_still_come(
    directory: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_segment(directory).become(SHIPPED)
    move(settings)
    asked = []

    def shows(alias: str, ids: Any) -> set[str]:
        asked.append(alias)
        return set()

    monkeypatch.setattr(ledger, "shows", shows)
    settling.settle(directory, time.time())
    assert asked == ["other"]
