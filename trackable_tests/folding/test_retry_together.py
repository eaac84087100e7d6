"""Retries and folds at the same time count each message once."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections, transaction

from trackable.folding import retry as retrying
from trackable.folding.engine import fold
from trackable.folding.retry import RetryReport
from trackable_tests.bounds.databases import blocked
from trackable_tests.bounds.threads import in_threads
from trackable_tests.counting import a_page, batch, counts, entry, total
from trackable_tests.faults.waiting import until
from trackable_tests.folding.aside import again, appear, messages, set_aside
from trackable_tests.testapp.models import Page, PageParentTotals, PageTotals

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pause")]
committing = pytest.mark.django_db(transaction=True)

TOTALS = "testapp.PageTotals"
PARENTS = "testapp.PageParentTotals"


@committing
def test_retries_at_the_same_time_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "MAX_MESSAGES", 7)
    pages = [a_page(slug) for slug in "abc"]
    bad = [entry(page, "likes") for page in pages]
    set_aside(*(batch(PageTotals, *map(entry, pages), *bad) for _ in range(40)))
    reports = in_threads(*[again] * 4)
    assert counts(PageTotals) == {page.pk: 40 for page in pages}
    assert sum(report.increments for report in reports) == 120
    assert (messages().count(), sum(messages().values_list("increments", flat=True))) == (40, 120)


@committing
def test_folds_go_on_beside_a_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "MAX_MESSAGES", 3)
    pages = [a_page(slug) for slug in "abcdef"]
    set_aside(*(batch(PageTotals, *map(entry, reversed(pages))) for _ in range(20)))

    def fold_some() -> None:
        for _ in range(20):
            fold(TOTALS, [batch(PageTotals, *map(entry, pages), entry(pages[0], "likes"))])

    in_threads(again, again, fold_some)
    again()
    assert counts(PageTotals) == {page.pk: 40 for page in pages}
    assert messages().count() == 20


@pytest.mark.vendor("postgresql")
@committing
def test_a_retry_that_waited_for_another_does_not_count_what_that_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It sees what the other has committed, and another may have counted that by then."""
    fold(PARENTS, [batch(PageParentTotals, entry(Page(pk=7)))])
    keys = list(messages().values_list("pk", flat=True))
    read = threading.Event()
    go_on = threading.Event()
    real_lock = retrying._Retry._lock

    def lock(self: Any, keys: Any) -> Any:
        found = real_lock(self, keys)
        if threading.current_thread().name == "second":
            read.set()
            assert go_on.wait(20)
        return found

    def run() -> None:
        try:
            reports.append(again())
        finally:
            connections.close_all()

    reports: list[RetryReport] = []
    monkeypatch.setattr(retrying._Retry, "_lock", lock)
    second, third = (threading.Thread(target=run, name=name) for name in ("second", "third"))
    with transaction.atomic():
        # What the first does: lock the message, and put it back as a new row of the same key.
        [kept] = real_lock(retrying._Retry("default", False), keys)
        second.start()
        until(blocked)
        messages().filter(pk=kept.pk).delete()
        kept.save(force_insert=True)
    assert read.wait(20)
    appear(7)
    third.start()
    until(lambda: blocked() or not third.is_alive())
    go_on.set()
    second.join()
    third.join()
    assert sum(each.increments for each in reports) == 1
    assert (total(PageParentTotals), messages().count()) == (1, 0)
