"""Celery: the tasks that deliver callbacks, and the place of the sweep in beat's schedule.

``app.autodiscover_tasks()`` finds this module; nothing else is needed.
"""

from __future__ import annotations

from typing import Any, Final

from celery import Celery, Task, shared_task
from celery.signals import beat_init

from trackable.contrib.affiliations import announcing, conf, delivery, sweeping
from trackable.tasks import enter

SWEEP: Final = "trackable.contrib.affiliations.deliver_due"


class SweepTask(Task):  # type: ignore[misc]  # celery has no types
    """A task that enters itself into the beat schedule of each app that it is bound to."""

    abstract = True

    @classmethod
    def on_bound(cls, app: Celery) -> None:
        schedule(app)


def schedule(app: Celery) -> None:
    """Enter the sweep into an app's beat schedule, unless an entry of the user's is there.

    Where there is no trigger nobody is owed a call.
    """
    if conf.trigger_names():
        enter(app, SWEEP, conf.get("DELIVERY_PERIOD"))


@shared_task(name=announcing.TASK, ignore_result=True)  # type: ignore[untyped-decorator]
def deliver(pk: int, using: str | None = None) -> None:
    """Try one callback, if it is due still. What fails is due again later."""
    delivery.deliver(pk, using)


@shared_task(name=SWEEP, base=SweepTask, ignore_result=True)  # type: ignore[untyped-decorator]
def deliver_due() -> int:
    """Try what is due, for as long as one period, and return the number of calls."""
    report = sweeping.deliver_due(max_seconds=float(conf.get("DELIVERY_PERIOD")))
    return report.calls


def _on_beat_init(*, sender: Any, **_: Any) -> None:
    """Enter the sweep again, for apps that are given another schedule after their tasks."""
    schedule(sender.app)


beat_init.connect(_on_beat_init, dispatch_uid="trackable.contrib.affiliations.tasks.schedule")
