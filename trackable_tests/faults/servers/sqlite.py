"""SQLite: a file that cannot be killed, but can be put back to what it was."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

from trackable_tests.faults.servers.base import Database

TIMEOUT_SECONDS = 30


class SQLite(Database):
    """Works with and without a write-ahead log, which is for the one who migrates to choose."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._file = folder / f"{self.name}.db"
        self._copy = folder / "copy.db"
        self._copied: float | None = None

    def start(self) -> None:
        self._file.touch()

    def settings(self, port: int | None = None) -> dict[str, Any]:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(self._file),
            # A process that is killed does not lose what it has written: no need to sync.
            "OPTIONS": {"timeout": TIMEOUT_SECONDS, "init_command": "PRAGMA synchronous = OFF"},
        }

    def connect(self, port: int | None = None) -> sqlite3.Connection:
        return sqlite3.connect(self._file, timeout=TIMEOUT_SECONDS)

    def snapshot(self) -> None:
        begun = time.monotonic()
        new = self.folder / "copy.new"
        new.unlink(missing_ok=True)
        _copy(self._file, new)
        new.replace(self._copy)
        self._copied = begun

    def fail_over(self) -> float:
        if self._copied is None:
            raise RuntimeError("sqlite has no copy to fail over to: take a snapshot first")
        _copy(self._copy, self._file)
        # Known only now: whoever is stopped in a transaction keeps the copy waiting.
        return time.monotonic() - self._copied


def _copy(source: Path, target: Path) -> None:
    """Write a whole database in one transaction, waiting for those of others."""
    with (
        contextlib.closing(sqlite3.connect(source, timeout=TIMEOUT_SECONDS)) as old,
        contextlib.closing(sqlite3.connect(target, timeout=TIMEOUT_SECONDS)) as new,
    ):
        old.backup(new)
