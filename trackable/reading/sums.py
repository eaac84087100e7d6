"""Sums: how a counter is added up, and how a distinct count is united, from the rows of a query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol

from django.db.models import QuerySet, Sum, Value

from trackable.amounts import plus
from trackable.counters import Amount, CounterField, counts_of
from trackable.exceptions import BadSum
from trackable.uniques import sketches
from trackable.uniques.fields import UniqueCount, stored

if TYPE_CHECKING:
    from trackable.models import TrackableData

#: A sketch has up to some kilobytes.
SKETCHES_AT_ONCE: Final = 100


class Summand(Protocol):
    """What is added up; a *share* is whatever its parts are added up as."""

    @property
    def nothing(self) -> Any:
        """The share of no rows."""

    def total(self, rows: QuerySet[Any]) -> Any:
        """Return the share of all rows."""

    def by(self, rows: QuerySet[Any], key: Any) -> Iterator[tuple[Any, Any]]:
        """Yield keys, by an expression, and shares; a key may come more than once."""

    def add(self, one: Any, other: Any) -> Any:
        """Return two shares as one."""

    def value(self, share: Any) -> Amount:
        """Return what a share is to the user."""


@dataclass(frozen=True, slots=True)
class CounterSum:
    """The database adds up the rows of a counter."""

    counter: CounterField

    @property
    def nothing(self) -> Any:
        return self.cleaned(None)

    def total(self, rows: QuerySet[Any]) -> Any:
        found = rows.order_by().aggregate(trackable_sum=Sum(self.counter.name))
        return self.cleaned(found["trackable_sum"])

    def by(self, rows: QuerySet[Any], key: Any) -> Iterator[tuple[Any, Any]]:
        grouped = rows.order_by().values(trackable_key=key)
        sums = grouped.annotate(trackable_sum=Sum(self.counter.name))
        # Not iterator(): PostgreSQL plans a cursor for its first rows, and these are few.
        for found, total in sums.values_list("trackable_key", "trackable_sum"):
            yield found, self.cleaned(total)

    def add(self, one: Any, other: Any) -> Any:
        return plus(one, other)

    def value(self, share: Any) -> Amount:
        return share  # type: ignore[no-any-return]

    def cleaned(self, total: Any) -> Any:
        """Return what a database says as the counter's own type: some say decimals, or floats."""
        value = self.counter.to_python(0 if total is None else total)
        return round(value, self.counter.decimal_places) if isinstance(value, Decimal) else value  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class UniqueUnion:
    """The sketches of a distinct count are united here: no database can."""

    name: str

    @property
    def nothing(self) -> Any:
        return sketches.empty()

    def total(self, rows: QuerySet[Any]) -> Any:
        return next((share for _, share in self.by(rows, Value(0))), self.nothing)

    def by(self, rows: QuerySet[Any], key: Any) -> Iterator[tuple[Any, Any]]:
        found = rows.order_by().annotate(trackable_key=key, trackable_sketch=stored(self.name))
        groups: dict[Any, list[bytes]] = defaultdict(list)
        for each, sketch in found.values_list("trackable_key", "trackable_sketch").iterator():
            groups[each].append(sketch)
            if len(groups[each]) >= SKETCHES_AT_ONCE:
                groups[each] = [sketches.merge(groups[each])]
        yield from ((each, sketches.merge(group)) for each, group in groups.items())

    def add(self, one: Any, other: Any) -> Any:
        return sketches.merge([one, other])

    def value(self, share: Any) -> Amount:
        return sketches.estimate(share)


def each_once(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return rows for sums in groups, where ``distinct()`` would be of the groups instead."""
    if not rows.query.distinct:
        return rows
    every: QuerySet[Any] = rows.model._base_manager.using(rows.db)
    return every.filter(pk__in=rows.order_by().values("pk"))


def summand_of(data_cls: type[TrackableData], field: str) -> Summand:
    """Return how a field is added up. Raises ``UnknownField``."""
    found = counts_of(data_cls)[field]
    return UniqueUnion(field) if isinstance(found, UniqueCount) else CounterSum(found)


def counter_of(data_cls: type[TrackableData], field: str) -> CounterField:
    """Return a counter that databases can add up. Raises ``UnknownField`` and ``BadSum``."""
    found = counts_of(data_cls)[field]
    if isinstance(found, UniqueCount):
        raise BadSum(
            f"{data_cls._meta.label}.{field} counts different visitors, whom no database can"
            " unite: ask for total() or series() of each object."
        )
    return found
