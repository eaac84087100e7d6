"""Messages that another database counts are moved there, and are counted there once."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import OperationalError
from django.utils import timezone

from trackable import conf, settling, shipping
from trackable.batches import Batch
from trackable.folding import ledger, quarantine, relocation, upsert
from trackable.folding import retry as retrying
from trackable.folding.engine import fold
from trackable.folding.quarantine import Reject
from trackable.folding.retry import RetryReport, retry
from trackable.journal import segments
from trackable.journal.segments import SEALED, SHIPPED
from trackable.messaging import process_messages
from trackable.models import LedgerEntry
from trackable_tests.bounds.threads import in_threads
from trackable_tests.counting import Crash, a_page, batch, emit_segment, entry
from trackable_tests.folding.aside import again, messages, set_aside, unreadable
from trackable_tests.folding.failing import AFTER, BEFORE, Step, name_of, raising, stop_at
from trackable_tests.folding.tracing import stopped_at_each_line
from trackable_tests.testapp.models import Page, PageTotals

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pause")]
in_two_databases = pytest.mark.django_db(transaction=True, databases=["default", "other"])

TOTALS = "testapp.PageTotals"


@pytest.fixture
def elsewhere(settings: Any) -> None:
    """Have totals counted in another database than the quarantine's that they are in."""
    settings.TEST_DATABASE_OF = {TOTALS: "other"}


def counted_elsewhere() -> Any:
    return PageTotals.objects.using("other").values_list("object_id", "views")


@in_two_databases
def test_what_another_database_counts_is_counted_there(elsewhere: None) -> None:
    page = a_page()
    good, bad = batch(PageTotals, entry(page)), batch(PageTotals, entry(page, "likes"))
    set_aside(good, bad)
    before = timezone.now() - timedelta(days=1)
    messages().update(quarantined_at=before)
    assert again() == RetryReport(increments=1, folded=1, returned=1)
    assert (list(counted_elsewhere()), messages().count()) == ([(page.pk, 1)], 0)
    kept = messages("other").get()
    assert (kept.batch_id, kept.quarantined_at) == (bad.id, before)
    assert again() == RetryReport()
    assert retry("other", messages("other")) == RetryReport(returned=1)
    marks = list(LedgerEntry.objects.using("other").values_list("folded_at", flat=True))
    # For each message a mark, its batch, and that this has moved.
    assert len(marks) == 6
    assert max(marks) < timezone.now() + timedelta(days=1)


def fold_with_old_code(sent: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fold a batch as a worker does that has no such class yet."""
    get_model = apps.get_model

    def old(label: str, *args: Any, **kwargs: Any) -> Any:
        if label == sent.data_class:
            raise LookupError(label)
        return get_model(label, *args, **kwargs)

    with monkeypatch.context() as patches:
        patches.setattr(apps, "get_model", old)
        fold(sent.data_class, [sent])


@in_two_databases
def test_what_old_code_sets_aside_and_comes_again_counts_once(
    elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = a_page()
    sent = batch(PageTotals, entry(page, amount=5, hits=2))
    fold_with_old_code(sent, monkeypatch)
    assert fold(TOTALS, [sent]).increments == 2  # its ack was lost, or the other ledger was asked
    assert again() == RetryReport(known=1)
    assert (list(counted_elsewhere()), messages().count()) == ([(page.pk, 5)], 0)


@in_two_databases
def test_what_old_code_sets_aside_and_comes_after_its_retry_counts_once(
    elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = a_page()
    sent = batch(PageTotals, entry(page, amount=5, hits=2))
    fold_with_old_code(sent, monkeypatch)
    assert again() == RetryReport(increments=2, folded=1)
    assert fold(TOTALS, [sent]).duplicate_batches == 1
    assert list(counted_elsewhere()) == [(page.pk, 5)]


@in_two_databases
def test_what_old_code_sets_aside_counts_once_if_its_segment_is_sent_again(
    elsewhere: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRACKABLE_RESEND_AFTER = 0
    page = a_page()
    emit_segment(page, data_cls=PageTotals, times=5)
    directory = conf.journal_dir()
    [segment] = segments.listing(directory, SEALED)
    for sent in shipping.read(segment) or ():
        fold_with_old_code(sent, monkeypatch)
    segment.become(SHIPPED)
    settling.settle(directory, time.time() + 1)
    process_messages()
    again()
    assert (list(counted_elsewhere()), messages().count()) == ([(page.pk, 5)], 0)


@in_two_databases
def test_what_nobody_knows_stays_where_it_is(elsewhere: None, settings: Any) -> None:
    gone = replace(batch(PageTotals, entry(Page(pk=1))), data_class="testapp.Gone")
    set_aside(gone, alias="other")
    assert retry("other", messages("other")) == RetryReport(returned=1)
    assert (messages().count(), messages("other").count()) == (0, 1)


@in_two_databases
def test_what_was_unreadable_is_claimed_where_it_is_counted(elsewhere: None) -> None:
    page = a_page()
    seen, unseen = batch(PageTotals, entry(page)), batch(PageTotals, entry(page))
    quarantine.put(
        "default",
        [Reject.of_malformed(unreadable(each)) for each in (seen, unseen)],
        timezone.now(),
    )
    fold(TOTALS, [seen])
    assert again() == RetryReport(increments=1, folded=1, known=1)
    fold(TOTALS, [unseen])
    assert list(counted_elsewhere()) == [(page.pk, 2)]


@pytest.mark.vendor("sqlite")
@in_two_databases
def test_times_may_be_without_zones(elsewhere: None, settings: Any) -> None:
    settings.USE_TZ = False
    page = a_page()
    sent = batch(PageTotals, entry(page), entry(page, "likes"))
    set_aside(sent)
    opened = quarantine.opened_at(messages().get())
    assert opened is not None
    assert abs((timezone.now() - opened).total_seconds()) < 60
    assert again() == RetryReport(increments=1, returned=1)
    assert list(counted_elsewhere()) == [(page.pk, 1)]


MOVING: list[Step] = [
    (relocation, "copy", 1, BEFORE),
    (relocation, "_copy", 2, BEFORE),
    (relocation, "copy", 1, AFTER),  # committed there, and still here
    (retrying._Retry, "_replace", 1, AFTER),
    (relocation, "release", 1, BEFORE),
    (relocation, "release", 1, AFTER),
    (retrying._Retry, "_lock", 2, AFTER),
    (upsert, "add", 1, AFTER),
    (quarantine, "keep", 2, AFTER),
]


@in_two_databases
@pytest.mark.parametrize("step", MOVING, ids=name_of)
def test_a_move_that_is_stopped_is_made_up_for(
    step: Any, elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = a_page()
    set_aside(*(batch(PageTotals, entry(page), entry(page, "likes")) for _ in range(3)))
    with monkeypatch.context() as stopped:
        stop_at(stopped, *step)
        with pytest.raises(Crash):
            again()
    ledger.prune_all()
    again()
    retry("other", messages("other"))
    assert (list(counted_elsewhere()), messages().count()) == ([(page.pk, 3)], 0)
    assert [kept.increments for kept in messages("other")] == [1, 1, 1]


@pytest.mark.slow
@pytest.mark.vendor("sqlite")  # elsewhere the steps above are enough
@in_two_databases
def test_a_move_stopped_before_any_of_its_lines_is_made_up_for(elsewhere: None) -> None:
    def prepare() -> None:
        set_aside(batch(PageTotals, entry(Page(pk=1)), entry(Page(pk=1), "likes")))

    for line, _ in stopped_at_each_line(again, prepare, "default", "other"):
        again()
        retry("other", messages("other"))
        assert (list(counted_elsewhere()), messages().count()) == ([(1, 1)], 0), line
        assert [kept.increments for kept in messages("other")] == [1], line


@in_two_databases
def test_a_move_that_was_interrupted_is_remembered_for_ever(
    elsewhere: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.TRACKABLE_LEDGER_HORIZON = 1
    page = a_page()
    set_aside(batch(PageTotals, entry(page)))
    messages().update(quarantined_at=timezone.now() - timedelta(days=99))
    with monkeypatch.context() as stopped:
        stop_at(stopped, relocation, "copy", 1, AFTER)
        with pytest.raises(Crash):
            again()
    monkeypatch.setattr(ledger, "PRUNING_MARGIN", timedelta(days=-1))
    ledger.prune("other")
    assert retry("other", messages("other")).folded == 1
    assert again() == RetryReport(known=1)
    assert list(counted_elsewhere()) == [(page.pk, 1)]


@in_two_databases
def test_a_move_whose_end_is_tried_again_is_counted_at_once(
    elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = a_page()
    set_aside(batch(PageTotals, entry(page)))
    failing = raising(OperationalError("deadlock"), retrying._Retry._replace)
    monkeypatch.setattr(retrying._Retry, "_replace", lambda *args: failing(*args))
    assert again() == RetryReport(increments=1, folded=1)
    assert list(counted_elsewhere()) == [(page.pk, 1)]


@in_two_databases
def test_moves_at_the_same_time_count_once(
    elsewhere: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "MAX_MESSAGES", 4)
    page = a_page()
    set_aside(*(batch(PageTotals, entry(page)) for _ in range(20)))
    reports = in_threads(again, again, again)
    retry("other", messages("other"))
    assert list(counted_elsewhere()) == [(page.pk, 20)]
    assert sum(report.increments for report in reports) == 20
