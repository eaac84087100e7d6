"""A retry takes messages in portions: only so many, only those named, none that came meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from trackable import conf
from trackable.folding import retry as retrying
from trackable.folding.retry import RetryReport, retry
from trackable.journal import tally
from trackable_tests.counting import a_page, batch, entry, reasons, total
from trackable_tests.folding.aside import again, messages, set_aside
from trackable_tests.testapp.models import Page, PageTotals

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("no_pause")]


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "MAX_MESSAGES", 3)


def test_a_transaction_takes_only_so_many(small_portions: None) -> None:
    page = a_page()
    set_aside(*(batch(PageTotals, entry(page)) for _ in range(7)))
    seen: list[int] = []
    assert again(progress=lambda report: seen.append(report.folded)).folded == 7
    assert seen == [3, 6, 7]


def test_a_transaction_takes_only_so_much(monkeypatch: pytest.MonkeyPatch) -> None:
    page = a_page()
    set_aside(*(batch(PageTotals, entry(page)) for _ in range(4)))
    length = len(messages()[0].payload)
    monkeypatch.setattr(retrying, "MAX_LENGTH", 2 * length)
    seen: list[int] = []
    again(progress=lambda report: seen.append(report.folded))
    assert seen == [2, 4]
    monkeypatch.setattr(retrying, "MAX_LENGTH", 1)
    set_aside(*(batch(PageTotals, entry(page)) for _ in range(2)))
    assert again(progress=lambda report: seen.append(report.folded)).folded == 2
    assert seen == [2, 4, 1, 2]


def test_what_is_set_aside_meanwhile_is_not_taken(small_portions: None) -> None:
    bad = [entry(Page(pk=7), "likes"), entry(Page(pk=7), "loves")]
    set_aside(*(batch(PageTotals, *bad) for _ in range(3)))
    late = [batch(PageTotals, entry(Page(pk=7)))]
    report = again(progress=lambda _: set_aside(*(late.pop() for _ in list(late))))
    assert report == RetryReport(returned=3)
    assert (len(reasons()), total(PageTotals)) == (7, 0)


def test_the_queries_do_not_grow_with_the_messages(django_assert_max_num_queries: Any) -> None:
    page = a_page()
    set_aside(*(batch(PageTotals, entry(page, period="")) for _ in range(100)))
    with django_assert_max_num_queries(20):
        assert again().folded == 100
    assert total(PageTotals) == 100


def test_only_the_messages_that_are_named_are_tried() -> None:
    page = a_page()
    set_aside(batch(PageTotals, entry(page)), batch(PageTotals, entry(page)))
    chosen = messages().filter(pk=messages()[1].pk).defer("payload").order_by("-quarantined_at")
    assert retry("default", chosen).folded == 1
    assert messages().count() == 1


def test_what_somebody_removes_in_between_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    page = a_page()
    set_aside(*(batch(PageTotals, entry(page)) for _ in range(3)))
    real = retrying._Retry._lock

    def lock(self: Any, keys: Any) -> Any:
        messages().filter(pk=keys[1]).delete()
        return real(self, keys)

    monkeypatch.setattr(retrying._Retry, "_lock", lock)
    assert again() == RetryReport(increments=2, folded=2, gone=1)
    assert total(PageTotals) == 2


def test_the_tally_tells_what_a_retry_has_counted() -> None:
    conf.journal_dir().mkdir(parents=True)
    set_aside(batch(PageTotals, entry(a_page(), hits=3)))
    again()
    assert tally.read(conf.journal_dir())["folded"] == 3
