"""A fold that is stopped anywhere is followed by one that counts exactly what was emitted."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from trackable import settling, shipping
from trackable.broker import Broker, Claim
from trackable.folding import collect as collecting
from trackable.folding import ledger, quarantine, upsert
from trackable.journal.segments import Segment
from trackable.messaging import process_messages
from trackable_tests.counting import (
    Crash,
    a_page,
    counts,
    emit,
    emit_segment,
    fold_until_settled,
    output_of,
    reasons,
    start_child,
    through_brokers,
    total,
)
from trackable_tests.folding.failing import AFTER, BEFORE, Step, name_of, stop_at
from trackable_tests.testapp.models import Page, PageData, PageParentTotals, PageTotals

pytestmark = pytest.mark.django_db

STEPS: list[Step] = [
    (shipping, "flush", 1, AFTER),
    (ledger, "claim", 1, BEFORE),
    (ledger, "claim", 1, AFTER),
    (upsert, "_subtract", 2, BEFORE),  # between two rows
    (upsert, "add", 1, AFTER),
    (quarantine, "put", 1, BEFORE),
    (quarantine, "put", 1, AFTER),
    (collecting, "fold", 1, AFTER),  # committed, and not acknowledged
    (collecting, "fold", 2, BEFORE),
    (Claim, "ack", 2, BEFORE),
    (Claim, "ack", 2, AFTER),
    (settling, "settle", 1, BEFORE),
    (Segment, "become", 1, AFTER),
    (Segment, "become", 2, BEFORE),
    (settling, "settle", 1, AFTER),
]
STEPS_TO_A_BROKER: list[Step] = [
    (Broker, "publish", 1, BEFORE),
    (Broker, "publish", 2, BEFORE),
    (Broker, "publish", 3, AFTER),
    (Segment, "become", 1, BEFORE),  # published, and still to be published
    (Broker, "claim", 2, AFTER),
    (Segment, "become", 3, AFTER),
    (Segment, "become", 4, BEFORE),
]


def crash_and_compare(monkeypatch: pytest.MonkeyPatch, step: Step) -> None:
    one, other = a_page("one"), a_page("other")
    for _ in range(2):
        for page in (one, other):
            emit(page, data_cls=PageTotals, value=5)
        emit(one, data_cls=PageTotals, value=-2)
        emit_segment(Page(pk=999_999), data_cls=PageParentTotals)
    with monkeypatch.context() as stopped:
        stop_at(stopped, *step)
        with pytest.raises(Crash):
            process_messages()
    fold_until_settled()
    assert counts(PageTotals) == {one.pk: 6, other.pk: 10}
    assert set(reasons()) == {"its object does not exist"}


@pytest.mark.parametrize("step", STEPS)
def test_a_fold_that_is_stopped_is_made_up_for(
    broker_url: str | None, step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_and_compare(monkeypatch, step)


@through_brokers
@pytest.mark.parametrize("step", STEPS_TO_A_BROKER, ids=name_of)
def test_shipping_that_is_stopped_is_made_up_for(
    broker_url: str, step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_and_compare(monkeypatch, step)


# real processes


processes = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def marked(test: Any) -> Any:
    for mark in processes:
        test = mark(test)
    return test


#: set it to 1 to have a fold killed before each of its lines, which takes minutes
KILL_EVERY = int(os.environ.get("TRACKABLE_TEST_KILL_EVERY", "0"))
QUIET = {"TRACKABLE_FLUSH_THREAD": False, "TRACKABLE_JOURNAL_RETENTION": 0}


@marked
def test_what_a_killed_process_was_told_is_counted(
    broker_url: str | None, child_environment: Callable[..., dict[str, str]]
) -> None:
    page = a_page()
    children = [start_child("emit_for_ever", child_environment(), page.pk) for _ in range(2)]
    acknowledged = 0
    for child, enough in zip(children, (1000, 1777), strict=True):
        acknowledged += len(child.stdout.read(enough))
        child.send_signal(signal.SIGKILL)
        with child:  # closes its pipes
            acknowledged += len(child.stdout.read())
            assert (child.wait(), child.stderr.read()) == (-signal.SIGKILL, "")
    fold_until_settled()
    assert acknowledged <= total(PageData) <= acknowledged + len(children)


@marked
def test_a_fold_that_is_killed_again_and_again_counts_exactly(
    broker_url: str | None, child_environment: Callable[..., dict[str, str]]
) -> None:
    page = a_page()
    emitted = int(
        output_of(start_child("fold_under_fire", child_environment(**QUIET), page.pk, 15))
    )
    fold_until_settled()
    assert (total(PageData), total(PageTotals)) == (emitted, emitted)


@marked
def test_a_fold_killed_before_any_of_its_lines_is_made_up_for(
    broker_url: str | None, child_environment: Callable[..., dict[str, str]]
) -> None:
    step = KILL_EVERY or (10 if broker_url is None else 30)
    child = start_child("fold_killed_at_every_line", child_environment(**QUIET), a_page().pk, step)
    assert int(output_of(child, timeout_seconds=600)) > 10


@marked
@pytest.mark.parametrize("number", [2, 4])
def test_folds_at_the_same_time_count_exactly(
    broker_url: str | None, number: int, child_environment: Callable[..., dict[str, str]]
) -> None:
    pages = [a_page(slug) for slug in "abc"]
    for page in pages:
        emit_segment(page, "views", 1000)  # so that nothing stops at zero
    ids = ",".join(str(page.pk) for page in pages)
    output_of(start_child("emit_and_fold", child_environment(**QUIET), ids, number))
    fold_until_settled()
    turns = 8 * number
    rows = PageData.objects.values_list("views", "clicks", "score")
    assert list(rows) == [(1000 + 3 * turns, turns, -3 * turns)] * 3
    assert reasons() == []
