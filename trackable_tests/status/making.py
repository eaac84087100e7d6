"""Makes statuses of which a test says only what matters to it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from trackable.status.figures import (
    Broker,
    Database,
    Failed,
    Fold,
    Folded,
    Journal,
    Machine,
    Quarantine,
    Status,
    before,
)

NOTHING = Folded(0, 0, 0, 0, is_partial=False)
NO_QUARANTINE = Quarantine(0, 0, False, None, None, {})


def a_journal(**changed: Any) -> Journal:
    journal = Journal(
        directory="/srv/journal",
        exists=True,
        size_bytes=0,
        max_bytes=1 << 30,
        share_percent=0.0,
        segments={"open": 0, "sealed": 0, "shipped": 0, "folded": 0},
        oldest_at=None,
        oldest_age_seconds=None,
        outages_met_seconds={},
        other_machines=[],
    )
    return replace(journal, **changed)


def a_machine(last_fold: Fold | None = None, **sums: int) -> Machine:
    names = (
        *("emitted", "refused", "shipped", "resent", "folds", "folded", "filtered", "dropped"),
        *("damaged", "quarantined", "duplicates"),
    )
    return Machine({name: sums.get(name, 0) for name in names}, last_fold)


def a_fold(age_seconds: float, **changed: Any) -> Fold:
    return replace(Fold(before(age_seconds), age_seconds, 10), **changed)


def a_quarantine(messages: int, **changed: Any) -> Quarantine:
    quarantine = replace(NO_QUARANTINE, messages=messages, oldest_age_seconds=60.0)
    return replace(quarantine, **changed)


def a_database(**changed: Any) -> Database:
    return replace(Database(None, NOTHING, NOTHING, None, None, NO_QUARANTINE), **changed)


def a_status(
    journal: Journal | Failed | None = None,
    machine: Machine | Failed | None = None,
    broker: Broker | Failed | None = None,
    database: Database | Failed | None = None,
) -> Status:
    databases = {"default": database or a_database()}
    return Status(journal or a_journal(), machine or a_machine(), broker, databases, host="web1")
