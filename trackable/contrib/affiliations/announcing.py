"""Announcing: Celery's workers are told of a call to be made, and no request waits for that.

A thread that lives as long as there is something to tell does it, because a broker that is away
would hold a request for seconds. What cannot be told is found by the next sweep.
"""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from typing import Any, Final

from trackable import broker, notices
from trackable import conf as core
from trackable.contrib.affiliations import conf

logger = logging.getLogger(__name__)

#: The task that makes one call.
TASK: Final = "trackable.contrib.affiliations.deliver"
#: Past so many that wait for the broker the oldest are left to the sweep.
MAX_WAITING: Final = 1000

Item = tuple[int, str | None]


def announce(pk: int, using: str | None = None) -> None:
    """Have a worker try a callback soon; to be called once it is committed.

    Never raises and never waits. Does nothing where Celery is not, or has no broker, or
    where no threads are wanted (``TRACKABLE_FLUSH_THREAD``).
    """
    if core.get("FLUSH_THREAD") and _app() is not None:
        _announcer.put((pk, using))


def _app() -> Any:
    """Return the project's Celery app, ``None`` if it cannot send: then the sweep does it all."""
    app = broker.celery_app()
    if app is None or not app.conf.broker_write_url or app.conf.task_always_eager:
        return None
    return app


class Announcer:
    """Tells workers of callbacks, in a thread that it starts when there is one to tell of."""

    def __init__(self) -> None:
        self._waiting: deque[Item] = deque(maxlen=MAX_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, item: Item) -> None:
        with self._lock:
            self._waiting.append(item)
            if self._thread is not None:
                return
            self._thread = threading.Thread(
                target=self._run, name="trackable-announcer", daemon=True
            )
            try:
                self._thread.start()
            except RuntimeError as error:
                self._thread = None
                _complain(error)

    def join(self, timeout_seconds: float) -> bool:
        """Wait until everything is told, at most so long; tell whether it is."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_seconds)
        return thread is None or not thread.is_alive()

    def _run(self) -> None:
        while items := self._take():
            try:
                _send(items)
            except Exception as error:  # the edge of the thread
                _complain(error)

    def _take(self) -> list[Item]:
        with self._lock:
            found = list(self._waiting)
            self._waiting.clear()
            if not found:
                self._thread = None
            return found


def _send(items: list[Item]) -> None:
    """Send a task for each item, over a connection on which nothing waits for long."""
    app, seconds = _app(), float(core.get("BROKER_TIMEOUT"))
    if app is None:
        return
    with app.connection_for_write(connect_timeout=seconds) as connection:
        broker.open_within(seconds, connection)
        producer = app.amqp.Producer(connection, auto_declare=False)
        for item in items:
            app.send_task(
                TASK,
                args=list(item),
                producer=producer,
                retry=False,
                ignore_result=True,
                # What no worker has taken by the next sweep, that one delivers.
                expires=conf.get("DELIVERY_PERIOD"),
            )


def _complain(error: Exception) -> None:
    kind = type(error).__name__
    if notices.is_news(f"affiliations: announcing {kind}"):
        logger.warning(
            "Callbacks wait for the sweep, workers cannot be told: %s: %a", kind, str(error)
        )


def _after_fork() -> None:
    """Let a child tell of its own callbacks alone, with a thread of its own."""
    global _announcer
    _announcer = Announcer()


_announcer = Announcer()
os.register_at_fork(after_in_child=_after_fork)
