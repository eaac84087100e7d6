"""The journal's part: what waits in the folder of this machine, and what its tally says."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from trackable import alarms, conf
from trackable.journal import machines, segments, tally
from trackable.journal.segments import FOLDED, STATES, Segment
from trackable.management.printing import printable
from trackable.status.figures import Fold, Journal, Machine

#: A living process meets an outage every half minute. What nobody has met for so long is over, or
#: its processes are; then nobody will say so.
OUTAGE_SECONDS: Final = 900.0


def read_journal() -> Journal:
    """Return the figures of the journal. Raises ``OSError`` if its folder cannot be read."""
    directory, max_bytes = conf.journal_dir(), int(conf.get("JOURNAL_MAX_BYTES"))
    exists = _is_readable(directory)
    found = segments.listing(directory) if exists else []
    size_bytes = sum(segment.size_bytes() for segment in found)
    oldest_at = _oldest_at(found)
    return Journal(
        directory=str(directory),
        exists=exists,
        size_bytes=size_bytes,
        max_bytes=max_bytes,
        share_percent=round(100 * size_bytes / max_bytes, 2),
        segments={state[1:]: sum(s.state == state for s in found) for state in STATES},
        oldest_at=oldest_at,
        oldest_age_seconds=_age_seconds(oldest_at) if oldest_at else None,
        outages_met_seconds=_outages(directory),
        other_machines=_other_machines(directory) if exists else [],
    )


def read_machine() -> Machine:
    """Return the machine's tally. Raises ``OSError`` if it cannot be read."""
    directory = conf.journal_dir()
    with suppress(FileNotFoundError):
        (directory / tally.FILE_NAME).open("rb").close()
    numbers = tally.read(directory)
    return Machine({name: numbers[name] for name in tally.SUMS}, _last_fold(numbers))


def _is_readable(directory: Path) -> bool:
    """Tell whether there is a journal; ``segments.listing`` takes an unreadable one for empty."""
    try:
        os.listdir(directory)
    except FileNotFoundError:
        return False
    return True


def _oldest_at(found: list[Segment]) -> datetime | None:
    waiting = [segment.created_at for segment in found if segment.state != FOLDED]
    return datetime.fromtimestamp(min(waiting), UTC) if waiting else None


def _age_seconds(at: datetime) -> float:
    return max(time.time() - at.timestamp(), 0.0)


def _outages(directory: Path) -> dict[str, float]:
    met = {}
    for outage in (alarms.BROKER, alarms.JOURNAL):
        met_at = alarms.last_met(directory, outage)
        if met_at is not None and time.time() - met_at < OUTAGE_SECONDS:
            met[outage] = max(time.time() - met_at, 0.0)
    return met


def _other_machines(directory: Path) -> list[str]:
    found = machines.others(directory, machines.beat(directory))
    return sorted({printable(machine.host) for machine in found})


def _last_fold(numbers: dict[str, int]) -> Fold | None:
    if not numbers["fold_at"]:
        return None
    at = datetime.fromtimestamp(numbers["fold_at"], UTC)
    return Fold(
        at=at,
        age_seconds=_age_seconds(at),
        increments=numbers["fold_increments"],
        duration_seconds=numbers["fold_milliseconds"] / 1000,
    )
