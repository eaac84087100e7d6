"""The writer: appends this process's lines to a segment of its own."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from django.core.signals import setting_changed

from trackable import conf, notices
from trackable.journal import lines, machines, segments, tally
from trackable.journal.segments import Segment

logger = logging.getLogger(__name__)

#: How long to wait before the next look at a journal that is full or cannot be opened.
PAUSE_SECONDS: Final = 1.0
MAX_RETIRED: Final = 8
#: Of the room that is left a process takes this share before it measures again, as others grow too.
ROOM_SHARE: Final = 8
LEAST_ROOM_BYTES: Final = 64 << 10
#: Room enough for a journal that was full to be said to take increments again.
ROOM_TO_GO_ON_BYTES: Final = 4 << 10
#: How far past its bound processes that end may say what they dropped: a thousand of them, or so.
OVERDRAFT_BYTES: Final = 64 << 10
NO_DESCRIPTORS: Final = (errno.EMFILE, errno.ENFILE)


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
        #: increments refused since this process began
        self.refused = 0
        #: lines taken and refused, that the tally does not have yet
        self._untold = {"emitted": 0, "refused": 0}
        # Reentrant, because a signal handler may emit in the middle of an emit.
        self._lock = threading.RLock()
        # Held while a segment is sealed, and never by an emit, which must not wait for a disk.
        self._sealing = threading.RLock()
        self._is_sealing = False
        self._segment: Segment | None = None
        self._fd = -1
        #: a file descriptor to give up when there are no others, so that emits go on
        self._spare = -1
        #: segments that are full or torn, to be sealed, with their file descriptors
        self._retired: list[tuple[Segment, int]] = []
        self._failure = ""
        self._failed_at = 0.0
        self._size_bytes = 0
        self._room_bytes = 0
        self._is_last_room = False
        self._measured_at = 0.0
        self._lease_ends_at = 0.0
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
        if time.monotonic() >= self._lease_ends_at:
            self._renew_lease()
        if self._fd < 0:
            self._open()
        if self._room_bytes < len(line) and not self._finds_room(len(line)):
            self._refuse(data_class, "the journal is full (TRACKABLE_JOURNAL_MAX_BYTES)")
            return False
        self._write(line)
        # It is in: from here on nothing changes the answer but a sync that was asked for.
        self._untold["emitted"] += 1
        is_taken = not self._sync or self._is_synced()
        if self.dropped:
            self._write_tallies()
        if self._size_bytes >= self._max_segment_bytes and self._has_spare():
            self._retire()
        return is_taken

    def _renew_lease(self) -> None:
        """Show that this machine lives, and that what it appends to is still its own.

        Another one may have taken us for dead, if we have emitted nothing for so long.
        """
        self._lease_ends_at = time.monotonic() + machines.LEASE_SECONDS
        if self._segment is None:
            return
        machines.beat(self.directory)
        if not segments.is_at(self._fd, self._segment.path):
            self._retire()

    def _open(self) -> None:
        if self._failure and time.monotonic() - self._failed_at < PAUSE_SECONDS:
            raise OSError(self._failure)
        try:
            opened = self._create()
        except OSError as error:
            self._failure, self._failed_at = str(error), time.monotonic()
            raise
        if self._fd >= 0:
            # A signal handler has emitted meanwhile.
            self._retired.append(opened)
            return
        self._segment, self._fd = opened
        self._failure = ""
        self._size_bytes = 0
        self._opened_at = time.monotonic()
        self._request_seen = segments.last_request(self.directory)
        self._lease_ends_at = self._opened_at + machines.LEASE_SECONDS
        if not self._measured_at:
            self.measure()

    def _create(self) -> tuple[Segment, int]:
        try:
            return segments.create(self.directory)
        except OSError as error:
            if error.errno not in NO_DESCRIPTORS or self._spare < 0:
                raise
        self._give_up_spare()
        return segments.create(self.directory)

    def _has_spare(self) -> bool:
        """Tell whether a segment that is given up can be followed by another one."""
        if self._spare < 0:
            try:
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return False
        return True

    def _give_up_spare(self) -> None:
        spare, self._spare = self._spare, -1
        if spare >= 0:
            os.close(spare)

    def _write(self, line: bytes) -> None:
        # In a loop: what a signal handler emits may fill, and end, the segment that is open.
        while self._fd < 0:
            self._open()
        fd, size_bytes = self._fd, self._size_bytes
        written = os.write(fd, line)
        if written != len(line):
            self._take_back(fd, size_bytes, written)
            self._retire()
            raise OSError(f"only {written} of {len(line)} bytes were written: is the disk full?")
        self._size_bytes += written
        self._room_bytes -= written

    @staticmethod
    def _take_back(fd: int, size_bytes: int, written: int) -> None:
        """Remove part of a line: it is refused, and must not be read as one that came to harm."""
        with suppress(OSError):
            if os.fstat(fd).st_size == size_bytes + written:
                os.ftruncate(fd, size_bytes)

    def _is_synced(self) -> bool:
        try:
            os.fsync(self._fd)
        except OSError as error:
            if notices.is_news(f"sync: {error}"):
                logger.exception("Increments are written, not synced; they may be counted or not.")
            return False
        return True

    def _write_tallies(self) -> None:
        number = self.dropped.total()
        for data_class in list(self.dropped):
            # Taken out first: a signal handler that emits meanwhile must not write it too.
            dropped = self.dropped.pop(data_class, 0)
            try:
                self._write(lines.encode(data_class, "dropped", dropped))
            except OSError as error:
                self.dropped[data_class] += dropped
                logger.warning("Not all tallies of dropped increments were written: %s", error)
                return
        logger.warning("%d increments were dropped; the journal has their number.", number)

    def write_dropped(self, least_room_bytes: int = ROOM_TO_GO_ON_BYTES) -> None:
        """Write down how many increments were refused, if the journal has that much room.

        An emit does so too; this is for a process that emits no more.
        """
        with self._lock, suppress(OSError):
            if self.dropped and self._fd < 0:
                self._open()
            if self.dropped and self._finds_room(least_room_bytes):
                self._write_tallies()

    def _refuse(self, data_class: str, reason: str) -> None:
        if not self.dropped:
            logger.error("Increments are dropped, not counted: %s.", reason)
        self.dropped[data_class] += 1
        self.refused += 1
        self._untold["refused"] += 1

    def tell(self) -> None:
        """Add to the machine's tally what was emitted and refused since the last time."""
        with self._lock:
            untold, self._untold = self._untold, dict.fromkeys(self._untold, 0)
        if not tally.add(self.directory, **untold):
            with self._lock:
                for name, number in untold.items():
                    self._untold[name] += number

    def measure(self) -> None:
        """Find out how much the journal may still grow; other processes share that room."""
        room = int(conf.get("JOURNAL_MAX_BYTES")) - segments.size_bytes(self.directory)
        taken = min(room, max(room // ROOM_SHARE, LEAST_ROOM_BYTES))
        self._room_bytes, self._is_last_room = taken, taken == room
        self._measured_at = time.monotonic()

    def _finds_room(self, size_bytes: int) -> bool:
        """Look again, at most once a second, whether a full journal has been emptied."""
        if not self._is_last_room or time.monotonic() - self._measured_at >= PAUSE_SECONDS:
            self.measure()
        return self._room_bytes >= size_bytes

    def _retire(self) -> None:
        """Append no more to the open segment. Sealing it may take the disk some time."""
        if self._segment is not None:
            # Given up first: a signal handler that emits meanwhile must not retire it too.
            retired = (self._segment, self._fd)
            self._segment, self._fd = None, -1
            self._retired.append(retired)
        if len(self._retired) > MAX_RETIRED:
            # No thread does it: better slow than out of descriptors.
            with suppress(OSError):
                self._seal_retired()

    def seal(self) -> None:
        """Seal what was appended so far. Emits go on meanwhile, in another segment.

        Where there are no file descriptors for another, the open one goes on. Raises ``OSError``
        if the disk does; the segment is then adopted later.
        """
        with self._lock:
            if self._has_spare():
                self._retire()
        self._seal_retired()

    def _seal_retired(self) -> None:
        with self._sealing:
            if self._is_sealing:
                return  # in a signal handler: what it has interrupted goes on
            self._is_sealing = True
            try:
                while self._retired:
                    segment, fd = self._retired[0]
                    try:
                        segments.seal(segment, fd)
                    finally:
                        del self._retired[0]
            finally:
                self._is_sealing = False

    def close(self) -> None:
        """Seal everything, and say what was refused. Raises ``OSError`` if the disk does."""
        self.write_dropped(-OVERDRAFT_BYTES)
        self.tell()
        with self._lock:
            self._retire()
            self._give_up_spare()
        self._seal_retired()

    def abandon(self) -> None:
        """Close inherited segments without sealing them: they are the parent's.

        Another thread of the parent may just have sealed one: its number is another file's then.
        """
        fds = [self._fd, self._spare, *(fd for s, fd in self._retired if _is_open_at(fd, s))]
        self._fd, self._spare, self._segment, self._retired = -1, -1, None, []
        for fd in fds:
            if fd >= 0:
                os.close(fd)


def _is_open_at(fd: int, segment: Segment) -> bool:
    try:
        return segments.is_at(fd, segment.path)
    except OSError:
        return False


_current: Writer | None = None
#: pid -> its lock, as a forked child must not wait for one that its parent has held
_creations: dict[int, threading.RLock] = {}


def current() -> Writer:
    """Return this process's writer."""
    writer = _current
    if writer is None or writer.pid != os.getpid():
        return _create()
    return writer


def _create() -> Writer:
    global _current
    pid = os.getpid()
    with _creations.setdefault(pid, threading.RLock()):
        if _current is not None and _current.pid != pid:
            _abandon()
        created = Writer(conf.journal_dir())
        # A signal handler may have emitted meanwhile.
        if _current is None:
            _current = created
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
        writer.close()


def _abandon() -> None:
    global _current
    inherited, _current = _current, None
    if inherited is not None:
        inherited.abandon()


def _on_setting_changed(*, setting: str, **_: Any) -> None:
    if setting.startswith(conf.PREFIX + "JOURNAL_"):
        close()


setting_changed.connect(_on_setting_changed, dispatch_uid="trackable.journal.writer")
os.register_at_fork(after_in_child=_abandon)
