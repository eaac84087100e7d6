"""Machine locks: held by one process of the machine at a time, and freed by its death."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from trackable.journal import files, segments


class MachineLock:
    """The ``flock`` of a file. A forked child does not keep it from being freed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = -1

    @property
    def is_held(self) -> bool:
        return self._fd >= 0

    def acquire(self) -> bool:
        """Take the lock, or find that this process has it already; never waits.

        Raises ``OSError`` if its directory cannot be written.
        """
        if self._fd >= 0:
            self.beat()
            return True
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, files.MODE)
        try:
            if not segments.lock(fd):
                os.close(fd)
                return False
            files.share(fd, self.path.parent)
        except OSError:
            os.close(fd)
            raise
        self._fd = fd
        _held.add(self)
        return True

    def beat(self) -> None:
        """Show, if this process has the lock, that it is at work."""
        if self._fd >= 0:
            with suppress(OSError):
                os.utime(self._fd)

    def is_quiet(self, seconds: float) -> bool:
        """Tell whether nobody who had the lock has been at work for so long."""
        try:
            # In the future too: the clock was set back since.
            return abs(time.time() - self.path.stat().st_mtime) > seconds
        except OSError:
            return True

    def release(self) -> None:
        fd, self._fd = self._fd, -1
        _held.discard(self)
        if fd >= 0:
            os.close(fd)


_held: set[MachineLock] = set()


def _after_fork() -> None:
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_after_fork)
