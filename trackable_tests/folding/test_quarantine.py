"""The quarantine: what cannot be folded is kept with its reason, or dropped if so set."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from trackable import batches
from trackable.batches import Malformed
from trackable.folding import quarantine
from trackable.folding.engine import fold
from trackable.folding.quarantine import Reject, storable
from trackable.folding.retry import retry
from trackable.models import QuarantinedMessage
from trackable_tests.counting import a_page, batch, counts, entry
from trackable_tests.testapp.models import Page, PageParentTotals, PageTotals

pytestmark = pytest.mark.django_db


def put(*rejects: Reject) -> list[QuarantinedMessage]:
    quarantine.put("default", rejects, timezone.now())
    return list(QuarantinedMessage.objects.order_by("pk"))


def malformed(body: bytes = b"garbage", reason: str = "why") -> Malformed:
    return Malformed.of("testapp.PageTotals", body, reason)


def test_an_entry_is_kept_as_a_batch_that_can_be_folded_again() -> None:
    page = a_page()
    bad, good = entry(page, "views", 0.5, hits=2), entry(page, "views", 1)
    fold("testapp.PageTotals", [sent := batch(PageTotals, bad, good)])
    kept = QuarantinedMessage.objects.get()
    assert (kept.batch_id, kept.data_class, kept.increments) == (sent.id, sent.data_class, 2)
    assert batches.decode(kept.payload.encode()).entries == (bad,)
    assert "0.5" in kept.reason


def test_honest_hits_beside_a_strangers_can_be_folded_again() -> None:
    """Together they are more than a message may say."""
    page = Page(pk=7)
    honest = batch(PageParentTotals, entry(page, amount=5, hits=5))
    strange = batch(PageParentTotals, entry(page, hits=(1 << 63) - 1))
    fold("testapp.PageParentTotals", [honest, strange])
    kept = QuarantinedMessage.objects.get()
    assert batches.decode(kept.payload.encode()).hits == (1 << 63) - 1
    appeared = Page.objects.create(pk=7, title="a", slug="a")
    retry("default", QuarantinedMessage.objects.all())
    assert (counts(PageParentTotals), QuarantinedMessage.objects.count()) == ({appeared.pk: 6}, 0)


def test_a_message_is_kept_as_it_came() -> None:
    [kept] = put(Reject.of_malformed(malformed("naïve {".encode())))
    assert (kept.payload, kept.reason, kept.increments) == ("naïve {", "why", 0)


def test_bytes_that_are_no_text_are_shown() -> None:
    [kept] = put(Reject.of_malformed(malformed(b"\x80\x04\0\xff")))
    assert kept.payload == "\\x80\x04\\x00\\xff"


def test_only_the_beginning_of_a_long_message_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MAX_BODY_BYTES", 10)
    [kept] = put(Reject.of_malformed(malformed(b"x" * 11)))
    assert kept.payload == "x" * 10


def test_what_is_too_long_or_great_is_cut() -> None:
    [kept] = put(Reject("1" * 32, "l" * 999, "r" * 9999, 1 << 70, ""))
    assert (len(kept.data_class), len(kept.reason)) == (255, 500)
    assert kept.increments == (1 << 63) - 1


def test_a_statement_takes_only_so_much(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    monkeypatch.setattr(quarantine, "MAX_PAYLOAD_LENGTH", 10)
    rejects = [Reject("1" * 32, "a", "why", 0, "x" * length) for length in (4, 6, 1, 99, 0)]
    with django_assert_num_queries(3):
        quarantine.put("default", rejects, timezone.now())
    assert [len(kept.payload) for kept in put()] == [4, 6, 1, 10, 0]


def test_a_long_batch_is_kept_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MAX_PAYLOAD_LENGTH", 200)
    entries = [entry(Page(pk=number), hits=number) for number in range(1, 40)]
    sent = batch(PageTotals, *entries, filtered=2, dropped=3)
    parts = put(*Reject.of_batch(sent, "why"))
    found = [batches.decode(part.payload.encode()) for part in parts]
    assert max(len(part.payload) for part in parts) <= 200
    assert [each for part in found for each in part.entries] == entries
    assert sum(part.increments for part in parts) == sent.hits
    assert (sum(part.filtered for part in found), sum(part.dropped for part in found)) == (2, 3)


def test_the_log_has_a_line_for_each_of_a_few_reasons(caplog: pytest.LogCaptureFixture) -> None:
    rejects = [Reject(f"{n:032}", "a", "often\n", 0, "") for n in range(50)]
    rejects += [Reject("2" * 32, "a", f"reason {n}", 0, "") for n in range(60)]
    put(*rejects)
    lines = caplog.messages
    assert len(lines) == quarantine.MAX_LOGGED_REASONS + 1
    assert lines[0] == f"Not counted, 50 of batch {49:032} or others: 'often\\n'"
    assert lines[-1] == "Not counted, 51 for 51 other reasons"


def test_text_that_no_database_stores_is_made_storable() -> None:
    assert storable("a\0b\ud800", 99) == "a\\x00b\\ud800"
    assert storable("naïve ☃ 🐍", 99) == "naïve ☃ 🐍"
    assert storable("abc", 2) == "ab"


@pytest.mark.parametrize("removed", [False, True])
def test_removal_is_a_setting(
    removed: bool, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.TRACKABLE_REMOVE_MALFORMED_MESSAGES = removed
    page = a_page()
    sent = batch(PageTotals, entry(page, "likes"), entry(page, "views"))
    report = fold("testapp.PageTotals", [sent, malformed()])
    assert QuarantinedMessage.objects.count() == (0 if removed else 2)
    assert (report.quarantined, report.increments, counts(PageTotals)) == (2, 1, {page.pk: 1})
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert sent.id in caplog.text
    assert "garbage" not in caplog.text


def test_nothing_makes_no_query(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        put_nothing = quarantine.put("default", [], timezone.now())
    assert put_nothing is None
