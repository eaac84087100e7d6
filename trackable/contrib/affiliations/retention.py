"""Retention: calls that are done, and visitors who do not count any more, are removed when old.

Oldest first, by the indexes of time, in transactions of a few hundred rows: nothing is locked but
the rows that go, and whatever ends a purge, the next one goes on from there. What was counted of
partners is left alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connections, transaction
from django.db.models import Exists, ManyToOneRel, OuterRef, Q, QuerySet
from django.utils import timezone

from trackable.contrib.affiliations import conf, visitors
from trackable.contrib.affiliations.models import Attempt, Callback, Visitor
from trackable.folding.engine import try_until_committed

logger = logging.getLogger(__name__)

#: Few enough for the parameters of one statement in every database.
AT_A_TIME: Final = 500

Rows = QuerySet[Any]


@dataclass(slots=True)
class PurgeReport:
    """What a purge has removed, or would remove."""

    callbacks: int = 0
    attempts: int = 0
    visitors: int = 0

    def note(self, numbers: dict[str, int]) -> None:
        for model, name in ((Callback, "callbacks"), (Attempt, "attempts"), (Visitor, "visitors")):
            setattr(self, name, getattr(self, name) + numbers.get(model._meta.label, 0))


Progress = Callable[[PurgeReport], None]


def purge(
    before: datetime, *, dry_run: bool = False, progress: Progress | None = None
) -> PurgeReport:
    """Remove what is of before a time: calls that are done, with their attempts, and visitors.

    A visitor goes who was sent before then, and succeeded before then or never, once no call is
    left. While visitors count (``AFFILIATE_ATTRIBUTION_WINDOW``) they stay, and so do their
    calls, which keep a trigger from calling again; as do those whom other models refer to. Safe
    beside deliveries, and beside another purge.

    ``progress`` is called with the report after each transaction; what it raises ends the purge
    there. With ``dry_run`` nothing is removed. Raises what Django raises.
    """
    report, purger = PurgeReport(), _Purger(before)
    for numbers in purger.counted() if dry_run else purger.removed():
        report.note(numbers)
        if progress is not None:
            progress(report)
    if not dry_run:
        logger.info("Purged what was older than %s: %s", before, report)
    return report


class _Purger:
    """Removes what is older than a time, and yields how many rows of each model went."""

    def __init__(self, before: datetime) -> None:
        sent = Q(referred_on__lt=min(before, _closed_at(before)))
        succeeded = Q(successful_on=None) | Q(successful_on__lt=before)
        self.visitors = _rows(Visitor).filter(sent & succeeded)
        past = Q(created_at__lt=before) & ~Q(state=Callback.State.PENDING)
        gone = Exists(self.visitors.filter(pk=OuterRef("visitor")))
        self.callbacks = _rows(Callback).filter(past, gone)
        self._kept = _rows(Callback).filter(~past, visitor=OuterRef("pk"))

    def counted(self) -> Iterator[dict[str, int]]:
        staying: set[Any] = set()
        for keys in _batches(self.callbacks, "created_at"):
            referred = _referred(self.callbacks, keys)
            staying |= {*self.callbacks.filter(pk__in=referred).values_list("visitor", flat=True)}
            attempts = _rows(Attempt).filter(callback__in=keys - referred).count()
            yield {Callback._meta.label: len(keys - referred), Attempt._meta.label: attempts}
        old = self.visitors.filter(~Exists(self._kept))
        for keys in _batches(old, "referred_on"):
            yield {Visitor._meta.label: len(keys - staying - _referred(old, keys))}

    def removed(self) -> Iterator[dict[str, int]]:
        for keys in _batches(self.callbacks, "created_at"):
            yield _committed(self.callbacks, keys)
        # Asked of what is left by now: a call that came since keeps its visitor.
        childless = self.visitors.filter(~Exists(_rows(Callback).filter(visitor=OuterRef("pk"))))
        for keys in _batches(childless, "referred_on"):
            yield _committed(childless, keys)


def _closed_at(before: datetime) -> datetime:
    """Return the time before which nobody was sent who counts still."""
    window_seconds = conf.get("ATTRIBUTION_WINDOW")
    if window_seconds is None:
        return before
    return timezone.now() - timedelta(seconds=window_seconds)


def _rows(model: type[Any]) -> Rows:
    return QuerySet(model, using=visitors.database())


def _batches(rows: Rows, time_name: str) -> Iterator[set[Any]]:
    """Yield the keys of rows, oldest first, so many at a time, and each of them once."""
    ordered, later = rows.order_by(time_name, "pk"), Q()
    while found := list(ordered.filter(later).values_list("pk", time_name)[:AT_A_TIME]):
        yield {pk for pk, _ in found}
        pk, moment = found[-1]
        later = Q(**{f"{time_name}__gte": moment}) & (
            Q(**{f"{time_name}__gt": moment}) | Q(pk__gt=pk)
        )


def _committed(rows: Rows, keys: Collection[Any]) -> dict[str, int]:
    """Remove those of the keys that are among the rows still, in a transaction of its own."""

    def once() -> dict[str, int]:
        with transaction.atomic(using=rows.db):
            return _delete(rows, keys)

    return try_until_committed(rows.db, "A purge of affiliations", once)


def _delete(rows: Rows, keys: Collection[Any]) -> dict[str, int]:
    batch = _rows(rows.model).filter(pk__in=keys)
    locked = set(_locking(batch).values_list("pk", flat=True))
    # Asked once they are locked: a retry has made one pending, or a trigger has come, or waits.
    found = set(rows.filter(pk__in=locked).values_list("pk", flat=True))
    found -= _referred(batch, found)
    _, numbers = _rows(rows.model).filter(pk__in=found).delete()
    return numbers


def _locking(rows: Rows) -> Rows:
    """Return a queryset that locks its rows, and passes over what others have locked."""
    features = connections[rows.db].features
    return rows.select_for_update(skip_locked=features.has_select_for_update_skip_locked)


def _referred(rows: Rows, keys: Collection[Any]) -> set[Any]:
    """Return the keys that models of the project point to: what it has noted must not go unasked.

    Calls and attempts are of the app itself.
    """
    found: set[Any] = set()
    for relation in rows.model._meta.get_fields(include_hidden=True):
        if isinstance(relation, ManyToOneRel) and relation.related_model not in (Callback, Attempt):
            name = relation.field.name
            pointing = relation.related_model._base_manager.using(rows.db)
            pointing = pointing.filter(**{f"{name}__in": keys})
            found.update(pointing.values_list(f"{name}__pk", flat=True))
    return found
