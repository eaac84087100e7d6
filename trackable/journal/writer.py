"""The writer: appends this process's lines to a segment of its own."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from django.core.signals import setting_changed

from trackable import conf
from trackable.journal import lines, segments
from trackable.journal.segments import Segment

logger = logging.getLogger(__name__)

#: How long to wait before the next look at a journal that is full or cannot be opened.
PAUSE_SECONDS: Final = 1.0
MAX_RETIRED: Final = 8


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
        # Held while a segment is sealed, and never by an emit, which must not wait for a disk.
        self._sealing = threading.RLock()
        self._segment: Segment | None = None
        self._fd = -1
        #: segments that are full or torn, to be sealed, with their file descriptors
        self._retired: list[tuple[Segment, int]] = []
        self._failure = ""
        self._failed_at = 0.0
        self._size_bytes = 0
        self._room_bytes = 0
        self._measured_at = 0.0
        self._opened_at = 0.0
        self._request_seen = 0
        self._max_segment_bytes = int(conf.get("JOURNAL_SEGMENT_BYTES"))
        self._sync = conf.fsync_policy() == "always"

    @property
    def is_open(self) -> bool:
        return self._fd >= 0

    def is_due(self, age_seconds: float) -> bool:
        """Tell whether the open segment has that age, or somebody asked to have it sealed."""
        if self._retired or not self.is_open:
            return bool(self._retired)
        old = time.monotonic() - self._opened_at >= age_seconds
        return old or segments.last_request(self.directory) != self._request_seen

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
        # It is in: from here on nothing changes the answer but a sync that was asked for.
        is_taken = not self._sync or self._is_synced()
        if self.dropped:
            self._write_tallies()
        if self._size_bytes >= self._max_segment_bytes:
            self._retire()
        return is_taken

    def _open(self) -> None:
        if self._failure and time.monotonic() - self._failed_at < PAUSE_SECONDS:
            raise OSError(self._failure)
        try:
            self._segment, self._fd = segments.create(self.directory)
        except OSError as error:
            self._failure, self._failed_at = str(error), time.monotonic()
            raise
        self._failure = ""
        self._size_bytes = 0
        self._opened_at = time.monotonic()
        self._request_seen = segments.last_request(self.directory)
        if not self._measured_at:
            self.measure()

    def _write(self, line: bytes) -> None:
        written = os.write(self._fd, line)
        if written != len(line):
            # A torn line must stay the last one, or it would spoil the next.
            self._retire()
            raise OSError(f"only {written} of {len(line)} bytes were written: is the disk full?")
        self._size_bytes += written
        self._room_bytes -= written

    def _is_synced(self) -> bool:
        try:
            os.fsync(self._fd)
        except OSError:
            logger.exception("An increment is written but not synced; it may be counted or not.")
            return False
        return True

    def _write_tallies(self) -> None:
        number = self.dropped.total()
        try:
            for data_class in list(self.dropped):
                self._write(lines.encode(data_class, "dropped", self.dropped[data_class]))
                del self.dropped[data_class]
        except OSError as error:
            logger.warning("Not all tallies of dropped increments were written: %s", error)
            return
        logger.warning("The journal takes increments again; %d were dropped.", number)

    def _refuse(self, data_class: str, reason: str) -> None:
        if not self.dropped:
            logger.error("Increments are dropped, not counted: %s.", reason)
        self.dropped[data_class] += 1

    def measure(self) -> None:
        """Find out how much the journal may still grow; other processes share that room."""
        room = int(conf.get("JOURNAL_MAX_BYTES")) - segments.size_bytes(self.directory)
        self._room_bytes, self._measured_at = room, time.monotonic()

    def _finds_room(self, size_bytes: int) -> bool:
        """Look again, at most once a second, whether a full journal has been emptied."""
        if time.monotonic() - self._measured_at >= PAUSE_SECONDS:
            self.measure()
        return self._room_bytes >= size_bytes

    def _retire(self) -> None:
        """Append no more to the open segment. Sealing it may take the disk some time."""
        if self._segment is not None:
            self._retired.append((self._segment, self._fd))
            self._segment, self._fd = None, -1
        if len(self._retired) > MAX_RETIRED:
            # No thread does it: better slow than out of descriptors.
            with suppress(OSError):
                self._seal_retired()

    def seal(self) -> None:
        """Seal what was appended so far. Emits go on meanwhile, in another segment.

        Raises ``OSError`` if the disk does; the segment is then adopted later.
        """
        with self._lock:
            self._retire()
        self._seal_retired()

    def _seal_retired(self) -> None:
        with self._sealing:
            while self._retired:
                segment, fd = self._retired[0]
                try:
                    segments.seal(segment, fd)
                finally:
                    del self._retired[0]

    def abandon(self) -> None:
        """Close inherited segments without sealing them: they are the parent's."""
        fds = [self._fd, *(fd for _, fd in self._retired)]
        self._fd, self._segment, self._retired = -1, None, []
        for fd in fds:
            if fd >= 0:
                os.close(fd)


_current: Writer | None = None
_creation = threading.RLock()


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
    _creation = threading.RLock()
    _abandon()


def _on_setting_changed(*, setting: str, **_: Any) -> None:
    if setting.startswith(conf.PREFIX + "JOURNAL_"):
        close()


setting_changed.connect(_on_setting_changed, dispatch_uid="trackable.journal.writer")
os.register_at_fork(after_in_child=_after_fork)
