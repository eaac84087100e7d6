"""What tests of delivery share: partners who are owed calls, and how a call stands."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from trackable.contrib.affiliations.models import Attempt, Callback, Partner, Visitor

State = Callback.State
TRIGGER = "Registered"


def owe(url: str, *, partner: Partner | None = None, **values: Any) -> Callback:
    """Owe an active partner a call of a URL, which is due now."""
    if partner is None:
        partner = Partner.objects.create(name="Harbour", active=True)
    visitor = Visitor.objects.create(partner=partner)
    return Callback.objects.create(visitor=visitor, trigger=TRIGGER, url=url, **values)


def fresh(callback: Callback) -> Callback:
    return Callback.objects.select_related("visitor__partner").get(pk=callback.pk)


def let_pass(callback: Callback, seconds: float) -> None:
    """Have so much time go by for a callback."""
    found = fresh(callback)
    due_at = found.due_at - timedelta(seconds=seconds)
    Callback.objects.filter(pk=found.pk).update(due_at=due_at)


def let_it_be_due(callback: Callback) -> None:
    Callback.objects.filter(pk=callback.pk).update(due_at=timezone.now())


def wait_seconds(callback: Callback) -> float:
    """Return how long it is until a callback is due."""
    return (fresh(callback).due_at - timezone.now()).total_seconds()


def attempts_of(callback: Callback) -> list[tuple[int | None, str]]:
    found = Attempt.objects.filter(callback=callback)
    return [(attempt.status_code, attempt.error) for attempt in found]
