"""Celery: the task that collects, its place in beat's schedule, and the end of a pool's process.

``app.autodiscover_tasks()`` finds this module; nothing else is needed.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import Any, Final

from celery import Celery, Task, shared_task
from celery.signals import beat_init, worker_process_shutdown
from django.db import Error

from trackable import conf, flusher
from trackable.diversion import receivers
from trackable.exceptions import BrokerUnavailable, TrackableError
from trackable.folding import ledger
from trackable.journal.locks import MachineLock
from trackable.messaging import process_messages
from trackable.rollups.rolling import classes_with_retention, roll_up_all

logger = logging.getLogger(__name__)

NAME: Final = "trackable.tasks.CollectTrackingData"
LOCK_NAME: Final = "collection.lock"
ROLL_UP_LOCK_NAME: Final = "roll-up.lock"


class CollectionTask(Task):  # type: ignore[misc]  # celery has no types
    """A task that enters itself into the beat schedule of each app that it is bound to."""

    abstract = True

    @classmethod
    def on_bound(cls, app: Celery) -> None:
        schedule(app)


def schedule(app: Celery) -> None:
    """Enter the task into an app's beat schedule, unless the settings or an entry forbid it.

    An entry of the user's own for the task stays the only one.
    """
    if not conf.get("DISABLE_COLLECTION_TASK"):
        enter(app, NAME, conf.get("COLLECTION_PERIOD"))


def enter(app: Celery, name: str, period_seconds: float) -> None:
    """Enter a task into an app's beat schedule, unless an entry of the user's is there for it."""
    entries = app.conf.beat_schedule
    if name in map(_task_of, entries.values()):
        return
    # What no worker has taken by the next time is not worth taking: that one does its work.
    entry = {"task": name, "schedule": period_seconds, "options": {"expires": period_seconds}}
    app.conf.beat_schedule = {**entries, name: entry}


def _task_of(entry: Any) -> str | None:
    return entry.get("task") if isinstance(entry, dict) else entry.task


@shared_task(name=NAME, base=CollectionTask, ignore_result=True)  # type: ignore[untyped-decorator]
def CollectTrackingData() -> int:  # noqa: N802  # the name is a public interface
    """Fold what was emitted, prune the ledger, and return the number of increments folded.

    Then rolls up what is due, until half of the period to the next run is over. Returns 0 at
    once while another run on this machine is at it. A broker that is away is logged: what waits
    is folded by a later run.
    """
    ends_at = time.monotonic() + conf.get("COLLECTION_PERIOD") / 2
    lock = MachineLock(conf.journal_dir() / LOCK_NAME)
    if not receivers and _is_taken(lock):
        logger.info("Another process of this machine collects already.")
        return 0
    try:
        increments = process_messages()
        ledger.prune_all()
    except BrokerUnavailable as error:
        logger.error("Nothing was collected, the broker is away: %s", error)
        increments = 0
    finally:
        lock.release()
    _roll_up(ends_at - time.monotonic())
    return increments


def _roll_up(seconds: float) -> None:
    """Roll up what is due, unless another process of this machine does; the next run goes on."""
    lock = MachineLock(conf.journal_dir() / ROLL_UP_LOCK_NAME)
    if seconds <= 0 or not classes_with_retention() or (not receivers and _is_taken(lock)):
        return
    try:
        with suppress(Error, TrackableError):  # it is logged
            roll_up_all(max_seconds=seconds)
    finally:
        lock.release()


def _is_taken(lock: MachineLock) -> bool:
    try:
        return not lock.acquire()
    except OSError as error:
        logger.warning("Collecting without a lock, %s cannot be written: %s", lock.path, error)
        return False


def _on_beat_init(*, sender: Any, **_: Any) -> None:
    """Enter the task again, for apps that are given another schedule after their tasks."""
    schedule(sender.app)


def _on_process_shutdown(**_: Any) -> None:
    """Ship what tasks have emitted: a pool's process ends without the interpreter's clean-up."""
    flusher.finish()


beat_init.connect(_on_beat_init, dispatch_uid="trackable.tasks.schedule")
worker_process_shutdown.connect(_on_process_shutdown, dispatch_uid="trackable.tasks.finish")
