"""Signals tell of each batch what a fold has committed, once, and disturb nothing."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from trackable.batches import Batch, Malformed
from trackable.folding import announcing, engine
from trackable.folding.engine import fold
from trackable.messaging import process_messages, send_record
from trackable.models import QuarantinedMessage
from trackable.signals import increment_quarantined, increments_folded
from trackable.testing import capture
from trackable_tests.counting import a_page, batch, entry, total
from trackable_tests.folding.aside import again, appear, long_ago
from trackable_tests.folding.failing import raising
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import (
    Page,
    PageParentTotals,
    PageSizes,
    PageTotals,
    PageVisitors,
    Visit,
)

pytestmark = pytest.mark.django_db

TOTALS, PARENTS, SIZES = "testapp.PageTotals", "testapp.PageParentTotals", "testapp.PageSizes"
SIGNALS = (increments_folded, increment_quarantined)


class Heard(list[dict[str, Any]]):
    """What was sent, in order; ``sender`` among it."""

    def __call__(self, signal: Any, **named: Any) -> None:
        self.append(named)


@pytest.fixture
def folded() -> Iterator[Heard]:
    heard = Heard()
    increments_folded.connect(heard)
    yield heard
    increments_folded.disconnect(heard)


@pytest.fixture
def set_aside() -> Iterator[Heard]:
    heard = Heard()
    increment_quarantined.connect(heard)
    yield heard
    increment_quarantined.disconnect(heard)


def test_each_batch_is_told_of_with_what_was_counted(folded: Heard) -> None:
    page = a_page()
    one, other = batch(PageTotals, entry(page, amount=5, hits=2)), batch(PageTotals, entry(page))
    fold(TOTALS, [one, other])
    assert folded == [
        {
            "sender": PageTotals,
            "data_class": TOTALS,
            "batch_id": each.id,
            "increments": each.hits,
            "entries": each.entries,
            "using": "default",
            "is_retry": False,
        }
        for each in (one, other)
    ]


def test_duplicates_and_what_counts_nothing_are_not_told_of(folded: Heard) -> None:
    sent = batch(PageTotals, entry(a_page()))
    for _ in range(2):
        fold(TOTALS, [sent, sent, batch(PageTotals, filtered=3)])
    assert [each["batch_id"] for each in folded] == [sent.id]


def test_records_are_told_of_by_their_class(folded: Heard) -> None:
    with capture():
        for path in ("/a", "/b"):
            send_record(None, Visit, {"path": path})
        process_messages()
    (told,) = folded
    assert (told["sender"], told["data_class"], told["increments"]) == (Visit, "testapp.Visit", 2)


def test_nobody_learns_who_was_seen(folded: Heard) -> None:
    page = a_page()
    seen = [entry(page, f"visitors:{number:016x}", hits=2) for number in range(3)]
    announcing.tell("default", [batch(PageVisitors, *seen)], [])
    assert folded[0]["entries"] == (entry(page, "visitors", amount=3, hits=6),)


def test_what_is_sent_is_committed(folded: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold that is rolled back, and is tried again in vain, sends nothing."""
    lost = raising(OperationalError("gone"), engine.quarantine.put, times=engine.ATTEMPTS)
    monkeypatch.setattr(engine.quarantine, "put", lost)
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.0)
    with pytest.raises(OperationalError):
        fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    assert folded == []


@pytest.mark.django_db(transaction=True)
def test_receivers_find_the_rows_outside_of_the_transaction() -> None:
    found = []

    def look(**named: Any) -> None:
        found.append((connection.in_atomic_block, total(PageTotals)))

    increments_folded.connect(look)
    try:
        fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    finally:
        increments_folded.disconnect(look)
    assert found == [(False, 1)]


def test_what_is_set_aside_is_left_out_and_told_of(folded: Heard, set_aside: Heard) -> None:
    page = a_page()
    mixed = batch(PageTotals, entry(page), entry(page, "likes", hits=3), entry(page, "shares"))
    fold(TOTALS, [mixed])
    assert [(each["increments"], each["entries"]) for each in folded] == [(1, (entry(page),))]
    (told,) = set_aside
    assert {each.batch_id for each in QuarantinedMessage.objects.all()} == {told["batch_id"]}
    assert set(told["reasons"]) == set(QuarantinedMessage.objects.values_list("reason", flat=True))
    assert (told["sender"], told["data_class"], told["using"]) == (PageTotals, TOTALS, "default")
    assert (told["increments"], told["is_kept"]) == (4, True)


def test_a_sum_that_is_set_aside_is_counted_for_none_of_its_batches(
    folded: Heard, set_aside: Heard
) -> None:
    page = a_page()
    brought = [
        batch(PageSizes, entry(page, "small", amount=9_000), entry(page, "big")) for _ in range(2)
    ]
    PageSizes.objects.create(parent=page, small=20_000)
    fold(SIZES, brought)
    assert [(told["batch_id"], told["increments"]) for told in folded] == [
        (each.id, 1) for each in brought
    ]
    assert sum(told["increments"] for told in set_aside) == 2


def test_a_bad_amount_that_is_apart_spoils_no_other_batch(folded: Heard, set_aside: Heard) -> None:
    page = a_page()
    good, bad = batch(PageSizes, entry(page, "small")), batch(PageSizes, entry(page, "small", 1.5))
    also_good = batch(PageSizes, entry(page, "small"))
    fold(SIZES, [good, bad, also_good])
    assert [told["batch_id"] for told in folded] == [good.id, also_good.id]
    assert [told["batch_id"] for told in set_aside] == [bad.id]


def test_messages_that_are_no_batch_and_unknown_classes_have_no_sender(set_aside: Heard) -> None:
    garbage = Malformed.of("nobody", b"garbage", "no JSON")
    gone = Batch.of("0" * 32, "testapp.Gone", [entry(a_page())])
    late = long_ago(batch(PageTotals, entry(a_page("b"))))
    fold("nobody", [garbage, gone, late])
    assert [(told["sender"], told["data_class"], told["increments"]) for told in set_aside] == [
        (None, "nobody", 0),
        (None, "testapp.Gone", 1),
        (PageTotals, TOTALS, 1),
    ]


def test_what_is_dropped_is_told_to_be_so(settings: Any, set_aside: Heard) -> None:
    settings.TRACKABLE_REMOVE_MALFORMED_MESSAGES = True
    fold(TOTALS, [batch(PageTotals, entry(a_page(), "likes"))])
    assert [told["is_kept"] for told in set_aside] == [False]


def test_a_retry_tells_what_it_counts_and_not_what_returns(folded: Heard, set_aside: Heard) -> None:
    sent = batch(PageParentTotals, entry(Page(pk=7), hits=2), entry(Page(pk=8)))
    fold(PARENTS, [sent])
    appear(7)
    again()
    (told,) = folded
    assert (told["batch_id"], told["increments"], told["is_retry"]) == (sent.id, 2, True)
    assert len(set_aside) == 1


def test_senders_choose_receivers(folded: Heard) -> None:
    own = Heard()
    increments_folded.connect(own, sender=PageSizes)
    fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    increments_folded.disconnect(own, sender=PageSizes)
    assert (len(folded), own) == (1, [])


def test_another_database_is_named(settings: Any, folded: Heard) -> None:
    settings.TEST_DATABASE_OF = {}
    announcing.tell("other", [batch(PageTotals, entry(Page(pk=1)))], [])
    assert [told["using"] for told in folded] == ["other"]


@for_each("is_nameless", [False, True])
def test_receivers_that_raise_are_logged_and_disturb_nothing(
    folded: Heard, caplog: pytest.LogCaptureFixture, is_nameless: bool
) -> None:
    def fail(**named: Any) -> None:
        raise ValueError("of a receiver")

    async def fail_too(**named: Any) -> None:
        raise ValueError("of an async receiver")

    failing: Any = functools.partial(fail) if is_nameless else fail
    for receiver in (failing, fail_too):
        increments_folded.connect(receiver)
    try:
        with caplog.at_level(logging.ERROR):
            report = fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    finally:
        for receiver in (failing, fail_too):
            increments_folded.disconnect(receiver)
    assert (report.increments, total(PageTotals), folded.pop()["increments"]) == (1, 1, 1)
    assert "of a receiver" in caplog.text


def test_async_receivers_are_awaited() -> None:
    heard = Heard()

    async def hear(**named: Any) -> None:
        heard(**named)

    increments_folded.connect(hear)
    try:
        fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    finally:
        increments_folded.disconnect(hear)
    assert [told["increments"] for told in heard] == [1]


def test_nothing_is_worked_out_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("worked out for nobody")

    for name in ("_counted", "_tell_rejected", "_tell_folded", "_send"):
        monkeypatch.setattr(announcing, name, fail)
    assert [signal.receivers for signal in SIGNALS] == [[], []]
    page = Page(pk=7)
    fold(TOTALS, [batch(PageTotals, entry(page), entry(page, "likes"))])
    again()
