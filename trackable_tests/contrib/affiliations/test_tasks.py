"""The Celery tasks: scheduled by themselves, and run by a real worker."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from celery.beat import Service
from celery.signals import beat_init

from trackable.contrib.affiliations import announcing, sweeping, tasks
from trackable.contrib.affiliations.sweeping import SweepReport
from trackable.contrib.affiliations.tasks import SWEEP
from trackable_tests.contrib.affiliations.owing import State, fresh, owe
from trackable_tests.contrib.affiliations.partner_site import PartnerSite, answer
from trackable_tests.test_tasks import Project, an_app, project, until

__all__ = ["project"]  # a fixture

PERIOD_SECONDS = 600
MINE = {"mine": {"task": "celery.backend_cleanup", "schedule": 3600}}
CORES = "trackable.tasks.CollectTrackingData"
TRIGGERS = [["Registered"]]


@pytest.fixture
def triggers(settings: Any) -> None:
    settings.AFFILIATE_TRIGGERS = TRIGGERS


def entries_of(app: Celery) -> dict[str, Any]:
    return {name: entry for name, entry in app.conf.beat_schedule.items() if name != CORES}


@pytest.mark.usefixtures("triggers")
def test_sweep_is_scheduled_beside_the_users_own(settings: Any) -> None:
    settings.AFFILIATE_DELIVERY_PERIOD = PERIOD_SECONDS
    app = an_app(beat_schedule=MINE)
    entry = {"task": SWEEP, "schedule": 600, "options": {"expires": 600}}
    assert entries_of(app) == {**MINE, SWEEP: entry}
    assert CORES in app.conf.beat_schedule
    assert {SWEEP, announcing.TASK} <= set(app.tasks)


@pytest.mark.usefixtures("triggers")
def test_users_own_entry_for_the_sweep_stays_the_only_one() -> None:
    own = {"nightly": {"task": SWEEP, "schedule": 86400}}
    assert entries_of(an_app(beat_schedule=own)) == own


@pytest.mark.usefixtures("triggers")
def test_schedule_that_is_set_late_gets_the_sweep_when_beat_starts() -> None:
    app = an_app()
    app.conf.beat_schedule = dict(MINE)
    beat_init.send(sender=Service(app))
    assert set(entries_of(app)) == {"mine", SWEEP}


def test_sweep_is_not_scheduled_where_there_is_no_trigger() -> None:
    app = an_app(beat_schedule=MINE)
    assert (entries_of(app), SWEEP in app.tasks) == (MINE, True)


def test_sweep_ends_within_its_period(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.AFFILIATE_DELIVERY_PERIOD = PERIOD_SECONDS
    asked: list[Any] = []

    def deliver_due(**options: Any) -> SweepReport:
        asked.append(options)
        return SweepReport(delivered=2, failed=1)

    monkeypatch.setattr(sweeping, "deliver_due", deliver_due)
    assert tasks.deliver_due() == 3
    assert asked == [{"max_seconds": PERIOD_SECONDS}]
    assert tasks.deliver_due.ignore_result


@pytest.mark.django_db
def test_task_delivers_one(partner_site: PartnerSite) -> None:
    callback = owe(partner_site.url())
    tasks.deliver(callback.pk, "default")
    assert fresh(callback).state == State.DELIVERED
    tasks.deliver(callback.pk, "default")
    tasks.deliver(999_999)
    assert len(partner_site.requests) == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_worker_delivers_what_is_announced_and_beat_has_the_rest_swept(
    project: Project,
    partner_site: PartnerSite,
    real_broker_url: str,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
) -> None:
    settings.TRACKABLE_FLUSH_THREAD = True
    own = {
        "AFFILIATE_CALLBACK_ALLOW_PRIVATE": True,
        "AFFILIATE_DELIVERY_PERIOD": 2,
        "AFFILIATE_TRIGGERS": TRIGGERS,
    }
    project.start("worker", "--concurrency", "1", **own)
    app = Celery(broker=real_broker_url, set_as_current=False)
    app.conf.task_default_queue = project.queue
    monkeypatch.setattr(announcing.broker, "celery_app", lambda: app)
    announced = owe(partner_site.url("/announced"))
    announcing.announce(announced.pk, using="default")
    until(lambda: fresh(announced).state == State.DELIVERED)
    partner_site.will(answer(204))
    left = owe(partner_site.url("/left"))
    project.start("beat", "--max-interval", "1", **own)
    until(lambda: fresh(left).state == State.DELIVERED)
    assert [request.target for request in partner_site.requests] == ["/announced", "/left"]
    app.close()
