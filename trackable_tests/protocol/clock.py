"""A clock that a test advances, read by everything on a count's way that asks for the time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, Final
from unittest import mock

from trackable import alarms, notices, shipping
from trackable.folding import collect, engine, ledger
from trackable.journal import locks, segments, writer

READERS: Final[tuple[ModuleType, ...]] = (
    alarms,
    collect,
    engine,
    ledger,
    locks,
    notices,
    segments,
    shipping,
    writer,
)
START: Final = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()


class Clock:
    """Stands for the module ``time``, and for the database's clock.

    Machines need not agree: ``skew_seconds`` is of the one that acts, ``database_skew_seconds``
    of the database.
    """

    def __init__(self) -> None:
        self.now = START
        self.skew_seconds = 0.0
        self.database_skew_seconds = 0.0

    def time(self) -> float:
        return self.now + self.skew_seconds

    def monotonic(self) -> float:
        return self.now - START

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def datetime(self) -> datetime:
        return datetime.fromtimestamp(self.time(), UTC)

    def database_datetime(self) -> datetime:
        return datetime.fromtimestamp(self.now + self.database_skew_seconds, UTC)

    def database_seconds(self, _rows: Any) -> float:
        return self.database_datetime().timestamp()

    @contextmanager
    def ruling(self) -> Iterator[None]:
        """Have every reader ask this clock, and files be dated by it."""
        utime = os.utime

        def date(path: Any, times: Any = None, **kwargs: Any) -> None:
            utime(path, times or (self.time(), self.time()), **kwargs)

        with ExitStack() as patches:
            for reader in READERS:
                patches.enter_context(mock.patch.object(reader, "time", self))
            zoned = mock.Mock(now=self.datetime)
            patches.enter_context(mock.patch.object(engine, "timezone", zoned))
            patches.enter_context(mock.patch.object(ledger, "DatabaseNow", self.database_datetime))
            patches.enter_context(mock.patch.object(ledger, "clock", self.database_seconds))
            patches.enter_context(mock.patch.object(ledger, "_pruned_at", -1e9))
            patches.enter_context(mock.patch.object(os, "utime", date))
            yield
