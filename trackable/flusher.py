"""The flusher: a thread of each emitting process that does what the request must not wait for.

Every ``TRACKABLE_FLUSH_INTERVAL`` seconds it seals this process's segment, adopts those of dead
processes, and, in the process that is the machine's shipper, ships and settles. It starts with
the first emit, and again after a fork.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
import time
from typing import Any, Final

from django.core.signals import request_finished
from django.db import connections

from trackable import alarms, broker, conf, notices, settling, shipping, spiders
from trackable.journal import files, segments, writer
from trackable.journal.segments import SEALED, SHIPPED
from trackable.journal.writer import Writer
from trackable.shipping import Shipper

logger = logging.getLogger(__name__)

ADOPT_INTERVAL_SECONDS: Final = 5.0
ROOM_INTERVAL_SECONDS: Final = 5.0
SETTLE_INTERVAL_SECONDS: Final = 10.0
#: The age at which a segment is sealed doubles with every so many that wait: files stay few.
SEGMENTS_PER_DOUBLING: Final = 64
#: To half an hour, and no more: what is emitted must reach the ledger within its horizon.
MOST_DOUBLINGS: Final = 12.0


class Flusher(threading.Thread):
    """Looks after one writer for as long as its process lives."""

    def __init__(self, subject: Writer, interval_seconds: float) -> None:
        super().__init__(name="trackable-flusher", daemon=True)
        self.writer = subject
        self.interval_seconds = interval_seconds
        self.shipper = Shipper(subject.directory)
        self.last_turn = time.monotonic()
        self._stopping = threading.Event()
        self._due: dict[str, float] = {}
        #: increments refused by the writer, as far as the alarm knows
        self._refused = 0

    def run(self) -> None:
        while not self._stopping.wait(self.interval_seconds):
            self.turn()
        self.shipper.close()

    def turn(self) -> None:
        """Do whatever is due. What fails is logged, waits, and keeps nothing else from its turn."""
        self.last_turn = time.monotonic()
        for step in (
            self._seal,
            self.writer.tell,
            self.watch_room,
            self._adopt,
            self._ship,
            self._settle,
            self._refresh,
        ):
            try:
                step()
            except Exception as error:
                if notices.is_news(f"{step.__name__}: {error!r}"):
                    logger.exception("A turn of the flusher failed; what waits is in the journal.")

    def _seal(self) -> None:
        seal_if_due(self.writer, self.interval_seconds)

    def _adopt(self) -> None:
        if self._is_due("adopt", ADOPT_INTERVAL_SECONDS):
            segments.adopt(self.writer.directory)

    def _ship(self) -> None:
        if broker.is_configured():
            self.shipper.ship()

    def _settle(self) -> None:
        if self.shipper.lock.is_held and self._is_due("settle", SETTLE_INTERVAL_SECONDS):
            self._with_database(lambda: settling.settle(self.writer.directory, time.time()))

    def _refresh(self) -> None:
        if conf.get("USER_AGENT_FILTERING"):
            self._with_database(spiders.refresh_if_stale)

    def watch_room(self) -> None:
        """Sound the alarm if increments are refused; end it once the journal has what was."""
        has_refused, self._refused = self.writer.refused > self._refused, self.writer.refused
        if not (self._is_due("room", ROOM_INTERVAL_SECONDS) or has_refused):
            return
        self.writer.measure()
        self.writer.write_dropped()
        if has_refused or self.writer.dropped:
            number = self.writer.refused
            text = f"The journal {self.writer.directory} takes no more: {number} increments dropped"
            alarms.sound(self.writer.directory, alarms.JOURNAL, f"{text} by this process.")
        else:
            alarms.end(self.writer.directory, alarms.JOURNAL)

    @staticmethod
    def _with_database(action: Any) -> None:
        """Run SQL and give the connection back: this thread rarely needs one."""
        try:
            action()
        finally:
            connections.close_all()

    def _is_due(self, what: str, interval_seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + interval_seconds
        return True

    def stop(self, timeout_seconds: float) -> None:
        """End the thread and wait for that, at most so long."""
        self._stopping.set()
        if self.is_alive() and threading.current_thread() is not self:
            self.join(timeout_seconds)


def seal_if_due(subject: Writer, interval_seconds: float) -> None:
    """Seal an open segment at its age; during an outage that age grows with what waits."""
    waiting = segments.count(subject.directory, SEALED, SHIPPED)
    doublings = min(waiting / SEGMENTS_PER_DOUBLING, MOST_DOUBLINGS)
    if subject.is_due(interval_seconds * 2.0**doublings):
        subject.seal()


_flusher: Flusher | None = None
_lock = threading.RLock()
#: Kept: when one is collected, py-amqp shuts down the socket that the parent still uses.
_inherited: list[Flusher | None] = []


def look_after(subject: Writer) -> None:
    """Make sure that this process's writer has its flusher. Costs nothing if it has."""
    if _flusher is None or _flusher.writer is not subject:
        _start(subject)


def _start(subject: Writer) -> None:
    global _flusher
    with _lock:
        if _flusher is not None and _flusher.writer is subject:
            return
        if _flusher is not None and _flusher.writer.pid == os.getpid():
            _flusher.stop(0.0)
        elif _flusher is not None:
            _inherited.append(_flusher)
        _flusher = Flusher(subject, float(conf.get("FLUSH_INTERVAL")))
        if conf.get("FLUSH_THREAD"):
            _exit_on_sigterm()
            try:
                _flusher.start()
            except RuntimeError as error:
                logger.warning("No flusher thread (%s): segments are sealed after requests.", error)


def _exit_on_sigterm() -> None:
    """Let SIGTERM end the process in good order where nobody else has taken care of that."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))


def after_request(**_: Any) -> None:
    """Seal where the thread does not run, as in uWSGI without ``enable-threads``."""
    subject = writer.existing()
    if subject is None or _flusher is None:
        return
    idle_seconds = time.monotonic() - _flusher.last_turn
    if idle_seconds > 2 * _flusher.interval_seconds:
        _flusher.last_turn = time.monotonic()
        try:
            seal_if_due(subject, _flusher.interval_seconds)
            subject.tell()
            _flusher.watch_room()
        except OSError as error:
            files.complain(subject.directory, error)


def finish() -> None:
    """Seal what this process has emitted, and ship it if the broker answers in time.

    Called when the process ends; what is not shipped stays in the journal, and another process
    ships it. Waits for ``TRACKABLE_EXIT_TIMEOUT`` seconds at most.
    """
    global _flusher
    subject, flusher = writer.existing(), _flusher
    _flusher = None
    if subject is None:
        return
    deadline = time.monotonic() + float(conf.get("EXIT_TIMEOUT"))
    if flusher is not None and flusher.writer is subject:
        flusher.stop(float(conf.get("EXIT_TIMEOUT")) / 2)
    writer.close()
    if broker.is_configured():
        shipping.ship_until(subject.directory, deadline)


def _after_fork() -> None:
    global _flusher, _lock
    _inherited.append(_flusher)
    _flusher, _lock = None, threading.RLock()


def _at_exit() -> None:
    try:
        finish()
    except Exception:
        logger.exception("Not everything was shipped at exit; it stays in the journal.")


request_finished.connect(after_request, dispatch_uid="trackable.flusher.after_request")
os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
