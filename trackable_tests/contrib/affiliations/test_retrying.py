"""What a person has tried again is due at once, and is still called by one worker at a time."""

from __future__ import annotations

import threading
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from trackable.contrib.affiliations import delivery
from trackable.contrib.affiliations.delivery import (
    LEASE_MARGIN_SECONDS,
    deliver,
)
from trackable.contrib.affiliations.erasure import erase_visitor
from trackable.contrib.affiliations.models import Attempt, Callback
from trackable.contrib.affiliations.sending import Answer
from trackable_tests.bounds.databases import servers
from trackable_tests.bounds.threads import in_threads
from trackable_tests.contrib.affiliations.owing import (
    State,
    attempts_of,
    fresh,
    owe,
)
from trackable_tests.contrib.affiliations.partner_site import (
    PartnerSite,
    answer,
    hang_until,
)

pytestmark = pytest.mark.django_db

LEASE_SECONDS = 5 + LEASE_MARGIN_SECONDS
PATIENCE_SECONDS = 30


def test_what_was_given_up_is_tried_again_with_all_its_attempts(
    partner_site: PartnerSite,
) -> None:
    failed = owe(partner_site.url(), state=State.FAILED, attempts_made=12)
    refused = owe("http://10.0.0.1/", state=State.REFUSED, attempts_made=1)
    assert delivery.retry(Callback.objects.all()) == 2
    assert {fresh(each).attempts_made for each in (failed, refused)} == {0}
    deliver(failed.pk)
    assert fresh(failed).state == State.DELIVERED
    assert fresh(refused).state == State.PENDING


def test_what_waits_is_tried_at_once_and_keeps_its_number(partner_site: PartnerSite) -> None:
    later = timezone.now() + timedelta(hours=6)
    callback = owe(partner_site.url(), due_at=later, attempts_made=9)
    assert delivery.retry(Callback.objects.all()) == 1
    deliver(callback.pk)
    assert (fresh(callback).state, fresh(callback).attempts_made) == (State.DELIVERED, 10)


def test_what_is_being_called_is_left_until_its_lease_has_ended() -> None:
    callback = owe("http://partner.example/")
    assert delivery.claim(callback.pk, using="default") is not None
    assert delivery.retry(Callback.objects.all()) == 0
    assert delivery.claim(callback.pk, using="default") is None
    ended = timezone.now() - timedelta(seconds=LEASE_SECONDS)
    Attempt.objects.filter(callback=callback).update(made_at=ended)
    assert delivery.retry(Callback.objects.all()) == 1
    assert delivery.claim(callback.pk, using="default") is not None


@servers
@pytest.mark.django_db(transaction=True)
def test_what_is_tried_again_while_it_is_being_called_is_called_once(
    partner_site: PartnerSite,
) -> None:
    tried_again = threading.Event()
    partner_site.will(hang_until(tried_again, answer(500)))
    callback = owe(partner_site.url())

    def try_again() -> tuple[int, Answer | None]:
        assert partner_site.arrived.wait(PATIENCE_SECONDS)
        try:
            return delivery.retry(Callback.objects.all()), deliver(callback.pk)
        finally:
            tried_again.set()

    _, found = in_threads(partial(deliver, callback.pk), try_again)
    assert found == (0, None)
    assert (len(partner_site.requests), fresh(callback).attempts_made) == (1, 1)


@servers
@pytest.mark.django_db(transaction=True)
def test_workers_and_people_at_once_call_once_an_attempt(partner_site: PartnerSite) -> None:
    partner_site.will(answer(500))
    callbacks = [owe(partner_site.url(f"/?v={number}")) for number in range(5)]

    def work() -> None:
        for callback in callbacks * 2:
            deliver(callback.pk)

    in_threads(work, work, work, lambda: delivery.retry(Callback.objects.all()))
    for number, callback in enumerate(callbacks):
        calls = [request for request in partner_site.requests if request.target == f"/?v={number}"]
        assert len(calls) == fresh(callback).attempts_made == len(attempts_of(callback)) <= 2


def test_what_waits_for_its_next_attempt_is_not_being_called() -> None:
    callback = owe("http://partner.example/")
    found = delivery.claim(callback.pk, using="default")
    assert found is not None
    delivery.record(found, Answer(status=503, error="it answered 503"))
    assert delivery.retry(Callback.objects.all()) == 1


def test_what_is_delivered_or_erased_is_not_tried_again() -> None:
    owe("http://partner.example/", state=State.DELIVERED)
    erase_visitor(owe("http://partner.example/").visitor_id)
    assert delivery.retry(Callback.objects.all()) == 0
    assert not delivery.due("default").exists()


def test_retry_is_announced_after_the_commit(
    monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(delivery, "announce", lambda pk, using: told.append((pk, using)))
    callback = owe("http://partner.example/", state=State.FAILED)
    with django_capture_on_commit_callbacks(execute=True):
        delivery.retry(Callback.objects.all())
        assert told == []
    assert told == [(callback.pk, "default")]
