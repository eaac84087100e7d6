"""Segments: the journal's files, and the states that their names tell.

``<id>.open``     a process appends to it, and holds its ``flock``
``<id>.sealed``   never changes again; to be shipped or folded
``<id>.shipped``  the broker has confirmed its batches, at the file's modification time
``<id>.folded``   the ledger has shown its batches, at the file's modification time

A state changes by renaming, so each change is whole or has not happened. The lock is the
kernel's on the segment itself: it ends with its process, however that ends.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from trackable import conf, notices

logger = logging.getLogger(__name__)

OPEN: Final = ".open"
SEALED: Final = ".sealed"
SHIPPED: Final = ".shipped"
FOLDED: Final = ".folded"
STATES: Final = (OPEN, SEALED, SHIPPED, FOLDED)

#: its modification time is that of the last request
SEAL_REQUEST: Final = "seal-request"

#: less the umask: processes of one group may share a journal
FILE_MODE: Final = 0o660

ID_LENGTH: Final = 32
TIME_LENGTH: Final = 12


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

    def read(self) -> bytes:
        """Return its content. Raises ``FileNotFoundError`` if its state has changed since."""
        return self.path.read_bytes()

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
        """Change its state now; ``None`` if somebody else has changed it since the listing."""
        changed = Segment(self.id, state, self.directory)
        try:
            os.utime(self.path)
            os.rename(self.path, changed.path)
        except FileNotFoundError:
            return None
        except PermissionError as error:
            complain(self.path, error)
            return None
        return changed

    def remove(self) -> None:
        """Remove it: the one place in which counts leave the journal."""
        self.path.unlink(missing_ok=True)


def new_id() -> str:
    """Return an id that no other segment has on any machine, and that sorts by time."""
    random_length = (ID_LENGTH - TIME_LENGTH) // 2
    return f"{int(time.time() * 1000):0{TIME_LENGTH}x}{secrets.token_hex(random_length)}"


def listing(directory: Path, *states: str) -> list[Segment]:
    """Return the segments in any of the states (all, if none is given), oldest first."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    except OSError as error:
        complain(directory, error)
        return []
    return sorted(_segments(directory, names, states or STATES))


def count(directory: Path, *states: str) -> int:
    """Return the number of segments in these states."""
    try:
        return sum(name.endswith(states) for name in os.listdir(directory))
    except OSError:
        return 0


def _segments(directory: Path, names: list[str], states: tuple[str, ...]) -> Iterator[Segment]:
    for name in names:
        stem, dot, state = name.partition(".")
        if len(stem) == ID_LENGTH and dot + state in states:
            yield Segment(stem, dot + state, directory)


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
    while True:
        segment = Segment(new_id(), OPEN, directory)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        fd = os.open(segment.path, flags, FILE_MODE)
        try:
            share(fd, directory)
            # Somebody may have adopted it between its creation and its locking: try again.
            if lock(fd) and is_at(fd, segment.path):
                return segment, fd
        except OSError:
            segment.remove()
            os.close(fd)
            raise
        os.close(fd)


def share(fd: int, directory: Path) -> None:
    """Give a new file to those who share its directory, also where root makes it."""
    owner = os.stat(directory)
    if os.geteuid() == 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)
    os.fchmod(fd, stat.S_IRUSR | stat.S_IWUSR | (owner.st_mode & (stat.S_IRGRP | stat.S_IWGRP)))


def complain(path: Path, error: OSError) -> None:
    """Say, once an hour, that a file is passed over, and what to do about it."""
    if notices.is_news(f"{path}: {error}"):
        is_foreign = isinstance(error, PermissionError)
        cure = ": let all processes of the journal run as one user or group" if is_foreign else ""
        logger.error("%s is passed over (%s)%s.", path, error.strerror, cure)


def seal(segment: Segment, fd: int) -> Segment | None:
    """Seal a segment whose lock is held through ``fd``, and close that; remove it if empty."""
    try:
        if os.fstat(fd).st_size == 0:
            segment.remove()
            return None
        if conf.fsync_policy() != "off":
            os.fsync(fd)
        sealed = segment.become(SEALED)
        if sealed is not None and conf.fsync_policy() != "off":
            sync_directory(segment.directory)
        return sealed
    finally:
        os.close(fd)


def adopt(directory: Path) -> list[Segment]:
    """Seal the open segments whose processes have died, and return them."""
    adopted = (_adopt(orphan) for orphan in listing(directory, OPEN))
    return [segment for segment in adopted if segment is not None]


def _adopt(orphan: Segment) -> Segment | None:
    try:
        fd = os.open(orphan.path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        complain(orphan.path, error)
        return None
    try:
        if not (lock(fd) and is_at(fd, orphan.path)):
            os.close(fd)
            return None
    except OSError:
        os.close(fd)
        raise
    return seal(orphan, fd)


def request_seal(directory: Path) -> None:
    """Ask every process that appends in this directory to seal what it has, at its next look."""
    marker = directory / SEAL_REQUEST
    try:
        fd = os.open(marker, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            os.utime(fd)
            share(fd, directory)
        finally:
            os.close(fd)
    except OSError as error:
        complain(marker, error)


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
