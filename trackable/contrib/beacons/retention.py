"""Retention: beacons are removed once they are old enough, and with them who came only then.

Oldest first, by the indexes of time, in transactions of a few thousand rows: nothing is locked
but the rows that go, and whatever ends a purge, the next one goes on from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connections, router, transaction
from django.db.models import ManyToOneRel, Model, Q, QuerySet

from trackable.contrib.beacons.models import IP, Beacon, IPEntity
from trackable.folding.engine import try_until_committed

logger = logging.getLogger(__name__)

BEACONS_AT_A_TIME: Final = 2000
#: Few enough for the parameters of one statement in every database.
VISITORS_AT_A_TIME: Final = 500


@dataclass(slots=True)
class PurgeReport:
    """What a purge has removed, or would remove."""

    beacons: int = 0
    entities: int = 0
    addresses: int = 0


Progress = Callable[[PurgeReport], None]


def purge(
    before: datetime, *, dry_run: bool = False, progress: Progress | None = None
) -> PurgeReport:
    """Remove the beacons of before a time; of IP entities and addresses, what came only then.

    An address goes with the last beacon that came from it, also if its entity came later from
    elsewhere. IP entities that never came stay, as does what other models refer to. Safe
    beside folds, and beside another purge.

    ``progress`` is called with the report after each transaction; what it raises ends the purge
    there. With ``dry_run`` nothing is removed. Raises what Django raises.
    """
    purger = _Purger(before, dry_run=dry_run)
    report = PurgeReport()
    steps = {
        "beacons": purger.beacons(),
        "entities": purger.visitors(IPEntity, "seen_at"),
        "addresses": purger.visitors(IP, "owned_time"),
    }
    for name, numbers in steps.items():
        for number in numbers:
            setattr(report, name, getattr(report, name) + number)
            if progress is not None:
                progress(report)
    if not dry_run:
        logger.info("Purged what was older than %s: %s", before, report)
    return report


def old_beacons(before: datetime) -> QuerySet[Beacon]:
    """Return the beacons of before a time."""
    return _rows(Beacon).filter(time_created__lt=before)


class _Purger:
    """Removes what is older than a time, and yields the numbers that each transaction removed."""

    def __init__(self, before: datetime, *, dry_run: bool) -> None:
        self._before = before
        self._dry_run = dry_run

    def beacons(self) -> Iterator[int]:
        old = old_beacons(self._before)
        if self._dry_run:
            yield old.count()
            return
        for batch in _batches(old, "time_created", BEACONS_AT_A_TIME):
            yield _committed(batch, _delete)

    def visitors(self, model: type[Model], time_name: str) -> Iterator[int]:
        old = _rows(model).filter(**{f"{time_name}__lt": self._before})
        for batch in _batches(old, time_name, VISITORS_AT_A_TIME):
            yield _committed(batch, self._remove)

    def _remove(self, batch: QuerySet[Any]) -> int:
        """Remove those of a batch that nothing refers to, unless a fold has them at hand."""
        rows = batch if self._dry_run else _locking(batch)
        keys = set(rows.values_list("pk", flat=True))
        # Asked once they are locked: who notes one now waits, and then makes another.
        keys -= _referred(batch, keys)
        if batch.model is IPEntity:
            keys -= self._with_beacons(keys)
        return len(keys) if self._dry_run else _delete(_rows(batch.model).filter(pk__in=keys))

    def _with_beacons(self, keys: set[Any]) -> set[Any]:
        meta = IPEntity._meta
        found = _rows(Beacon).filter(
            entity_type__app_label=meta.app_label,
            entity_type__model=meta.model_name,
            entity_id__in=[str(key) for key in keys],
        )
        if self._dry_run:
            found = found.filter(time_created__gte=self._before)
        return {int(key) for key in found.values_list("entity_id", flat=True).distinct()}


def _rows(model: type[Any]) -> QuerySet[Any]:
    return QuerySet(model, using=router.db_for_write(model))


def _batches(rows: QuerySet[Any], time_name: str, size: int) -> Iterator[QuerySet[Any]]:
    """Yield rows, oldest first, as querysets of so many; none looks again at what went before.

    An index has what was deleted from it for a while, and would be read through each time.
    """
    rest = ordered = rows.order_by(time_name, "pk")
    while ends := list(rest.values_list(time_name, "pk")[size - 1 : size]):
        [(moment, pk)] = ends
        yield rest.filter(
            Q(**{f"{time_name}__lt": moment}) | Q(pk__lte=pk), **{f"{time_name}__lte": moment}
        )
        rest = ordered.filter(
            Q(**{f"{time_name}__gt": moment}) | Q(pk__gt=pk), **{f"{time_name}__gte": moment}
        )
    yield rest


def _committed(batch: QuerySet[Any], action: Callable[[QuerySet[Any]], int]) -> int:
    """Do something to a batch in a transaction of its own; again after errors that may pass."""

    def once() -> int:
        with transaction.atomic(using=batch.db):
            return action(batch)

    return try_until_committed(batch.db, "A purge of beacons", once)


def _delete(rows: QuerySet[Any]) -> int:
    _, by_model = rows.order_by().delete()
    return by_model.get(rows.model._meta.label, 0)


def _locking(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return a queryset that locks its rows, and passes over what others have locked."""
    features = connections[rows.db].features
    return rows.select_for_update(skip_locked=features.has_select_for_update_skip_locked)


def _referred(batch: QuerySet[Any], keys: set[Any]) -> set[Any]:
    """Return the keys that foreign keys point to, but for those that join entities and addresses.

    Such as a project's own: what it has noted of a visitor must not go unasked.
    """
    found: set[Any] = set()
    for relation in batch.model._meta.get_fields(include_hidden=True):
        if not isinstance(relation, ManyToOneRel):
            continue
        if relation.related_model is IPEntity.ip_addresses.through:
            continue
        name = relation.field.name
        rows = relation.related_model._base_manager.using(batch.db)
        found.update(rows.filter(**{f"{name}__in": keys}).values_list(f"{name}__pk", flat=True))
    return found
