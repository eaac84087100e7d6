"""Celery: the task that sends hits, under the name that it had in server-side-tracking.

``app.autodiscover_tasks()`` finds this module; nothing else is needed.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from celery import Celery, Task, shared_task
from celery.signals import beat_init, worker_process_shutdown

from trackable import conf as core_conf
from trackable.contrib.analytics import conf, services
from trackable.contrib.analytics.exceptions import HitError
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.sending import deferring, drops
from trackable.contrib.analytics.sending.backoff import pause_seconds
from trackable.contrib.analytics.sending.delivering import Delivery, deliver
from trackable.contrib.analytics.sending.targets import HIDDEN

logger = logging.getLogger(__name__)

NAME: Final = "googleanalytics.send_hit"
FORWARD: Final = "trackable.contrib.analytics.forward"
FORWARD_PERIOD_SECONDS: Final = 60.0
#: how old a hit may become that waits for a service which is left alone
MOST_HELD: Final = timedelta(days=1)


# Acknowledged before it runs: one that runs again would count its hits twice.
@shared_task(name=NAME, bind=True, ignore_result=True, acks_late=False, max_retries=None)  # type: ignore[untyped-decorator]
def send_hit(self: Any, hits: Any, service: str = "") -> int:
    """Send hits, as ``Hit.as_dict`` makes them, to one service or to all; return how many.

    A hit keeps the time at which it happened, however long it has waited here. What may be tried
    again is, by later runs of the task, ``retries`` times.
    """
    known = list(_hits_of(hits))
    taken = 0
    for each in deferring.reachable():
        if service in ("", each.alias):
            delivery = _deliver(each, known)
            taken += delivery.taken
            _finish(self, each.alias, delivery, is_only=bool(service))
    return taken


def _hits_of(found: Any) -> Any:
    for each in found if isinstance(found, list) else [found]:
        try:
            yield Hit.of_dict(each)
        except HitError:
            drops.add("Celery", "what arrived is no hit")


def _deliver(service: services.Service, hits: list[Hit]) -> Delivery:
    breaker = deferring.breaker_of(service)
    waits: list[float] = []

    def may_go() -> bool:
        waits.append(breaker.wait_seconds())
        return waits[-1] == 0.0

    delivery = deliver(
        service,
        hits,
        breaker=breaker,
        may_go=may_go,
        timeouts_seconds=conf.timeouts_seconds(),
    )
    # A run before the breaker lets it through would be one for nothing.
    delivery.pause_seconds = max(delivery.pause_seconds, *waits, 0.0)
    return delivery


def _finish(task: Any, alias: str, delivery: Delivery, *, is_only: bool) -> None:
    """Count what is dropped, and have what is for later tried by another run."""
    for reason, number in delivery.dropped.items():
        drops.add(alias, reason, number)
    later = _without_held(task, alias, delivery)
    if not later:
        return
    tries = task.request.retries + 1
    if tries > conf.get("retries"):
        drops.add(alias, delivery.why_later, len(later))
        return
    args = [[hit.as_dict() for hit in later], alias]
    pause = pause_seconds(tries, asked_seconds=delivery.pause_seconds)
    if is_only:
        raise task.retry(args=args, countdown=pause, argsrepr=HIDDEN)
    task.apply_async(args=args, countdown=pause, argsrepr=HIDDEN)


def _without_held(task: Any, alias: str, delivery: Delivery) -> list[Hit]:
    """Return what was tried; a run that the breaker held back was no try, and is had again.

    Not for ever, and not where a run does not wait: it would be had again at once.
    """
    if task.app.conf.task_always_eager or not delivery.held:
        return delivery.later
    oldest = datetime.now(UTC) - MOST_HELD
    held = [hit for hit in delivery.held if hit.happened_at > oldest]
    if given_up := len(delivery.held) - len(held):
        drops.add(alias, "the service was left alone for too long", given_up)
    if held:
        tries = task.request.retries
        pause = pause_seconds(tries + 1, asked_seconds=delivery.pause_seconds)
        args = [[hit.as_dict() for hit in held], alias]
        task.apply_async(args=args, countdown=pause, retries=tries, argsrepr=HIDDEN)
    known = set(map(id, delivery.held))
    return [hit for hit in delivery.later if id(hit) not in known]


class ForwardTask(Task):  # type: ignore[misc]  # celery has no types
    """A task that enters itself into the beat schedule of each app that it is bound to."""

    abstract = True

    @classmethod
    def on_bound(cls, app: Celery) -> None:
        schedule(app)


def schedule(app: Celery) -> None:
    """Enter forwarding into an app's beat schedule, if any counter is forwarded."""
    if core_conf.get("FORWARD"):
        from trackable.tasks import enter  # of the core, which those who forward have

        enter(app, FORWARD, FORWARD_PERIOD_SECONDS)


@shared_task(name=FORWARD, base=ForwardTask, ignore_result=True)  # type: ignore[untyped-decorator]
def forward_counts() -> int:
    """Tell services what folds have added to counters; return how many amounts they took."""
    from trackable.contrib.analytics.forwarding.delivery import forward

    return forward().taken


def _on_beat_init(*, sender: Any, **_: Any) -> None:
    """Enter the task again, for apps that are given another schedule after their tasks."""
    schedule(sender.app)


def _on_process_shutdown(**_: Any) -> None:
    """Send what tasks have left: a pool's process ends without the interpreter's clean-up."""
    deferring.finish()


beat_init.connect(_on_beat_init, dispatch_uid="trackable.analytics.schedule")
worker_process_shutdown.connect(_on_process_shutdown, dispatch_uid="trackable.analytics.finish")
