"""A retry that is stopped or fails anywhere is made up for by the next one."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from trackable.batches import Malformed
from trackable.folding import engine, ledger, quarantine, upsert
from trackable.folding import retry as retrying
from trackable.folding.engine import fold
from trackable.folding.retry import RetryReport
from trackable.journal import tally
from trackable_tests.counting import Crash, a_page, batch, counts, entry, reasons, total
from trackable_tests.folding.aside import again, messages, set_aside, unreadable
from trackable_tests.folding.failing import AFTER, BEFORE, Step, raising, stop_at
from trackable_tests.folding.tracing import stopped_at_each_line
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import Page, PageParentTotals, PageTotals

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pause")]
committing = pytest.mark.django_db(transaction=True)

TOTALS = "testapp.PageTotals"


def a_mixture() -> tuple[Page, Page]:
    """Set aside what is mended, what is not, half of each, and what nobody can read."""
    one, other = a_page("one"), a_page("other")
    gone = Page(pk=999_999)
    set_aside(
        batch(PageParentTotals, entry(one, amount=5)),
        batch(PageParentTotals, entry(one, amount=2), entry(gone, amount=9)),
        batch(PageTotals, entry(other, amount=3)),
        batch(PageTotals, entry(other, "likes")),
    )
    fold(TOTALS, [Malformed.of(TOTALS, b"{", "why"), unreadable(batch(PageTotals, entry(one)))])
    return one, other


def check_mixture(one: Page, other: Page) -> None:
    assert counts(PageParentTotals) == {one.pk: 7}
    assert counts(PageTotals) == {one.pk: 1, other.pk: 3}
    assert (len(reasons()), sum(messages().values_list("increments", flat=True))) == (3, 2)


STEPS: list[Step] = [
    (retrying._Retry, "_lock", 1, AFTER),
    (ledger, "claim", 1, AFTER),
    (engine, "apply", 1, AFTER),
    (engine, "apply", 2, BEFORE),
    (upsert, "add", 1, AFTER),
    (retrying._Retry, "_replace", 1, BEFORE),
    (quarantine, "keep", 1, BEFORE),
    (quarantine, "keep", 1, AFTER),
    (tally, "add", 1, BEFORE),
]


@for_each("step", STEPS)
def test_a_retry_that_is_stopped_is_made_up_for(step: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = a_mixture()
    with monkeypatch.context() as stopped:
        stop_at(stopped, *step)
        with pytest.raises(Crash):
            again()
    again()
    check_mixture(*pages)


@pytest.mark.slow
@pytest.mark.vendor("sqlite")  # elsewhere the steps above are enough
@committing
def test_a_retry_stopped_before_any_of_its_lines_is_made_up_for() -> None:
    for _, pages in stopped_at_each_line(again, a_mixture, "default"):
        again()
        check_mixture(*pages)


@committing
def test_what_may_succeed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = a_mixture()
    failing = raising(OperationalError("deadlock"), quarantine.keep, times=3)
    monkeypatch.setattr(quarantine, "keep", failing)
    assert again() == RetryReport(increments=4, folded=3, returned=3)
    check_mixture(*pages)


@committing
def test_a_commit_whose_answer_was_lost_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = a_mixture()
    lost = raising(OperationalError("server has gone away"), connection._commit)
    monkeypatch.setattr(connection, "_commit", lost)
    assert again().increments == 0
    check_mixture(*pages)


@committing
def test_what_does_not_succeed_is_raised_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a_mixture()
    before = list(messages().values())
    failing = raising(OperationalError("down"), upsert.add, times=engine.ATTEMPTS)
    monkeypatch.setattr(upsert, "add", failing)
    with pytest.raises(OperationalError, match="down"):
        again()
    assert (list(messages().values()), total(PageTotals)) == (before, 0)


def test_a_transaction_of_the_callers_is_refused() -> None:
    set_aside(batch(PageTotals, entry(a_page())))
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        again()
    assert again().folded == 1
