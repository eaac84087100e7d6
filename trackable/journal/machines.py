"""Machines: each should have a folder of its own, and if two share one, neither may lose by it.

The locks of files reach the processes of one kernel. So a machine, told by its kernel's boot id,
touches a file ``<machine>.machine`` as long as it lives, and its segments bear its name: until
that file is old, other machines leave its open segments alone.
"""

from __future__ import annotations

import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from trackable.journal import files

logger = logging.getLogger(__name__)

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
SUFFIX: Final = ".machine"
ID_LENGTH: Final = 8

#: The age of a heartbeat at which a machine is taken for dead.
LIFE_SECONDS: Final = 300.0
#: How long a process may append without a heartbeat: less, lest it is taken for dead meanwhile.
LEASE_SECONDS: Final = 100.0
FORGET_SECONDS: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True, order=True)
class Machine:
    """Another machine that may be alive. ``is_neighbour`` if it was, since this one was booted."""

    id: str
    host: str
    is_neighbour: bool


@lru_cache(maxsize=1)
def identity() -> str:
    """Return what tells this machine, since it was booted, from others.

    Raises ``OSError`` if the process is out of file descriptors.
    """
    try:
        kernel = files.read(BOOT_ID)
    except (FileNotFoundError, PermissionError):
        kernel = platform.node().encode()  # not on Linux
    return sha256(kernel.strip()).hexdigest()[:ID_LENGTH]


def beat(directory: Path) -> float:
    """Show that this machine lives; return the time by the clock that dates the folder's files.

    A heartbeat that fails is passed over: it matters only if another machine is there.
    """
    path = directory / (identity() + SUFFIX)
    try:
        try:
            os.utime(path)
        except FileNotFoundError:
            _introduce(path)
        return path.stat().st_mtime
    except OSError as error:
        logger.debug("No heartbeat in %s: %s", path, error)
        return time.time()


def _introduce(path: Path) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, files.MODE)
    try:
        files.share(fd, path.parent)
        os.write(fd, platform.node().encode())
    finally:
        os.close(fd)


def others(directory: Path, now: float) -> list[Machine]:
    """Return the other machines that may be alive, at a time that ``beat`` returned."""
    return sorted(_others(directory, now))


def _others(directory: Path, now: float) -> Iterator[Machine]:
    for path in _heartbeats(directory):
        try:
            beat_at, host = path.stat().st_mtime, _host_of(path)
        except OSError:
            continue
        is_neighbour = beat_at > _booted_at(now)
        is_predecessor = host == platform.node() and not is_neighbour
        if now - beat_at > FORGET_SECONDS:
            with suppress(OSError):
                path.unlink()
        elif beat_at - now > LIFE_SECONDS:
            # The clock was set back. If the machine lives it goes on, if not it ages from now.
            with suppress(OSError):
                os.utime(path, (now, now))
            yield Machine(path.stem, host, is_neighbour=False)
        elif now - beat_at <= LIFE_SECONDS and not is_predecessor:
            yield Machine(path.stem, host, is_neighbour)


def _heartbeats(directory: Path) -> list[Path]:
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    own = identity() + SUFFIX
    return [directory / name for name in names if name.endswith(SUFFIX) and name != own]


def _host_of(path: Path) -> str:
    return files.read(path)[:255].decode(errors="replace")


def _booted_at(now: float) -> float:
    if not hasattr(time, "CLOCK_BOOTTIME"):
        return 0.0
    return now - time.clock_gettime(time.CLOCK_BOOTTIME)
