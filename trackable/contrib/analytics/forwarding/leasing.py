"""Leasing: who delivers has amounts to himself for a while, so that no two tell the same.

What a lease is of is known by the moment at which it ends, which is written into the rows: whoever
comes back later than that changes nothing of what is another's by then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

from django.db import connections, transaction
from django.db.models import QuerySet
from django.utils import timezone

from trackable.contrib.analytics.forwarding.summing import key_of, summed
from trackable.contrib.analytics.models import ForwardedAmount
from trackable.folding.chunks import chunked
from trackable.folding.engine import try_until_committed

T = TypeVar("T")
Rows = QuerySet[ForwardedAmount]

#: Few enough for the parameters of one statement in every database.
ROWS_AT_A_TIME: Final = 500
#: of which the counters are compared at once
MAX_COMPARED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in a database for a service, and is due by a time.

    Each method is one or more transactions of its own, and raises what Django raises.
    """

    alias: str
    service: str
    by: datetime

    def merge(self) -> None:
        """Make one amount of those of the same counter and hour."""
        number = 1
        while number:
            groups = defaultdict(list)
            for amount in self._due()[:MAX_COMPARED]:
                groups[key_of(amount)].append(amount.pk)
            number = sum(self._committed(self._merge, pks) for pks in _portions(groups.values()))

    def lease(self, most: int, *, until: datetime) -> list[ForwardedAmount]:
        """Return so many amounts at most, which are nobody else's until then."""
        return self._committed(self._lease, most, until)

    def remove(self, leased: Collection[ForwardedAmount]) -> None:
        """Remove what is told."""
        for until, pks in _by(leased, lambda each: each.due_at):
            self._committed(self._rows(pks).filter(due_at=until).delete)

    def put_off(
        self, leased: Collection[ForwardedAmount], pause: Callable[[int], timedelta]
    ) -> None:
        """Have amounts told later, after a pause that depends on how often they were tried."""
        for (until, tries), pks in _by(leased, lambda each: (each.due_at, each.tries)):
            rows, due_at = self._rows(pks).filter(due_at=until), timezone.now() + pause(tries)
            self._committed(partial(rows.update, tries=tries, due_at=due_at))

    def _merge(self, pks: Collection[int]) -> int:
        """Return how many amounts are gone."""
        found = list(_locked(self._rows(pks).filter(due_at__lte=self.by)))
        before = {each.pk for each in found}
        left = summed(found)
        gone = before - {each.pk for each in left}
        self._rows(gone).delete()
        self._all().bulk_create([each for each in left if each.pk is None])
        return len(gone)

    def _lease(self, most: int, until: datetime) -> list[ForwardedAmount]:
        found = list(_locked(self._due())[:most])
        self._rows([each.pk for each in found]).update(due_at=until)
        for each in found:
            each.due_at = until
        return found

    def _due(self) -> Rows:
        rows = self._all().filter(service=self.service, due_at__lte=self.by)
        return rows.order_by("due_at", "pk")

    def _rows(self, pks: Collection[int]) -> Rows:
        return self._all().filter(pk__in=pks)

    def _all(self) -> Rows:
        return ForwardedAmount._base_manager.using(self.alias)

    def _committed(self, action: Callable[..., T], *args: Any) -> T:
        def once() -> T:
            with transaction.atomic(using=self.alias):
                return action(*args)

        return try_until_committed(self.alias, "The forwarding of counts", once)


def _locked(rows: Rows) -> Rows:
    """Return rows that nobody else has locked, and that are locked when they are read."""
    features = connections[rows.db].features
    if not features.has_select_for_update:  # SQLite locks all, for whoever writes
        ForwardedAmount._base_manager.using(rows.db).filter(pk=0).update(tries=0)
        return rows
    return rows.select_for_update(skip_locked=features.has_select_for_update_skip_locked)


def _portions(groups: Iterable[Sequence[int]]) -> Iterator[list[int]]:
    """Yield keys of rows to be merged, so many at a time."""
    portion: list[int] = []
    for part in (part for group in groups for part in chunked(group, ROWS_AT_A_TIME)):
        if len(part) == 1:
            continue
        if len(portion) + len(part) > ROWS_AT_A_TIME:
            yield portion
            portion = []
        portion += part
    if portion:
        yield portion


def _by(
    amounts: Iterable[ForwardedAmount], key: Callable[[ForwardedAmount], T]
) -> Iterable[tuple[T, list[int]]]:
    found: dict[T, list[int]] = defaultdict(list)
    for amount in amounts:
        found[key(amount)].append(amount.pk)
    return found.items()
