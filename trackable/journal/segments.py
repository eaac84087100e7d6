"""Segments: the journal's files, and the states that their names tell.

``<id>.open``     a process appends to it, and holds its ``flock``
``<id>.sealed``   never changes again; to be shipped or folded
``<id>.shipped``  the broker has confirmed its batches, at the file's modification time
``<id>.folded``   the ledger has shown its batches, at the file's modification time

A state changes by renaming, so each change is whole or has not happened. The lock is the
kernel's on the segment itself: it ends with its process, however that ends.

An id is the time of its first line (12 hex digits, milliseconds), the machine (8) and chance (12).
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trackable import conf, notices
from trackable.journal import files, machines

logger = logging.getLogger(__name__)

OPEN: Final = ".open"
SEALED: Final = ".sealed"
SHIPPED: Final = ".shipped"
FOLDED: Final = ".folded"
STATES: Final = (OPEN, SEALED, SHIPPED, FOLDED)

#: its modification time is that of the last request
SEAL_REQUEST: Final = "seal-request"

ID_LENGTH: Final = 32
TIME_LENGTH: Final = 12
MACHINE: Final = slice(TIME_LENGTH, TIME_LENGTH + machines.ID_LENGTH)
ID_TEXT: Final = re.compile(rf"[0-9a-f]{{{ID_LENGTH}}}")

#: How far the times of files may be ahead where clocks of a network are not quite equal.
CLOCK_TOLERANCE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One file of the journal, as a listing showed it. Sorts by age, oldest first."""

    id: str
    state: str
    directory: Path

    @property
    def path(self) -> Path:
        return self.directory / (self.id + self.state)

    @property
    def created_at(self) -> float:
        """Seconds since the epoch at which its first line was written."""
        return int(self.id[:TIME_LENGTH], 16) / 1000

    @property
    def machine(self) -> str:
        """The id of the machine that wrote it; earlier versions have put chance there."""
        return self.id[MACHINE]

    def read(self) -> bytes:
        """Return its content. Raises ``FileNotFoundError`` if its state has changed since."""
        return files.read(self.path)

    def size_bytes(self) -> int:
        """Return its size; 0 if its state has changed since."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def changed_at(self) -> float:
        """Return the seconds since the epoch of its last change of state; 0 if it has gone."""
        try:
            return self.path.stat().st_mtime
        except FileNotFoundError:
            return 0.0

    def become(self, state: str) -> Segment | None:
        """Change its state now; ``None`` if somebody else has changed it since the listing.

        ``None`` also if the disk refuses, which is logged: it is as it was then.
        """
        changed = Segment(self.id, state, self.directory)
        try:
            os.utime(self.path)
            os.rename(self.path, changed.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            files.complain(self.path, error)
            return None
        return changed

    def remove(self) -> None:
        """Remove it: the one place in which counts leave the journal."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            files.complain(self.path, error)


def new_id() -> str:
    """Return an id that no other segment has on any machine, and that sorts by time.

    Raises ``OSError`` if the process is out of file descriptors.
    """
    chance = secrets.token_hex((ID_LENGTH - MACHINE.stop) // 2)
    return f"{int(time.time() * 1000):0{TIME_LENGTH}x}{machines.identity()}{chance}"


def listing(directory: Path, *states: str) -> list[Segment]:
    """Return the segments in any of the states (all, if none is given), oldest first."""
    try:
        with os.scandir(directory) as entries:
            return sorted(_segments(directory, entries, states or STATES))
    except FileNotFoundError:
        return []
    except OSError as error:
        files.complain(directory, error)
        return []


def count(directory: Path, *states: str) -> int:
    """Return the number of segments in these states."""
    try:
        return sum(name.endswith(states) for name in os.listdir(directory))
    except OSError:
        return 0


def _segments(
    directory: Path, entries: Iterable[os.DirEntry[str]], states: tuple[str, ...]
) -> Iterator[Segment]:
    for entry in entries:
        stem, dot, state = entry.name.partition(".")
        if dot + state not in states or not ID_TEXT.fullmatch(stem):
            continue
        if entry.is_file(follow_symlinks=False):
            yield Segment(stem, dot + state, directory)
        else:
            files.complain(directory / entry.name, files.no_file(directory / entry.name))


def content_of(directory: Path, segment_id: str) -> bytes:
    """Return the content of a segment that is no longer open, in whichever state it is.

    Raises ``FileNotFoundError`` if it has been removed.
    """
    for state in (SEALED, SHIPPED, FOLDED, SEALED):
        with suppress(FileNotFoundError):
            return Segment(segment_id, state, directory).read()
    raise FileNotFoundError(f"Segment {segment_id} is no longer in {directory}.")


def create(directory: Path) -> tuple[Segment, int]:
    """Create an open segment and return it with its locked file descriptor.

    Raises ``OSError`` if the directory or the disk refuses.
    """
    directory.mkdir(parents=True, exist_ok=True)
    machines.beat(directory)
    while True:
        segment = Segment(new_id(), OPEN, directory)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(segment.path, flags, files.MODE)
        try:
            files.share(fd, directory)
            # Somebody may have adopted it between its creation and its locking: try again.
            if lock(fd) and is_at(fd, segment.path):
                return segment, fd
        except OSError:
            segment.remove()
            os.close(fd)
            raise
        os.close(fd)


def seal(segment: Segment, fd: int) -> Segment | None:
    """Seal a segment whose lock is held through ``fd``, and close that; remove it if empty.

    One that somebody has deleted or moved is written anew: its content lives as long as ``fd``.
    A copy that comes to light again has the same id, and counts once.
    """
    try:
        found = os.fstat(fd)
        if found.st_size == 0:
            segment.remove()
            return None
        if _is_gone(segment, fd):
            _restore(segment, os.pread(fd, found.st_size, 0))
        if conf.fsync_policy() != "off":
            os.fsync(fd)
        sealed = segment.become(SEALED)
        if sealed is not None and conf.fsync_policy() != "off":
            sync_directory(segment.directory)
        return sealed
    finally:
        os.close(fd)


def _is_gone(segment: Segment, fd: int) -> bool:
    """Tell whether its file has left its folder: who takes us for dead only changes its state."""
    found = (Segment(segment.id, state, segment.directory).path for state in (*STATES, SEALED))
    return not any(is_at(fd, path) for path in found)


def _restore(segment: Segment, content: bytes) -> None:
    segment.directory.mkdir(parents=True, exist_ok=True)
    draft = segment.directory / f"{segment.id}.draft"
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, files.MODE)
    with open(fd, "wb") as file:
        files.share(fd, segment.directory)
        file.write(content)
        file.flush()
        os.fsync(fd)
    draft.rename(segment.path)
    logger.error("Somebody has deleted or moved %s; it is there again.", segment.path)


def adopt(directory: Path) -> list[Segment]:
    """Seal the open segments whose processes have died, and return them.

    Shows that this machine lives, and leaves alone what is of others that may live too.
    """
    if not directory.is_dir():
        return []
    # Listed before the machines: whoever has opened one of these has shown itself first.
    found = list(listing(directory, OPEN))
    others = machines.others(directory, machines.beat(directory))
    for machine in others:
        if machine.is_neighbour and notices.is_news(f"{directory} is shared with {machine.id}"):
            logger.error(
                "Another machine, %s, uses the journal %s too: give each its own"
                " TRACKABLE_JOURNAL_DIR. Its open segments are left alone.",
                ascii(machine.host),
                directory,
            )
    living = {machine.id for machine in others}
    orphans = [segment for segment in found if segment.machine not in living]
    return [adopted for orphan in orphans if (adopted := _adopt(orphan)) is not None]


def _adopt(orphan: Segment) -> Segment | None:
    try:
        fd = os.open(orphan.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        if not _is_free(fd, orphan.path):
            os.close(fd)
            return None
        return seal(orphan, fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        files.complain(orphan.path, error)
        return None


def _is_free(fd: int, path: Path) -> bool:
    """Lock an open segment, and tell whether that succeeded in time."""
    try:
        return lock(fd) and is_at(fd, path)
    except OSError:
        os.close(fd)
        raise


def request_seal(directory: Path) -> None:
    """Ask every process that appends in this directory to seal what it has, at its next look."""
    marker = directory / SEAL_REQUEST
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        fd = os.open(marker, flags, files.MODE)
        try:
            os.utime(fd)
            files.share(fd, directory)
        finally:
            os.close(fd)
    except OSError as error:
        files.complain(marker, error)


def last_request(directory: Path) -> int:
    """Return the time of the last ``request_seal``; only good for comparing with itself."""
    try:
        return (directory / SEAL_REQUEST).stat().st_mtime_ns
    except OSError:
        return 0


def lock(fd: int) -> bool:
    """Take the exclusive lock of an open file; tell at once whether that succeeded."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_at(fd: int, path: Path) -> bool:
    """Tell whether an open file is still the one that its path names."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False


def sync_directory(directory: Path) -> None:
    """Make renames in a directory survive the death of the machine."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def size_bytes(directory: Path) -> int:
    """Return the bytes that the journal takes on disk."""
    return sum(segment.size_bytes() for segment in listing(directory))


def redate(directory: Path, now: float) -> None:
    """Take for changed now what seems to change in the future: the clock was set back since."""
    for segment in listing(directory):
        if segment.changed_at() > now + CLOCK_TOLERANCE_SECONDS:
            with suppress(OSError):
                os.utime(segment.path, (now, now))
