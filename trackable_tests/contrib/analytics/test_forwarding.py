"""Forwarding: services are told of exactly what folds have added to counters."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from trackable.contrib.analytics import checks
from trackable.contrib.analytics.forwarding import declared, delivery
from trackable.contrib.analytics.forwarding.delivery import ForwardReport, forward, hit_of
from trackable.contrib.analytics.models import ForwardedAmount
from trackable.folding import engine
from trackable.folding.engine import fold
from trackable_tests.contrib.analytics.collector import Collector
from trackable_tests.counting import a_page, batch, entry, total
from trackable_tests.tables import for_each
from trackable_tests.testapp.models import PageData, PageTotals

pytestmark = pytest.mark.django_db

TOTALS = "testapp.PageTotals"
Use = Callable[..., None]


@pytest.fixture(autouse=True)
def forwarding(settings: Any, use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    """Views of pages are forwarded to Matomo's collector."""
    use("matomo", debug=False)
    settings.TRACKABLE_FORWARD = {f"{TOTALS}.views": {"category": "Pages", "action": "viewed"}}
    declared.forget()
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.0)


def events(collector: Collector) -> list[dict[str, str]]:
    """Return the events that arrived, alone or in bulk."""
    found: list[dict[str, str]] = []
    for received in collector.received:
        requests = received.json["requests"] if received.body[:1] == b"{" else [None]
        for each in requests:
            query = received.parameters if each is None else dict(_pairs(each))
            found.append({name: query[name] for name in ("e_c", "e_a", "e_n", "e_v")})
    return found


def _pairs(query: str) -> list[tuple[str, str]]:
    from urllib.parse import parse_qsl

    return parse_qsl(query.removeprefix("?"))


def test_a_service_is_told_of_what_was_added(collector: Collector) -> None:
    page = a_page()
    group = [batch(PageTotals, entry(page, amount=5)), batch(PageTotals, entry(page))]
    fold(TOTALS, group)
    fold(TOTALS, group)
    assert forward() == ForwardReport(taken=1)
    label = f"testapp.Page {page.pk}"
    assert events(collector) == [{"e_c": "Pages", "e_a": "viewed", "e_n": label, "e_v": "6"}]
    assert not ForwardedAmount.objects.exists()
    assert forward() == ForwardReport()


def test_counters_that_are_not_named_are_not_told_of(collector: Collector) -> None:
    fold("testapp.PageData", [batch(PageData, entry(a_page(), period="2026-11-21"))])
    assert forward() == ForwardReport()
    assert collector.received == []


def test_what_is_rolled_back_is_not_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    page = a_page()

    def fail(*_: Any) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(engine.quarantine, "put", fail)
    with pytest.raises(OperationalError):
        fold(TOTALS, [batch(PageTotals, entry(page))])
    assert total(PageTotals) == 0
    assert not ForwardedAmount.objects.exists()


def test_a_service_that_fails_is_told_later(collector: Collector) -> None:
    fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    collector.answer_with(503)
    assert forward() == ForwardReport(later=1)
    waiting = ForwardedAmount.objects.get()
    assert waiting.tries == 1
    assert waiting.due_at > timezone.now()
    assert forward() == ForwardReport()
    collector.answer_with(204)
    ForwardedAmount.objects.update(due_at=timezone.now())
    assert forward() == ForwardReport(taken=1)
    assert len(collector.received) == 2


def test_what_may_have_been_counted_is_not_told_again(
    collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    collector.hangs_up = True
    assert forward() == ForwardReport(dropped=1)
    assert not ForwardedAmount.objects.exists()
    assert "1 amounts are not told to 'matomo'" in caplog.text


@for_each("name", ["ga4", "matomo", "plausible", "universal"])
def test_each_service_is_told(use: Use, collector: Collector, name: str) -> None:
    use(name, debug=False)
    fold(TOTALS, [batch(PageTotals, entry(a_page(), amount=7))])
    assert forward() == ForwardReport(taken=1)
    received = collector.received.pop()
    assert ("7" in received.body.decode(), collector.received) == (True, [])


@for_each(
    "name, status",
    [("ga4", 401), ("ga4", 429), ("matomo", 401), ("matomo", 429), ("matomo", 503)],
)
def test_a_service_that_says_no_is_told_later(
    use: Use, collector: Collector, name: str, status: int
) -> None:
    use(name, debug=False)
    fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    collector.answer_with(status)
    assert forward() == ForwardReport(later=1)
    assert ForwardedAmount.objects.count() == 1


@pytest.mark.parametrize("name", ["ga4", "matomo"])
def test_what_a_service_may_have_counted_before_it_failed_is_not_told_again(
    use: Use, collector: Collector, name: str
) -> None:
    use(name, debug=False)
    fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    collector.answer_with(500)
    assert forward() == ForwardReport(dropped=1)


def test_a_service_that_only_looks_gets_nothing(use: Use, collector: Collector) -> None:
    use("matomo", debug=True)
    fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    assert forward() == ForwardReport()
    assert collector.received == []
    assert ForwardedAmount.objects.count() == 1


def test_what_waited_too_long_for_a_service_is_told_as_of_now(
    use: Use, collector: Collector
) -> None:
    use("ga4", debug=False)
    fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    ForwardedAmount.objects.update(folded_at=timezone.now() - timedelta(days=5))
    assert forward() == ForwardReport(taken=1)
    assert len(collector.received) == 1


def test_an_amount_that_cannot_be_told_does_not_stop_others(collector: Collector) -> None:
    fold(TOTALS, [batch(PageTotals, entry(a_page("a")), entry(a_page("b")))])
    first = ForwardedAmount.objects.first()
    ForwardedAmount.objects.filter(pk=first.pk).update(amount="nonsense")
    assert forward() == ForwardReport(taken=1, dropped=1)
    assert not ForwardedAmount.objects.exists()


def test_a_number_too_long_for_json_is_told_in_words() -> None:
    noted = ForwardedAmount(
        data_class=TOTALS, counter="views", amount=str(2**60), folded_at=timezone.now()
    )
    hit = hit_of(noted)
    assert "value" not in hit.values
    assert hit.properties["amount"] == str(2**60)


def test_what_nobody_takes_is_given_up_at_last(collector: Collector) -> None:
    fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    long_ago = timezone.now() - delivery.MAX_AGE - timedelta(days=1)
    ForwardedAmount.objects.update(service="gone", folded_at=long_ago)
    assert forward() == ForwardReport(dropped=1)
    assert collector.received == []


def test_many_amounts_go_in_bulk(collector: Collector) -> None:
    pages = [a_page(f"page-{number}") for number in range(30)]
    fold(TOTALS, [batch(PageTotals, *(entry(page) for page in pages))])
    assert forward() == ForwardReport(taken=30)
    assert len(collector.received) < 10
    assert len(events(collector)) == 30


def test_the_pause_grows_up_to_a_bound() -> None:
    asked = timedelta(0)
    assert delivery._pause(asked, 1) == delivery.FIRST_PAUSE
    assert delivery._pause(asked, 500) == delivery.LONGEST_PAUSE
    assert delivery._pause(timedelta(hours=7), 1) == timedelta(hours=7)


def test_what_several_folds_have_added_is_told_as_one(collector: Collector) -> None:
    pages = [a_page(name) for name in ("a", "b")]
    for amount in (5, 3, -2):
        fold(TOTALS, [batch(PageTotals, *(entry(page, amount=amount) for page in pages))])
    assert ForwardedAmount.objects.count() == 6
    assert forward() == ForwardReport(taken=2)
    assert [event["e_v"] for event in events(collector)] == ["6", "6"]
    assert total(PageTotals) == 12
    assert not ForwardedAmount.objects.exists()


@for_each(
    "amount, value",
    [("3", 3), ("-2", -2), ("2.50", 2.5), ("0.1", 0.1), ("1e3", 1000), (str(Decimal("7.00")), 7)],
)
def test_an_amount_is_told_as_the_number_it_is(amount: str, value: float) -> None:
    now = timezone.now()
    noted = ForwardedAmount(data_class=TOTALS, counter="views", amount=amount, folded_at=now)
    hit = hit_of(noted)
    assert hit.values["value"] == value
    assert hit.happened_at == now


def test_the_command_tells_what_it_did(collector: Collector) -> None:
    fold(TOTALS, [batch(PageTotals, entry(a_page()))])
    out = io.StringIO()
    call_command("forward_trackable_counts", stdout=out)
    assert out.getvalue() == "Forwarded 1, to be tried again 0, given up 0\n"


@for_each(
    "key, entry, found",
    [
        (f"{TOTALS}.views", {}, []),
        (f"{TOTALS}.views", {"services": ["matomo"]}, []),
        (f"{TOTALS}.nothing", {}, ["E008"]),
        ("testapp.Page.title", {}, ["E008"]),
        ("views", {}, ["E008"]),
        (f"{TOTALS}.views", {"service": "matomo"}, ["E009"]),
        (f"{TOTALS}.views", "matomo", ["E009"]),
        (f"{TOTALS}.views", {"services": "matomo"}, []),
        (f"{TOTALS}.views", {"services": 5}, ["E009"]),
        (f"{TOTALS}.views", {"services": ["nobody"]}, ["E010"]),
    ],
)
def test_wrong_entries_are_found(settings: Any, key: str, entry: Any, found: list[str]) -> None:
    settings.TRACKABLE_FORWARD = {key: entry}
    ids = [message.id for message in checks.check_analytics()]
    assert ids == [f"trackable_analytics.{each}" for each in found]
