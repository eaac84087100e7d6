"""The writer: appends this process's lines to a segment of its own."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.signals import setting_changed

from trackable import conf
from trackable.journal import lines, segments
from trackable.journal.segments import Segment

logger = logging.getLogger(__name__)


class Writer:
    """Appends lines to the open segment of one process in one directory.

    Threads share it behind a lock that is held for one ``write``; processes share nothing. A
    fork gives the child a new writer, and so does the emit that finds another pid.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.pid = os.getpid()
        #: increments refused since the last success, by data class
        self.dropped: Counter[str] = Counter()
        # Reentrant, because a signal handler may emit in the middle of an emit.
        self._lock = threading.RLock()
        self._segment: Segment | None = None
        self._fd = -1
        self._size_bytes = 0
        self._room_bytes = 0
        self._measured_at = 0.0
        self._opened_at = 0.0
        self._requests_seen = 0
        self._max_segment_bytes = int(conf.get("JOURNAL_SEGMENT_BYTES"))
        self._sync = conf.fsync_policy() == "always"

    @property
    def is_open(self) -> bool:
        return self._fd >= 0

    def is_due(self, age_seconds: float) -> bool:
        """Tell whether the open segment has that age, or somebody asked to have it sealed."""
        if not self.is_open:
            return False
        old = time.monotonic() - self._opened_at >= age_seconds
        return old or segments.seal_requests(self.directory) != self._requests_seen

    def append(self, data_class: str, line: bytes) -> bool:
        """Append a line; its return is the acknowledgement.

        ``False`` means that the line is not in the journal (the bound is reached, the disk is
        full, the directory cannot be written) and is counted in ``dropped``.
        """
        with self._lock:
            try:
                return self._append(data_class, line)
            except OSError as error:
                self._refuse(data_class, str(error))
                return False

    def _append(self, data_class: str, line: bytes) -> bool:
        if self._fd < 0:
            self._open()
        if self._room_bytes < len(line) and not self._finds_room(len(line)):
            self._refuse(data_class, "the journal is full (TRACKABLE_JOURNAL_MAX_BYTES)")
            return False
        self._write(line)
        if self.dropped:
            self._write_tallies()
        if self._size_bytes >= self._max_segment_bytes:
            self._seal()
        return True

    def _open(self) -> None:
        self._segment, self._fd = segments.create(self.directory)
        self._size_bytes = 0
        self._opened_at = time.monotonic()
        self._requests_seen = segments.seal_requests(self.directory)
        self._measure()

    def _write(self, line: bytes) -> None:
        written = os.write(self._fd, line)
        if written != len(line):
            # A torn line must stay the last one, or it would spoil the next.
            self._seal()
            raise OSError(f"only {written} of {len(line)} bytes were written: is the disk full?")
        if self._sync:
            os.fsync(self._fd)
        self._size_bytes += written
        self._room_bytes -= written

    def _write_tallies(self) -> None:
        dropped, self.dropped = self.dropped, Counter()
        for data_class, number in dropped.items():
            self._write(lines.encode(data_class, "dropped", number))
        logger.warning("The journal takes increments again; %d were dropped.", dropped.total())

    def _refuse(self, data_class: str, reason: str) -> None:
        if not self.dropped:
            logger.error("Increments are dropped, not counted: %s.", reason)
        self.dropped[data_class] += 1

    def measure(self) -> None:
        """Find out how much the journal may still grow; other processes share that room."""
        with self._lock:
            self._measure()

    def _finds_room(self, size_bytes: int) -> bool:
        """Look again, at most once a second, whether a full journal has been emptied."""
        if time.monotonic() - self._measured_at >= 1:
            self._measure()
        return self._room_bytes >= size_bytes

    def _measure(self) -> None:
        self._measured_at = time.monotonic()
        self._room_bytes = int(conf.get("JOURNAL_MAX_BYTES")) - segments.size_bytes(self.directory)

    def seal(self) -> Segment | None:
        """Seal the open segment, if there is one with lines in it."""
        with self._lock:
            return self._seal()

    def _seal(self) -> Segment | None:
        if self._segment is None:
            return None
        segment, fd = self._segment, self._fd
        self._segment, self._fd = None, -1
        return segments.seal(segment, fd)

    def abandon(self) -> None:
        """Close an inherited segment without sealing it: it is the parent's."""
        fd, self._fd, self._segment = self._fd, -1, None
        if fd >= 0:
            os.close(fd)


_current: Writer | None = None
_creation = threading.Lock()


def current() -> Writer:
    """Return this process's writer."""
    writer = _current
    if writer is None or writer.pid != os.getpid():
        return _create()
    return writer


def _create() -> Writer:
    global _current
    with _creation:
        if _current is None or _current.pid != os.getpid():
            _abandon()
            _current = Writer(conf.journal_dir())
        return _current


def existing() -> Writer | None:
    """Return this process's writer if it has emitted, else ``None``."""
    return _current if _current is not None and _current.pid == os.getpid() else None


def seal() -> None:
    """Seal what this process has emitted so far."""
    writer = existing()
    if writer is not None:
        writer.seal()


def close() -> None:
    """Seal what this process has emitted; the next emit starts a new writer."""
    global _current
    writer, _current = existing(), None
    if writer is not None:
        writer.seal()


def _abandon() -> None:
    global _current
    inherited, _current = _current, None
    if inherited is not None:
        inherited.abandon()


def _after_fork() -> None:
    """Drop what the parent left here: its lock may be held by a thread we do not have."""
    global _creation
    _creation = threading.Lock()
    _abandon()


def _on_setting_changed(*, setting: str, **_: Any) -> None:
    if setting.startswith(conf.PREFIX + "JOURNAL_"):
        close()


setting_changed.connect(_on_setting_changed, dispatch_uid="trackable.journal.writer")
os.register_at_fork(after_in_child=_after_fork)
