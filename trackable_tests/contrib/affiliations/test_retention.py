"""Calls that are done and visitors who do not count go when they are old; totals stay."""

from __future__ import annotations

import signal
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import OperationalError, transaction
from django.utils import timezone

from trackable.contrib.affiliations import delivery, retention
from trackable.contrib.affiliations.models import Attempt, Callback, Partner, PartnerData, Visitor
from trackable.contrib.affiliations.retention import PurgeReport, purge
from trackable.folding import engine
from trackable_tests.bounds.databases import servers
from trackable_tests.bounds.threads import in_threads
from trackable_tests.commands.running import run
from trackable_tests.contrib.affiliations.owing import State, owe

pytestmark = pytest.mark.django_db

NOW = timezone.now()
BEFORE = NOW - timedelta(days=90)
OLD = BEFORE - timedelta(days=1)
NEW = BEFORE + timedelta(days=1)
DONE = (State.DELIVERED, State.FAILED, State.REFUSED)


@pytest.fixture
def partner() -> Partner:
    return Partner.objects.create(name="Harbour", active=True)


def old_call(partner: Partner, **values: Any) -> Callback:
    """Make a call of an old visitor, with an attempt; as old as the visitor, unless said."""
    given = {"state": State.DELIVERED, "created_at": OLD, **values}
    callback = owe("https://partner.example/?v=7", partner=partner, **given)
    Visitor.objects.filter(pk=callback.visitor_id).update(referred_on=OLD, successful_on=OLD)
    Attempt.objects.create(callback=callback, made_at=OLD)
    return callback


def test_calls_that_are_done_go_with_their_attempts_and_visitors(partner: Partner) -> None:
    PartnerData.objects.create(parent=partner, collected_during=OLD.date(), conversions=3)
    for state in DONE:
        old_call(partner, state=state)
    Visitor.objects.create(partner=partner, referred_on=OLD)
    told = purge(BEFORE, dry_run=True)
    assert Visitor.objects.count() == 4
    assert purge(BEFORE) == told == PurgeReport(callbacks=3, attempts=3, visitors=4)
    assert not Callback.objects.exists()
    assert not Visitor.objects.exists()
    assert PartnerData.objects.get().conversions == 3
    assert purge(BEFORE) == PurgeReport()


def test_what_is_owed_and_what_is_younger_stays_with_its_visitor(partner: Partner) -> None:
    owed = old_call(partner, state=State.PENDING)
    young = old_call(partner, created_at=NEW)
    old_call(partner)
    late = Visitor.objects.create(partner=partner, referred_on=OLD, successful_on=NEW)
    Visitor.objects.create(partner=partner, referred_on=NEW)
    told = purge(BEFORE, dry_run=True)
    assert purge(BEFORE) == told == PurgeReport(callbacks=1, attempts=1, visitors=1)
    assert set(Callback.objects.all()) == {owed, young}
    assert Visitor.objects.filter(pk=late.pk).exists()
    assert Visitor.objects.count() == 4


def test_who_counts_still_stays_and_is_not_called_a_second_time(
    partner: Partner, settings: Any
) -> None:
    settings.AFFILIATE_ATTRIBUTION_WINDOW = timedelta(days=365).total_seconds()
    old_call(partner)
    assert purge(BEFORE, dry_run=True) == purge(BEFORE) == PurgeReport()
    settings.AFFILIATE_ATTRIBUTION_WINDOW = None
    assert purge(BEFORE) == PurgeReport(callbacks=1, attempts=1, visitors=1)


def test_batches_go_oldest_first_and_an_interrupted_purge_is_gone_on_with(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_A_TIME", 2)
    for hours in range(5):
        old_call(partner, created_at=OLD - timedelta(hours=hours))

    class Enough(Exception):
        pass

    def stop(so_far: PurgeReport) -> None:
        if so_far.callbacks == 4:
            raise Enough

    with pytest.raises(Enough):
        purge(BEFORE, progress=stop)
    assert [each.created_at for each in Callback.objects.all()] == [OLD]
    assert purge(BEFORE) == PurgeReport(callbacks=1, attempts=1, visitors=5)


@servers
@pytest.mark.django_db(transaction=True)
def test_what_is_tried_again_while_it_is_about_to_go_stays(partner: Partner) -> None:
    callback = old_call(partner, state=State.FAILED)
    retried, purged = Event(), Event()

    def try_again() -> None:
        with transaction.atomic():
            delivery.retry(Callback.objects.all())
            retried.set()
            purged.wait(10)

    def purge_meanwhile() -> PurgeReport:
        retried.wait(10)
        try:
            return purge(BEFORE)
        finally:
            purged.set()

    assert in_threads(try_again, purge_meanwhile)[1] == PurgeReport()
    assert Callback.objects.get() == callback


# the command


def test_command_says_what_it_removed(partner: Partner) -> None:
    old_call(partner)
    said = run("purge_affiliates", "--older-than", "90d", "--dry-run")
    assert said.out == "Would remove 1 callback with 1 attempt, and 1 visitor.\n"
    said = run("purge_affiliates", "--older-than", "90d")
    assert said.out == "Removed 1 callback with 1 attempt, and 1 visitor.\n"
    with pytest.raises(CommandError, match="still to come"):
        run("purge_affiliates", "--older-than", "2999-01-01")


def test_signal_ends_it_between_two_transactions_and_a_refusal_is_one_line(
    partner: Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_A_TIME", 2)
    for _ in range(3):
        old_call(partner)
    real = retention._delete

    def delete(*args: Any) -> dict[str, int]:
        signal.raise_signal(signal.SIGTERM)
        return real(*args)

    monkeypatch.setattr(retention, "_delete", delete)
    with pytest.raises(CommandError, match="what is left goes with the next purge"):
        run("purge_affiliates", "--older-than", "90d")
    assert Callback.objects.count() == 1

    def refuse(*_: Any) -> dict[str, int]:
        raise OperationalError("down\x1b")

    monkeypatch.setattr(retention, "_delete", refuse)
    monkeypatch.setattr(engine, "FIRST_PAUSE_SECONDS", 0.0)
    with pytest.raises(CommandError, match=r"The database refuses \(down\\x1b\)"):
        run("purge_affiliates", "--older-than", "90d")
