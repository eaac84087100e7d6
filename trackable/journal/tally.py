"""The tally: what this machine has done so far, in numbers for those who watch it.

Processes add to one small file under its lock, never in an emit. It is near, not exact: who dies
between a deed and its entry leaves it out. What is exact is the ledger.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from pathlib import Path
from typing import Final

from trackable.journal import files, segments

FILE_NAME: Final = "tally"
#: Numbers are not worth waiting for a process that was stopped with the lock.
LOCK_ATTEMPTS: Final = 20
LOCK_PAUSE_SECONDS: Final = 0.005
#: How long after waiting in vain a process does not wait again.
LOCK_RETRY_SECONDS: Final = 5.0

#: what is added up, in the order of the file
SUMS: Final = (
    "emitted",  # lines that the journal took: increments, and hits that were filtered
    "refused",  # increments that it did not take
    "shipped",  # increments that the broker has confirmed; more than once if sent again
    "resent",  # segments sent again because the ledger did not show them in time
    "folds",
    "folded",  # increments that folds of this machine have counted
    "filtered",
    "dropped",
    "damaged",
    "quarantined",  # messages
    "duplicates",  # batches that the ledger knew already
)
#: what is replaced: the last fold of this machine that took anything
LAST: Final = ("fold_at", "fold_increments", "fold_milliseconds")
NAMES: Final = (*SUMS, *LAST)

_NUMBERS: Final = struct.Struct(f"<{len(NAMES)}q")
_MOST: Final = (1 << 63) - 1


def read(directory: Path) -> dict[str, int]:
    """Return the numbers by name; zeros where nothing was done yet or nothing can be read."""
    try:
        content = files.read(directory / FILE_NAME)
    except OSError:
        content = b""
    return _unpack(content)


def add(directory: Path, **numbers: int) -> bool:
    """Add to the sums that are named, and replace the numbers of the last fold.

    ``False`` if nothing was added: the disk refuses, or somebody holds the lock who was stopped.
    """
    if not any(numbers.values()):
        return True
    path = directory / FILE_NAME
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.MODE)
        try:
            return _add(fd, directory, numbers)
        finally:
            os.close(fd)
    except FileNotFoundError:
        return False  # there is no journal
    except OSError as error:
        files.complain(path, error)
        return False


def _add(fd: int, directory: Path, numbers: dict[str, int]) -> bool:
    if not _lock(fd):
        return False
    try:
        if os.fstat(fd).st_size == 0:
            files.share(fd, directory)
        tally = _unpack(os.pread(fd, _NUMBERS.size + 1, 0))
        for name, number in numbers.items():
            tally[name] = min(number if name in LAST else tally[name] + number, _MOST)
        os.pwrite(fd, _NUMBERS.pack(*(tally[name] for name in NAMES)), 0)
        os.ftruncate(fd, _NUMBERS.size)
    finally:
        # Closing alone does not free it where another thread has forked meanwhile.
        fcntl.flock(fd, fcntl.LOCK_UN)
    return True


_gave_up_at = -LOCK_RETRY_SECONDS


def _lock(fd: int) -> bool:
    global _gave_up_at
    is_patient = time.monotonic() - _gave_up_at >= LOCK_RETRY_SECONDS
    for _ in range(LOCK_ATTEMPTS if is_patient else 1):
        if segments.lock(fd):
            return True
        if is_patient:
            time.sleep(LOCK_PAUSE_SECONDS)
    if is_patient:
        _gave_up_at = time.monotonic()
    return False


def _unpack(content: bytes) -> dict[str, int]:
    if len(content) != _NUMBERS.size:
        return dict.fromkeys(NAMES, 0)
    return dict(zip(NAMES, _NUMBERS.unpack(content), strict=True))
