"""Reports: a status as a person reads it, on one screen, and as a program does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from trackable.management.printing import printable
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
)
from trackable.status.limits import Problem
from trackable.status.words import counted, duration, size

NAME_WIDTH: Final = 22
#: More queues and data classes than this are in the JSON alone.
MAX_LISTED: Final = 8


def as_json(status: Status, found: list[Problem]) -> str:
    """Return a status as one JSON object; the keys are those of the dataclasses."""
    problems = [asdict(problem) for problem in found]
    content = {"ok": not found, "problems": problems, **asdict(status)}
    return json.dumps(content, indent=2, default=_to_json)


def _to_json(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    raise TypeError(f"{value!r} is no part of a status")


def as_text(status: Status, found: list[Problem]) -> str:
    """Return a status as lines of text; what is wrong is in the first."""
    names = ", ".join(dict.fromkeys(problem.name for problem in found))
    verdict = f"has problems ({names})" if found else "is well"
    lines = [f"trackable {verdict}: {printable(status.host)}, {status.at:%Y-%m-%d %H:%M:%S} UTC"]
    lines += ["", "Journal", *_part(status.journal, _journal)]
    lines += ["", "This machine, so far", *_part(status.machine, _machine)]
    lines += ["", "Broker"]
    if status.broker is None:
        lines.append("  none: folds read the journal")
    else:
        lines += _part(status.broker, _broker)
    for alias, database in status.databases.items():
        lines += ["", f"Database {printable(alias)}, all machines", *_part(database, _database)]
    return "\n".join(lines)


def _part(part: Any, describe: Any) -> list[str]:
    return [f"  failed: {part.error}"] if isinstance(part, Failed) else list(describe(part))


def _line(name: str, value: object) -> str:
    return f"  {name:<{NAME_WIDTH - 1}} {value}"


def _journal(journal: Journal) -> Iterator[str]:
    note = "" if journal.exists else " (is not there: nothing was emitted here)"
    yield _line("folder", printable(journal.directory) + note)
    share = f"{journal.share_percent:g} % of {size(journal.max_bytes)}"
    yield _line("size", f"{size(journal.size_bytes)}, {share}")
    numbers = (f"{number:,} {state}" for state, number in journal.segments.items())
    yield _line("segments", ", ".join(numbers))
    age = journal.oldest_age_seconds
    yield _line("oldest not folded", "nothing waits" if age is None else f"{duration(age)} old")
    for outage, seconds in journal.outages_met_seconds.items():
        yield _line(f"{outage} outage", f"last met {duration(seconds)} ago")
    if journal.other_machines:
        yield _line("used too by", ", ".join(journal.other_machines[:MAX_LISTED]))


def _machine(machine: Machine) -> Iterator[str]:
    sums = machine.sums
    yield _line("emitted", f"{sums['emitted']:,}, {sums['refused']:,} refused")
    yield _line("shipped", f"{sums['shipped']:,}, {counted(sums['resent'], 'segment')} sent again")
    others = ", ".join(f"{sums[name]:,} {name}" for name in ("filtered", "dropped", "damaged"))
    yield _line("folded", f"{sums['folded']:,} in {counted(sums['folds'], 'fold')}, {others}")
    known = f"{counted(sums['duplicates'], 'batch')} known already"
    yield _line("not folded", f"{counted(sums['quarantined'], 'message')} quarantined, {known}")
    yield _line("last fold", _fold(machine.last_fold))


def _fold(fold: Fold | None) -> str:
    if fold is None:
        return "none yet"
    text = f"{duration(fold.age_seconds)} ago, {counted(fold.increments, 'increment')}"
    return text if fold.duration_seconds is None else f"{text} in {fold.duration_seconds:.2f} s"


def _broker(broker: Broker) -> Iterator[str]:
    total = sum(broker.queues.values())
    yield _line("waiting", f"{counted(total, 'message')} in {counted(len(broker.queues), 'queue')}")
    filled = {label: depth for label, depth in broker.queues.items() if depth}
    for label, depth in _longest(filled):
        yield _line(f"  {label}", f"{depth:,}")
    for label, error in broker.refused.items():
        yield _line(f"  {label}", f"refused: {error}")


def _database(database: Database) -> Iterator[str]:
    yield _line("last transaction", _fold(database.last_fold))
    yield _line("last hour", _folded(database.last_hour))
    yield _line("last day", _folded(database.last_day))
    age = database.oldest_entry_age_seconds
    yield _line("oldest ledger entry", "none" if age is None else f"{duration(age)} old")
    yield from _quarantine(database.quarantine)
    for label, untils in list(database.rolled_up.items())[:MAX_LISTED]:
        steps = (f"{step} until {until:%Y-%m-%d %H:%M}" for step, until in untils.items())
        yield _line("rolled up", f"{label}: {', '.join(steps)}")


def _folded(sums: Folded) -> str:
    more = "more than " if sums.is_partial else ""
    numbers = (
        f"{sums.filtered:,} filtered",
        f"{sums.dropped:,} dropped",
        f"{sums.damaged:,} damaged",
    )
    return ", ".join([f"{more}{sums.increments:,} folded", *numbers])


def _quarantine(quarantine: Quarantine) -> Iterator[str]:
    if quarantine.oldest_age_seconds is None:
        yield _line("quarantine", "empty")
        return
    more = "more than " if quarantine.is_partial else ""
    text = f"{more}{counted(quarantine.messages, 'message')}"
    text += f" of {counted(quarantine.increments, 'increment')}"
    oldest = f"the oldest {duration(quarantine.oldest_age_seconds)} ago"
    yield _line("quarantine", f"{text}, {oldest}")
    messages = {label: each.messages for label, each in quarantine.data_classes.items()}
    for label, number in _longest(messages):
        yield _line(f"  {label}", f"{number:,}")


def _longest(numbers: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(numbers.items(), key=lambda item: -item[1])[:MAX_LISTED]
