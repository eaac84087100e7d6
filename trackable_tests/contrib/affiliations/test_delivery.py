"""Callbacks are delivered at least once, by one worker at a time, whoever dies or answers badly."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from trackable.contrib.affiliations import delivery
from trackable.contrib.affiliations.delivery import (
    EXHAUSTED,
    INACTIVE,
    LEASE_MARGIN_SECONDS,
    UNENDED,
    deliver,
)
from trackable.contrib.affiliations.erasure import erase_visitor
from trackable.contrib.affiliations.models import Attempt, Callback, Partner
from trackable.contrib.affiliations.sending import Answer
from trackable.folding import engine
from trackable_tests.bounds.threads import in_threads
from trackable_tests.contrib.affiliations.owing import (
    State,
    attempts_of,
    fresh,
    let_it_be_due,
    let_pass,
    owe,
    wait_seconds,
)
from trackable_tests.contrib.affiliations.partner_site import (
    PartnerSite,
    answer,
    hang,
)
from trackable_tests.tables import for_each

pytestmark = pytest.mark.django_db

LEASE_SECONDS = 5 + LEASE_MARGIN_SECONDS
PATIENCE_SECONDS = 30


# what an answer leads to


def test_callback_is_delivered_once(partner_site: PartnerSite) -> None:
    callback = owe(partner_site.url("/?v=7"))
    assert deliver(callback.pk) is not None
    found = fresh(callback)
    assert (found.state, found.attempts_made) == (State.DELIVERED, 1)
    assert found.delivered_at is not None
    assert attempts_of(callback) == [(204, "")]
    assert deliver(callback.pk) is None
    assert len(partner_site.requests) == 1


@for_each("status", [302, 400, 404, 408, 429, 500, 503])
def test_failure_is_tried_again_after_a_minute_or_so(
    partner_site: PartnerSite, status: int
) -> None:
    partner_site.will(answer(status))
    callback = owe(partner_site.url())
    deliver(callback.pk)
    assert fresh(callback).state == State.PENDING
    assert 40 < wait_seconds(callback) < 80
    assert attempts_of(callback)[0][0] == status


def test_attempts_have_one_key_and_end_with_a_success(partner_site: PartnerSite) -> None:
    partner_site.will(answer(500), answer(503), answer(200))
    callback = owe(partner_site.url())
    for _ in range(3):
        let_it_be_due(callback)
        deliver(callback.pk)
    assert [status for status, _ in attempts_of(callback)] == [500, 503, 200]
    assert fresh(callback).state == State.DELIVERED
    keys = {request.headers["Idempotency-Key"] for request in partner_site.requests}
    assert keys == {str(callback.key)}


def test_callback_is_not_tried_before_it_is_due(partner_site: PartnerSite) -> None:
    callback = owe(partner_site.url(), due_at=timezone.now() + timedelta(seconds=60))
    assert deliver(callback.pk) is None
    assert partner_site.requests == []


def test_callback_is_given_up_after_so_many_attempts(
    partner_site: PartnerSite, settings: Any
) -> None:
    settings.AFFILIATE_CALLBACK_ATTEMPTS = 3
    partner_site.will(answer(500))
    callback = owe(partner_site.url())
    states = []
    for _ in range(4):
        let_it_be_due(callback)
        deliver(callback.pk)
        states.append(fresh(callback).state)
    assert states == [State.PENDING, State.PENDING, State.FAILED, State.FAILED]
    assert len(partner_site.requests) == 3


def test_partner_that_is_gone_is_not_called_again(partner_site: PartnerSite) -> None:
    partner_site.will(answer(410))
    callback = owe(partner_site.url())
    deliver(callback.pk)
    assert fresh(callback).state == State.FAILED


def test_partner_that_asks_for_time_gets_it(partner_site: PartnerSite) -> None:
    partner_site.will(answer(503, "Retry-After: 3600"))
    callback = owe(partner_site.url())
    deliver(callback.pk)
    assert 3500 < wait_seconds(callback) <= 3600


@for_each(
    "url", ["http://169.254.169.254/latest/?v=7", "http://[::1]/", "ftp://partner.example/", ""]
)
def test_forbidden_address_is_refused_for_good(url: str) -> None:
    callback = owe(url)
    found = deliver(callback.pk)
    assert found is not None
    assert found.is_refused
    assert fresh(callback).state == State.REFUSED
    assert attempts_of(callback) == [(None, found.error)]
    assert deliver(callback.pk) is None


def test_partner_that_is_not_active_is_not_called(partner_site: PartnerSite) -> None:
    callback = owe(partner_site.url())
    Partner.objects.update(active=False)
    assert deliver(callback.pk) is None
    assert (fresh(callback).state, attempts_of(callback)) == (State.FAILED, [(None, INACTIVE)])
    assert partner_site.requests == []


def test_visitor_that_is_erased_meanwhile_stays_erased() -> None:
    callback = owe("http://partner.example/")
    found = delivery.claim(callback.pk, using="default")
    erase_visitor(callback.visitor_id)
    delivery.record(found, Answer(status=500, error="it answered 500"))
    assert (fresh(callback).state, attempts_of(callback)) == (State.FAILED, [])
    assert deliver(callback.pk) is None


def test_what_is_not_there_any_more_is_no_error() -> None:
    assert deliver(999_999) is None


def test_one_line_is_logged_without_what_is_sent(
    partner_site: PartnerSite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    callback = owe(partner_site.url("/secret?v=7"))
    deliver(callback.pk)
    assert f"Callback {callback.pk}, attempt 1: delivered" in caplog.text
    assert "secret" not in caplog.text
    assert callback.visitor.partner.secret not in caplog.text


# who dies, and who comes too


def test_claim_keeps_others_away_until_its_lease_ends(partner_site: PartnerSite) -> None:
    callback = owe(partner_site.url())
    assert delivery.claim(callback.pk, using="default") is not None
    assert delivery.claim(callback.pk, using="default") is None
    let_pass(callback, LEASE_SECONDS - 10)
    assert deliver(callback.pk) is None
    let_pass(callback, 10)
    assert deliver(callback.pk) is not None
    assert attempts_of(callback) == [(None, UNENDED), (204, "")]


def test_worker_that_was_overtaken_changes_nothing_but_its_attempt() -> None:
    callback = owe("http://partner.example/")
    late = delivery.claim(callback.pk, using="default")
    let_it_be_due(callback)
    other = delivery.claim(callback.pk, using="default")
    assert (late is not None, other is not None) == (True, True)
    delivery.record(other, Answer(status=200))
    delivery.record(late, Answer(status=503, error="it answered 503"))
    assert fresh(callback).state == State.DELIVERED
    assert attempts_of(callback) == [(503, "it answered 503"), (200, "")]


def test_late_failure_does_not_end_the_lease_of_another_worker() -> None:
    callback = owe("http://partner.example/")
    late = delivery.claim(callback.pk, using="default")
    let_it_be_due(callback)
    delivery.claim(callback.pk, using="default")
    before = fresh(callback).due_at
    delivery.record(late, Answer(is_refused=True))
    assert (fresh(callback).state, fresh(callback).due_at) == (State.PENDING, before)


def test_workers_that_die_of_a_callback_are_no_endless_row(settings: Any) -> None:
    settings.AFFILIATE_CALLBACK_ATTEMPTS = 2
    callback = owe("http://partner.example/")
    for _ in range(2):
        assert delivery.claim(callback.pk, using="default") is not None
        let_it_be_due(callback)
    assert delivery.claim(callback.pk, using="default") is None
    assert fresh(callback).state == State.FAILED
    assert attempts_of(callback)[-1] == (None, EXHAUSTED)


class RefusedOnce:
    """Stands for the attempts in a database that has a deadlock once."""

    def __init__(self) -> None:
        self.tries = 0

    @property
    def _base_manager(self) -> Any:
        self.tries += 1
        if self.tries == 1:
            raise OperationalError("deadlock")
        return Attempt._base_manager


@pytest.mark.django_db(transaction=True)
def test_success_is_written_though_the_database_refuses_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.0)
    callback = owe("http://partner.example/")
    found = delivery.claim(callback.pk, using="default")
    monkeypatch.setattr(delivery, "Attempt", RefusedOnce())
    delivery.record(found, Answer(status=200))
    assert (fresh(callback).state, attempts_of(callback)) == (State.DELIVERED, [(200, "")])


@pytest.mark.django_db(transaction=True)
def test_only_one_of_two_workers_calls(
    partner_site: PartnerSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_have_read = threading.Barrier(2, timeout=PATIENCE_SECONDS)
    real = delivery._obstacle

    def obstacle(callback: Callback) -> str:
        both_have_read.wait()
        return real(callback)

    monkeypatch.setattr(delivery, "_obstacle", obstacle)
    callback = owe(partner_site.url())
    found = in_threads(*[partial(deliver, callback.pk)] * 2)
    assert sorted(answer is not None for answer in found) == [False, True]
    assert (len(partner_site.requests), fresh(callback).attempts_made) == (1, 1)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_worker_that_is_killed_in_a_call_is_followed_by_another(
    partner_site: PartnerSite, child_environment: Callable[..., dict[str, str]]
) -> None:
    partner_site.will(hang, answer(204))
    callback = owe(partner_site.url())
    worker = subprocess.Popen(
        [sys.executable, "-m", "django", "deliver_affiliate_callbacks"],
        env=child_environment(
            AFFILIATE_CALLBACK_ALLOW_PRIVATE=True, AFFILIATE_CALLBACK_TIMEOUT=PATIENCE_SECONDS
        ),
    )
    try:
        assert partner_site.arrived.wait(PATIENCE_SECONDS)
    finally:
        worker.kill()
        worker.wait()
    assert attempts_of(callback) == [(None, UNENDED)]
    assert 30 < wait_seconds(callback) <= PATIENCE_SECONDS + LEASE_MARGIN_SECONDS
    assert deliver(callback.pk) is None
    let_pass(callback, PATIENCE_SECONDS + LEASE_MARGIN_SECONDS)
    assert deliver(callback.pk) is not None
    assert (fresh(callback).state, fresh(callback).attempts_made) == (State.DELIVERED, 2)
    keys = [request.headers["Idempotency-Key"] for request in partner_site.requests]
    assert keys == [str(callback.key)] * 2
