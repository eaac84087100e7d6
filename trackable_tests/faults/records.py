"""Records: what producers were told, one file for each thread of each process.

``? <number> <class> <page> <period or -> <field> <amount>`` before an emit, and after it
``+ <number>`` if it was acknowledged or ``- <number>`` if it was not. A line is one write, so a
process that is killed leaves at most its last emit without an answer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Final

from trackable_tests.faults.traffic import Counter, Event

SYNC_EVERY: Final = 200
SYNC_SECONDS: Final = 0.1
SUFFIX: Final = ".record"

ATTEMPTED, ACKNOWLEDGED, REFUSED = "?", "+", "-"


class Recorder:
    """Writes one record; not for several threads."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._number = 0
        self._synced_at = time.monotonic()

    def attempt(self, event: Event) -> None:
        """Say what is about to be emitted."""
        counter = event.counter
        cells = (counter.data_class, counter.page, counter.period or "-", counter.field)
        self._number += 1
        self._write(ATTEMPTED, *cells, event.amount)

    def answer(self, is_acknowledged: bool) -> None:
        """Say what the last attempt was told."""
        self._write(ACKNOWLEDGED if is_acknowledged else REFUSED)
        now = time.monotonic()
        if self._number % SYNC_EVERY == 0 or now - self._synced_at > SYNC_SECONDS:
            os.fsync(self._fd)
            self._synced_at = now

    def _write(self, kind: str, *cells: object) -> None:
        os.write(self._fd, " ".join(map(str, (kind, self._number, *cells))).encode() + b"\n")


@dataclass(slots=True)
class Expected:
    """What one counter must show: all that was acknowledged, and any of what has no answer."""

    acknowledged: Decimal = Decimal(0)
    increments: int = 0
    uncertain: list[Decimal] = field(default_factory=list)


@dataclass(slots=True)
class Recorded:
    """The sum of all records. ``refused`` were told ``False``; a ``False`` counts nothing."""

    counters: dict[Counter, Expected] = field(default_factory=dict)
    emitted: int = 0
    acknowledged: int = 0
    refused: int = 0
    uncertain: int = 0

    def add(self, lines: Iterable[str]) -> None:
        """Add the lines of one record."""
        attempt: tuple[str, Expected, Decimal] | None = None
        for line in lines:
            if not line.endswith("\n"):
                break  # the attempt was not even written
            kind, number, *cells = line.split()
            if kind == ATTEMPTED:
                self._leave(attempt)
                attempt = (number, self._of(cells), Decimal(cells[4]))
                self.emitted += 1
                continue
            assert attempt is not None, line
            assert attempt[0] == number, line
            if kind == ACKNOWLEDGED:
                _, expected, amount = attempt
                expected.acknowledged += amount
                expected.increments += 1
                self.acknowledged += 1
            else:
                self.refused += 1
            attempt = None
        self._leave(attempt)

    def _of(self, cells: list[str]) -> Expected:
        data_class, page, period, name = cells[:4]
        counter = Counter(data_class, int(page), "" if period == "-" else period, name)
        return self.counters.setdefault(counter, Expected())

    def _leave(self, attempt: tuple[str, Expected, Decimal] | None) -> None:
        if attempt is not None:
            _, expected, amount = attempt
            expected.uncertain.append(amount)
            self.uncertain += 1


def read(folder: Path) -> Recorded:
    """Return the sum of the records in a folder."""
    recorded = Recorded()
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with path.open() as lines:
            recorded.add(lines)
    return recorded
