"""A directory for each run of the demo, gone when it ends."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PREFIX: Final = "run-"
LOCK: Final = "lock"


@contextmanager
def fresh(base: Path) -> Iterator[Path]:
    """Make a directory below ``base`` for the time of the ``with`` block.

    Those that killed runs have left are removed; those of runs that go on are not touched.
    """
    base.mkdir(parents=True, exist_ok=True)
    with _locked(base / LOCK, wait=True):
        _remove_dead(base)
        directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        own = _lock(directory / LOCK, wait=False)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(own)


def _remove_dead(base: Path) -> None:
    for directory in base.glob(f"{PREFIX}*"):
        try:
            with _locked(directory / LOCK, wait=False):
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            continue


@contextmanager
def _locked(path: Path, *, wait: bool) -> Iterator[None]:
    fd = _lock(path, wait=wait)
    try:
        yield
    finally:
        os.close(fd)


def _lock(path: Path, *, wait: bool) -> int:
    """Lock a file until its descriptor is closed or the process ends; raises ``OSError``."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(fd)
        raise
    return fd
