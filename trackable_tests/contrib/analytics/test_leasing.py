"""Leasing: what one process delivers no other tells, and nothing is lost between them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from trackable.contrib.analytics.forwarding import delivery, leasing
from trackable.contrib.analytics.forwarding.delivery import ForwardReport, forward
from trackable.contrib.analytics.forwarding.leasing import Waiting
from trackable.contrib.analytics.models import ForwardedAmount
from trackable_tests.bounds.threads import in_threads
from trackable_tests.contrib.analytics.collector import Collector

pytestmark = pytest.mark.django_db

Use = Callable[..., None]


@pytest.fixture(autouse=True)
def service(use: Use) -> None:
    use("matomo", debug=False)


def note(*amounts: int, object_id: str = "1") -> None:
    now = timezone.now()
    what = {"service": "matomo", "data_class": "shop.Data", "counter": "views", "model": "shop.P"}
    for amount in amounts:
        ForwardedAmount.objects.create(
            **what, object_id=object_id, amount=str(amount), folded_at=now, due_at=now
        )


def waiting() -> Waiting:
    return Waiting("default", "matomo", by=timezone.now())


def in_an_hour() -> Any:
    return timezone.now() + timedelta(hours=1)


def told(collector: Collector) -> dict[str, list[int]]:
    """Return the values that arrived, by object."""
    from urllib.parse import parse_qs

    found: dict[str, list[int]] = {}
    for received in collector.received:
        for each in received.json["requests"]:
            query = parse_qs(each.removeprefix("?"))
            found.setdefault(query["e_n"][0], []).append(int(query["e_v"][0]))
    return found


def test_what_another_process_has_leased_is_left_to_it(collector: Collector) -> None:
    note(3)
    assert len(waiting().lease(50, until=in_an_hour())) == 1
    assert forward() == ForwardReport()
    ForwardedAmount.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert forward() == ForwardReport(taken=1)


def test_who_comes_back_after_the_lease_removes_nothing_of_another() -> None:
    note(1)
    late = waiting().lease(50, until=timezone.now())
    note(2)
    waiting().merge()
    [leased] = waiting().lease(50, until=in_an_hour())
    waiting().remove(late)
    waiting().put_off(late, lambda tries: timedelta(days=9))
    left = ForwardedAmount.objects.get()
    assert (left.amount, left.due_at) == ("3", leased.due_at)


def test_many_amounts_are_merged_in_small_transactions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leasing, "ROWS_AT_A_TIME", 4)
    monkeypatch.setattr(leasing, "MAX_COMPARED", 7)
    for number in range(3):
        note(*range(1, 11), object_id=str(number))
    waiting().merge()
    assert list(ForwardedAmount.objects.values_list("amount", flat=True)) == ["55"] * 3


def test_requests_end_before_the_lease(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    note(1)
    monkeypatch.setattr(delivery, "LEASE_SECONDS", 0.0)
    assert forward() == ForwardReport(later=1)
    assert collector.received == []
    assert ForwardedAmount.objects.get().tries == 0


@pytest.mark.django_db(transaction=True)
def test_deliverers_at_once_tell_each_amount_once(
    collector: Collector, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leasing, "ROWS_AT_A_TIME", 5)
    use("matomo", debug=False, options={"max_bulk": 2})
    for number in range(8):
        note(1, 2, 3, object_id=str(number))
    reports = in_threads(*[forward] * 3)
    assert {name: sum(values) for name, values in told(collector).items()} == {
        f"shop.P {number}": 6 for number in range(8)
    }
    assert sum(report.later + report.dropped for report in reports) == 0
    assert not ForwardedAmount.objects.exists()
