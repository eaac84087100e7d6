"""The databases' part: what the ledger and the quarantine of each say.

Every query reads a bounded part of an index, so a ledger of millions costs what a small one does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Count, F, FloatField, Max, Q, QuerySet, Sum
from django.db.models.functions import Cast
from django.utils import timezone

from trackable.broker import UNKNOWN
from trackable.folding.ledger import DatabaseNow
from trackable.labels import folded_class_of
from trackable.models import LedgerEntry, QuarantinedMessage
from trackable.rollups import marks
from trackable.status.figures import Database, Fold, Folded, Quarantine, Quarantined, before

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
#: So many of the newest entries are added up: on a large site, those of some hours.
MAX_ENTRIES: Final = 20_000
SUMS: Final = ("increments", "filtered", "dropped", "damaged")
#: So many of the newest messages of a quarantine are counted.
MAX_QUARANTINED: Final = 10_000


def read_database(alias: str) -> Database:
    """Return the figures of a database. Raises what Django raises if it fails."""
    # Conversions have marks in the ledger, dated to the year 9000.
    dated = LedgerEntry._base_manager.using(alias).filter(folded_at__lt=DatabaseNow() + DAY)
    oldest, newest = _first(dated.order_by("folded_at")), _first(dated.order_by("-folded_at"))
    sums = _sums(dated, newest.fold_id if newest else "")
    return Database(
        last_fold=Fold(newest.at, newest.age_seconds, sums["fold"]) if newest else None,
        last_hour=_folded(sums, "hour"),
        last_day=_folded(sums, "day"),
        oldest_entry_at=oldest.at if oldest else None,
        oldest_entry_age_seconds=oldest.age_seconds if oldest else None,
        quarantine=_quarantine(QuarantinedMessage._base_manager.using(alias)),
        rolled_up=marks.of_database(alias),
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    fold_id: str
    at: datetime
    age_seconds: float


def _first(entries: QuerySet[LedgerEntry]) -> _Entry | None:
    """Return the first entry with its age, by the clock that dated it."""
    aged = entries.annotate(age=DatabaseNow() - F("folded_at"))
    for fold_id, folded_at, age in aged.values_list("fold_id", "folded_at", "age")[:1]:
        age_seconds = max(age.total_seconds(), 0.0)
        return _Entry(fold_id, _in_utc(folded_at, age_seconds), age_seconds)
    return None


def _in_utc(at: datetime, age_seconds: float) -> datetime:
    # Without USE_TZ nobody knows of which zone it is.
    return at.astimezone(UTC) if at.tzinfo else before(age_seconds)


def _sums(entries: QuerySet[LedgerEntry], fold_id: str) -> dict[str, int]:
    """Add up the newest entries: those of a fold, of the last hour and of the last day.

    In one query, and the fold among the newest: by its id it would be looked for everywhere.
    """
    asked: dict[str, Any] = {"fold": _sum("increments", filter=Q(fold_id=fold_id))}
    for name, span in (("hour", HOUR), ("day", DAY)):
        recent = Q(folded_at__gte=DatabaseNow() - span)
        asked |= {f"{name}_{each}": _sum(each, filter=recent) for each in SUMS}
        asked |= {f"{name}_entries": Count("pk", filter=recent)}
    newest = entries.order_by("-folded_at")[:MAX_ENTRIES]
    return {name: int(number or 0) for name, number in newest.aggregate(**asked).items()}


def _sum(name: str, **options: Any) -> Any:
    """A sum as a float: a stranger's batch may claim so many hits that two are too many to add."""
    return Sum(Cast(name, FloatField()), **options)


def _folded(sums: dict[str, int], span: str) -> Folded:
    numbers = {each: sums[f"{span}_{each}"] for each in SUMS}
    return Folded(**numbers, is_partial=sums[f"{span}_entries"] == MAX_ENTRIES)


def _quarantine(messages: Any) -> Quarantine:
    newest = messages.aggregate(newest=Max("pk"))["newest"] or 0
    counted = messages.filter(pk__gt=newest - MAX_QUARANTINED)
    by_class = counted.order_by().values_list("data_class")
    by_class = by_class.annotate(Count("pk"), total=_sum("increments"))
    numbers, increments = Counter[str](), Counter[str]()
    for label, number, sum_of_increments in by_class:
        # What is not ours is one class: whoever can send messages could make up any number.
        name = label if folded_class_of(label) else UNKNOWN
        numbers[name] += number
        increments[name] += int(sum_of_increments)
    oldest = messages.order_by("quarantined_at").values_list("quarantined_at", flat=True).first()
    age = None if oldest is None else max((timezone.now() - oldest).total_seconds(), 0.0)
    return Quarantine(
        messages=numbers.total(),
        increments=increments.total(),
        is_partial=messages.filter(pk__lte=newest - MAX_QUARANTINED).exists(),
        oldest_at=None if oldest is None or age is None else _in_utc(oldest, age),
        oldest_age_seconds=age,
        data_classes={
            name: Quarantined(numbers[name], increments[name]) for name in sorted(numbers)
        },
    )
