"""Limits: which figures are a problem. Pure: a status and its limits give the problems."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from trackable import alarms, conf
from trackable.status.figures import Broker, Database, Failed, Journal, Status
from trackable.status.words import counted, duration

#: what a fold that is due every period may need beyond it
SLACK_SECONDS: Final = 300.0

FOLD_CURE: Final = (
    "see that folds run: Celery's beat and a worker, or fold_trackable_messages in cron"
)
JOURNAL_CURE: Final = "run this as the user who emits, and see to the folder and its disk"
BROKER_CURE: Final = "start it, or correct TRACKABLE_BROKER_URL; nothing is lost meanwhile"
DATABASE_CURE: Final = "see that it runs and that 'migrate' was run; nothing is lost meanwhile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be; ``None`` for whatever it is."""

    max_age_seconds: float | None
    max_journal_percent: float | None = 80.0
    max_depth: int | None = None
    max_fold_age_seconds: float | None = None
    max_quarantined: int | None = None

    @classmethod
    def default(cls) -> Limits:
        """Return the limits that the settings make: one fold may be left out, two may not."""
        return cls(max_age_seconds=2 * float(conf.get("COLLECTION_PERIOD")) + SLACK_SECONDS)


@dataclass(frozen=True, slots=True)
class Problem:
    """A limit that is passed, or a part that failed: its short name, what is, and the cure."""

    name: str
    text: str
    cure: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}. Cure: {self.cure}."


def problems(status: Status, limits: Limits) -> list[Problem]:
    """Return what is wrong, the worst first."""
    return [
        *_failures(status),
        *_outages(status),
        *_journal(status, limits),
        *_queues(status, limits),
        *_folds(status, limits),
        *_quarantine(status, limits),
    ]


def _failures(status: Status) -> Iterator[Problem]:
    cures = {"journal": JOURNAL_CURE, "machine": JOURNAL_CURE, "broker": BROKER_CURE}
    for part, figures in status.parts():
        if isinstance(figures, Failed):
            text = f"the {part} cannot be asked ({figures.error})"
            yield Problem("failed", text, cures.get(part, DATABASE_CURE))
    if isinstance(status.broker, Broker):
        for label, error in status.broker.refused.items():
            cure = "see TRACKABLE_QUEUE_ARGUMENTS, and how the queue was declared before"
            yield Problem("failed", f"the broker refuses the queue of {label} ({error})", cure)


def _outages(status: Status) -> Iterator[Problem]:
    met = status.journal.outages_met_seconds if isinstance(status.journal, Journal) else {}
    if alarms.JOURNAL in met:
        text = f"increments were dropped {duration(met[alarms.JOURNAL])} ago: the journal is full"
        yield Problem("outage", f"{text} or cannot be written", f"{FOLD_CURE}; {JOURNAL_CURE}")
    if alarms.BROKER in met:
        text = f"the broker was away {duration(met[alarms.BROKER])} ago"
        yield Problem("outage", text, BROKER_CURE)


def _journal(status: Status, limits: Limits) -> Iterator[Problem]:
    journal = status.journal
    if isinstance(journal, Failed):
        return
    age, max_age = journal.oldest_age_seconds, limits.max_age_seconds
    if age is not None and max_age is not None and age > max_age:
        text = f"increments wait here for {duration(age)}, more than {duration(max_age)}"
        yield Problem("max-age", text, FOLD_CURE)
    if (
        limits.max_journal_percent is not None
        and journal.share_percent > limits.max_journal_percent
    ):
        text = f"the journal has {journal.share_percent:g} % of TRACKABLE_JOURNAL_MAX_BYTES"
        cure = f"{FOLD_CURE}; or raise the setting. At 100 % increments are dropped"
        yield Problem("max-journal", f"{text}, more than {limits.max_journal_percent:g} %", cure)


def _queues(status: Status, limits: Limits) -> Iterator[Problem]:
    if not isinstance(status.broker, Broker) or limits.max_depth is None:
        return
    for label, depth in status.broker.queues.items():
        if depth > limits.max_depth:
            text = f"{counted(depth, 'message')} in the queue of {label}"
            yield Problem("max-depth", f"{text}, more than {limits.max_depth:,}", FOLD_CURE)


def _folds(status: Status, limits: Limits) -> Iterator[Problem]:
    """Find that nobody folds; on a quiet site nobody needs to."""
    databases = [each for each in status.databases.values() if isinstance(each, Database)]
    limit = limits.max_fold_age_seconds
    if limit is None or not databases or not _has_waited(status, limit):
        return
    ages = [each.last_fold.age_seconds for each in databases if each.last_fold]
    if not ages or min(ages) > limit:
        last = f"the last fold was {duration(min(ages))} ago" if ages else "there was no fold yet"
        yield Problem("max-fold-age", f"something waits, and {last}", FOLD_CURE)


def _has_waited(status: Status, seconds: float) -> bool:
    """Tell whether something waits for so long; how long a message does, nobody knows."""
    journal, queues = status.journal, status.broker
    if isinstance(journal, Journal) and journal.oldest_age_seconds is not None:
        return journal.oldest_age_seconds > seconds
    return isinstance(queues, Broker) and any(queues.queues.values())


def _quarantine(status: Status, limits: Limits) -> Iterator[Problem]:
    for alias, database in status.databases.items():
        if isinstance(database, Failed) or limits.max_quarantined is None:
            continue
        number = database.quarantine.messages
        if number > limits.max_quarantined:
            text = f"{counted(number, 'message')} in the quarantine of the database {alias}"
            cure = "see the reasons with trackable_quarantine list, then retry or purge"
            yield Problem("max-quarantined", text, cure)
