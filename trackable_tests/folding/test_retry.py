"""A retry folds each quarantined message once, and returns once what is still unfit."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.signals import pre_delete
from django.utils import timezone

from trackable import batches
from trackable.batches import Batch, Malformed
from trackable.folding import ledger, quarantine
from trackable.folding.engine import fold
from trackable.folding.quarantine import OLDER
from trackable.folding.retry import RetryReport
from trackable.models import QuarantinedMessage
from trackable_tests.counting import a_page, batch, counts, entry, reasons, total
from trackable_tests.folding.aside import again, appear, long_ago, messages, set_aside, unreadable
from trackable_tests.testapp.models import Page, PageParentTotals, PageSizes, PageTotals

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pause")]

TOTALS = "testapp.PageTotals"
PARENTS = "testapp.PageParentTotals"
NO_PARENT = "its object does not exist"


# what is mended, and what is not


def test_what_is_mended_is_counted_and_leaves() -> None:
    sent = batch(PageParentTotals, entry(Page(pk=7), amount=5, hits=2), entry(Page(pk=8)))
    fold(PARENTS, [sent])
    appear(7), appear(8)
    assert again() == RetryReport(increments=3, folded=2)
    assert (counts(PageParentTotals), reasons()) == ({7: 5, 8: 1}, [])
    assert fold(PARENTS, [sent]).duplicate_batches == 1
    assert again() == RetryReport()
    assert total(PageParentTotals) == 6


def test_what_is_still_bad_returns_once_with_its_new_reason() -> None:
    before = timezone.now() - timedelta(days=3)
    sent = batch(PageParentTotals, entry(Page(pk=7), amount=5, hits=2))
    fold(PARENTS, [sent])
    messages().update(quarantined_at=before, reason="there was no data class")
    [old] = messages()
    for _ in range(2):
        assert again() == RetryReport(returned=1)
        [kept] = messages()
        assert (kept.pk, kept.reason, kept.increments) == (old.pk, NO_PARENT, 2)
        assert (kept.batch_id, kept.quarantined_at) == (sent.id, before)
        assert kept.retried_at > timezone.now() - timedelta(minutes=1)
        assert batches.decode(kept.payload.encode()).entries == sent.entries
    appear(7)
    assert (again().increments, total(PageParentTotals)) == (2, 5)


def test_the_half_that_fits_is_counted() -> None:
    sent = batch(PageTotals, *(entry(Page(pk=n), hits=n) for n in range(1, 5)))
    bad = (sent.entries[1]._replace(field="likes"), sent.entries[3]._replace(field="likes"))
    sent = Batch.of(sent.id, sent.data_class, [sent.entries[0], bad[0], sent.entries[2], bad[1]])
    set_aside(sent)
    assert again() == RetryReport(increments=4, returned=1)
    assert counts(PageTotals) == {1: 1, 3: 1}
    [kept] = messages()
    assert (kept.increments, "likes" in kept.reason) == (6, True)
    assert batches.decode(kept.payload.encode()).entries == bad


def test_what_is_bad_for_several_reasons_returns_by_reason() -> None:
    one, other = entry(Page(pk=1), "likes"), entry(Page(pk=1), "views", 0.5)
    sent = batch(PageTotals, one, one._replace(object_id="2"), other)
    set_aside(sent)
    assert again() == RetryReport(returned=1)
    assert sorted(kept.increments for kept in messages()) == [1, 2]
    assert {kept.batch_id for kept in messages()} == {sent.id}
    assert (again(), len(reasons())) == (RetryReport(returned=2), 2)


def test_nobody_else_is_returned_for_what_one_has_brought() -> None:
    """A sum that is too much, of which parts fit: to each its own."""
    page = a_page()
    full = batch(PageSizes, entry(page, "small", (1 << 15) - 3))
    parts = [batch(PageSizes, entry(page, "small", amount)) for amount in (1, 1 << 40, 1, 5)]
    fold("testapp.PageSizes", [full])
    set_aside(*parts)
    assert again() == RetryReport(increments=2, folded=2, returned=2)
    assert total(PageSizes, "small") == (1 << 15) - 1
    assert [kept.batch_id for kept in messages()] == [parts[1].id, parts[3].id]


def test_too_much_for_a_positive_counter_stops_at_zero() -> None:
    page = a_page()
    fold(TOTALS, [batch(PageTotals, entry(page, amount=3))])
    set_aside(batch(PageTotals, entry(page, amount=-5)), batch(PageTotals, entry(page, amount=-9)))
    assert again() == RetryReport(increments=2, folded=2)
    assert counts(PageTotals) == {page.pk: 0}


def test_the_class_in_the_message_is_the_one_that_counts() -> None:
    page = a_page()
    set_aside(batch(PageTotals, entry(page)))
    messages().update(data_class="testapp.PageSizes")
    assert again() == RetryReport(increments=1, folded=1)
    assert counts(PageTotals) == {page.pk: 1}


def test_a_counter_that_comes_twice_in_a_message_loses_nothing() -> None:
    message = json.loads(batches.encode(batch(PageParentTotals, entry(Page(pk=7), hits=2))))
    message["counts"] *= 2
    fold(PARENTS, [Malformed.of(PARENTS, json.dumps(message).encode(), "why")])
    assert again() == RetryReport(returned=1)
    assert messages().get().increments == 4
    appear(7)
    assert (again().increments, total(PageParentTotals)) == (4, 2)


def test_what_a_setting_would_drop_returns(settings: Any) -> None:
    fold(PARENTS, [batch(PageParentTotals, entry(Page(pk=7))), Malformed.of(PARENTS, b"{", "why")])
    settings.TRACKABLE_REMOVE_MALFORMED_MESSAGES = True
    assert again() == RetryReport(returned=2)
    assert messages().count() == 2


def test_a_site_that_listens_to_deletions_has_no_say() -> None:
    def refuse(**kwargs: Any) -> None:
        raise AssertionError("not asked")

    set_aside(batch(PageTotals, entry(a_page())))
    pre_delete.connect(refuse, sender=QuarantinedMessage)
    try:
        assert again().folded == 1
    finally:
        pre_delete.disconnect(refuse, sender=QuarantinedMessage)


def test_what_a_stranger_claims_twice_in_a_message_can_be_read_again() -> None:
    message = json.loads(
        batches.encode(batch(PageParentTotals, entry(Page(pk=7), hits=(1 << 63) - 1)))
    )
    message["counts"] *= 2
    fold(PARENTS, [Malformed.of(PARENTS, json.dumps(message).encode(), "why")])
    assert again() == RetryReport(returned=1)
    appear(7)
    assert (again().folded, total(PageParentTotals)) == (1, 2)


def test_a_batch_without_entries_leaves() -> None:
    set_aside(batch(PageTotals, filtered=3))
    assert again() == RetryReport(folded=1)


@pytest.mark.slow
def test_a_long_message_is_counted_or_returned() -> None:
    entries = [entry(Page(pk=pk), amount=2) for pk in range(1, 60_000)]
    sent = batch(PageTotals, *entries, entries[0]._replace(field="likes"))
    set_aside(sent)
    [kept] = messages()
    assert len(kept.payload) > quarantine.MAX_PAYLOAD_LENGTH / 2
    assert again() == RetryReport(increments=len(entries), returned=1)
    assert total(PageTotals) == 2 * len(entries)


def test_a_long_message_that_is_still_bad_is_one_message() -> None:
    set_aside(batch(PageParentTotals, *(entry(Page(pk=pk)) for pk in range(1, 5_000))))
    assert again() == RetryReport(returned=1)
    assert (messages().get().increments, reasons()) == (4_999, [NO_PARENT])


# what is no batch, or was none


def test_what_cannot_be_read_returns_as_it_was() -> None:
    fold(TOTALS, [Malformed.of(TOTALS, b'{"v": 1, \xff\0', "an old reason")])
    [old] = messages()
    assert again() == RetryReport(returned=1)
    [kept] = messages()
    assert kept.reason.startswith("no JSON: ")
    for name in ("pk", "batch_id", "data_class", "payload", "quarantined_at", "increments"):
        assert getattr(kept, name) == getattr(old, name)


def test_what_can_be_read_by_now_is_counted_once() -> None:
    sent = batch(PageTotals, entry(a_page()))
    fold(TOTALS, [unreadable(sent)])
    assert again() == RetryReport(increments=1, folded=1)
    assert fold(TOTALS, [sent]).duplicate_batches == 1  # the journal sends it again
    assert total(PageTotals) == 1


def test_what_can_be_read_by_now_and_has_come_again_counted_then() -> None:
    sent = batch(PageTotals, entry(a_page()))
    fold(TOTALS, [unreadable(sent)])
    fold(TOTALS, [sent])
    assert again() == RetryReport(known=1)
    assert (total(PageTotals), reasons()) == (1, [])


def test_what_can_be_read_by_now_is_counted_once_in_whatever_forms_it_came() -> None:
    sent = batch(PageTotals, entry(a_page()))
    other = unreadable(sent)
    spaced = Malformed.of(TOTALS, other.body + b" ", "why")
    fold(TOTALS, [other, spaced])
    assert again() == RetryReport(increments=1, folded=1, known=1)
    assert total(PageTotals) == 1


def test_what_can_be_read_by_now_and_is_unfit_is_entered_like_others() -> None:
    sent = batch(PageParentTotals, entry(Page(pk=7)))
    fold(PARENTS, [unreadable(sent)])
    assert again() == RetryReport(returned=1)
    assert messages().get().batch_id == sent.id
    assert fold(PARENTS, [sent]).duplicate_batches == 1
    appear(7)
    assert (again().increments, total(PageParentTotals)) == (1, 1)


# what may be counted already


def test_what_is_older_than_the_ledger_is_left_unless_told() -> None:
    page = a_page()
    fold(TOTALS, [long_ago(batch(PageTotals, entry(page), filtered=2))])
    assert again() == RetryReport(left=1)
    assert messages().get().retried_at is None
    assert again(older_than_ledger=True) == RetryReport(increments=1, folded=1)
    assert counts(PageTotals) == {page.pk: 1}


def test_a_doubt_stays_with_what_returns() -> None:
    fold(PARENTS, [long_ago(batch(PageParentTotals, entry(Page(pk=7))))])
    assert again(older_than_ledger=True) == RetryReport(returned=1)
    assert reasons() == [f"{OLDER}; {NO_PARENT}"]
    assert again() == RetryReport(left=1)
    assert again(older_than_ledger=True) == RetryReport(returned=1)
    assert reasons() == [f"{OLDER}; {NO_PARENT}"]


def test_what_was_set_aside_in_time_is_not_in_doubt_however_long_it_waits() -> None:
    page = a_page()
    set_aside(long_ago(batch(PageTotals, entry(page))))
    messages().update(quarantined_at=timezone.now() - ledger.horizon())
    assert again() == RetryReport(increments=1, folded=1)


def test_what_becomes_readable_too_late_is_in_doubt() -> None:
    sent = long_ago(batch(PageParentTotals, entry(Page(pk=7)), entry(Page(pk=8))))
    fold(PARENTS, [unreadable(sent)])
    assert again() == RetryReport(returned=1)
    assert reasons() == [OLDER]
    appear(7)
    assert again() == RetryReport(left=1)
    assert again(older_than_ledger=True) == RetryReport(increments=1, returned=1)
    assert (reasons(), total(PageParentTotals)) == ([f"{OLDER}; {NO_PARENT}"], 1)


def test_the_clock_of_the_database_says_what_is_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = batch(PageTotals, entry(a_page()))
    fold(TOTALS, [unreadable(sent)])
    later = sent.created_at + ledger.horizon().total_seconds() + 1
    monkeypatch.setattr(ledger, "clock", lambda rows: later)
    assert again() == RetryReport(returned=1)
    assert reasons() == [OLDER]


def test_a_doubt_about_what_becomes_readable_stays_with_what_returns() -> None:
    fold(PARENTS, [unreadable(long_ago(batch(PageParentTotals, entry(Page(pk=7)))))])
    assert again(older_than_ledger=True) == RetryReport(returned=1)
    assert reasons() == [f"{OLDER}; {NO_PARENT}"]
