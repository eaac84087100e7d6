"""Figures: what a status says. Ages are in seconds, times are aware and in UTC."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta


@dataclass(frozen=True, slots=True)
class Failed:
    """A part that could not be asked, and why."""

    error: str


@dataclass(frozen=True, slots=True)
class Fold:
    """The last fold: of this machine with its duration, or a database's last transaction."""

    at: datetime
    age_seconds: float
    increments: int
    duration_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal of this machine. ``oldest`` is of what is not known to be folded."""

    directory: str
    exists: bool
    size_bytes: int
    max_bytes: int
    share_percent: float
    #: state -> number
    segments: dict[str, int]
    oldest_at: datetime | None
    oldest_age_seconds: float | None
    #: outage -> the time since somebody last met it
    outages_met_seconds: dict[str, float]
    #: the hosts that use this folder too; each should have its own
    other_machines: list[str]


@dataclass(frozen=True, slots=True)
class Machine:
    """What the processes of this machine have done since it has a journal."""

    #: the names of ``tally.SUMS`` -> number
    sums: dict[str, int]
    last_fold: Fold | None


@dataclass(frozen=True, slots=True)
class Broker:
    """The messages that wait, by data class; and the queues that the broker refuses, with why."""

    queues: dict[str, int]
    refused: dict[str, str]


@dataclass(frozen=True, slots=True)
class Folded:
    """The sums of the ledger over some time; ``is_partial`` if of the newest entries alone."""

    increments: int
    filtered: int
    dropped: int
    damaged: int
    is_partial: bool


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What a data class has in the quarantine."""

    messages: int
    increments: int


@dataclass(frozen=True, slots=True)
class Quarantine:
    """What is in the quarantine; ``is_partial`` if only the newest messages were counted."""

    messages: int
    increments: int
    is_partial: bool
    oldest_at: datetime | None
    oldest_age_seconds: float | None
    data_classes: dict[str, Quarantined]


@dataclass(frozen=True, slots=True)
class Database:
    """The ledger and the quarantine of one database, whichever machines fold into it."""

    last_fold: Fold | None
    last_hour: Folded
    last_day: Folded
    oldest_entry_at: datetime | None
    oldest_entry_age_seconds: float | None
    quarantine: Quarantine
    #: data class -> step -> the moment before which rows are of that step or a coarser one
    rolled_up: dict[str, dict[str, datetime]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Status:
    """All of it. ``broker`` is ``None`` where there is none: the folds read the journal."""

    journal: Journal | Failed
    machine: Machine | Failed
    broker: Broker | Failed | None
    databases: dict[str, Database | Failed]
    host: str = field(default_factory=socket.gethostname)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def parts(self) -> Iterator[tuple[str, object]]:
        """Yield every part that was asked, with its name."""
        yield "journal", self.journal
        yield "machine", self.machine
        if self.broker is not None:
            yield "broker", self.broker
        for alias, database in self.databases.items():
            yield f"database {alias}", database


def before(age_seconds: float) -> datetime:
    """Return the time that was so long ago."""
    return datetime.now(UTC) - timedelta(seconds=age_seconds)
