"""Popularity: how much was counted for each object, for queries of the objects themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

from django.db import models
from django.db.models import Exists, Expression, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from trackable import parents, sites
from trackable.counters import Amount, CounterField
from trackable.periods import current_zone
from trackable.reading import owners
from trackable.reading.series import Span
from trackable.reading.sums import CounterSum, counter_of, each_once
from trackable.reading.windows import window, within

if TYPE_CHECKING:
    from django.db.models import Model

    from trackable.models import TrackableData


#: Few enough for the parameters of one statement in every database.
MAX_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Top:
    """An object, and the sum of its counter."""

    obj: Model
    value: Amount


def counted(
    data_cls: type[TrackableData],
    field: str,
    *,
    days: int | None = None,
    start: date | None = None,
    end: date | None = None,
) -> Counted:
    """Return the sum of a counter as an annotation, for querysets of any model that has it.

    ``Page.objects.annotate(views=counted(PageData, "views", days=7))``. 0 where nothing was
    counted. Times are as in ``between``; ``days=7`` is today and the six days before, in the
    current time zone.
    """
    return Counted(data_cls, field, window(data_cls, days, start, end, current_zone()))


class Counted(Expression):
    """What ``counted`` returns: it sees what model the queryset is of."""

    def __init__(self, data_cls: type[TrackableData], field: str, span: Span) -> None:
        super().__init__()
        self.data_cls = data_cls
        self.counter = counter_of(data_cls, field)
        self.span = span

    def resolve_expression(self, query: Any = None, *args: Any, **kwargs: Any) -> Any:
        rows = rows_of_outer(query.model, self.data_cls, self.span)
        columns = parents.owner_columns(self.data_cls)
        grouped = rows.values(*columns).annotate(trackable_sum=Sum(self.counter.name))
        nothing = Value(CounterSum(self.counter).nothing)
        total = Coalesce(
            Subquery(grouped.values("trackable_sum")),
            nothing,
            output_field=_sum_field(self.counter),
        )
        return total.resolve_expression(query, *args, **kwargs)


def rows_of_outer(model: type[Model], data_cls: type[TrackableData], span: Span) -> QuerySet[Any]:
    """Return the rows of the object that a query of the model is at, for a subquery in it."""
    holder = sites.holder_of(model, data_cls)
    key = owners.outer_key(data_cls, holder)
    rows = data_cls._base_manager.order_by().filter(owners.having(data_cls, holder, key))
    return rows.filter(within(span))


def _sum_field(counter: CounterField) -> CounterField:
    is_integer = isinstance(counter, models.IntegerField)
    return models.BigIntegerField() if is_integer else counter.clone()


def popular(
    model: type[Model],
    field: str,
    *,
    days: int | None = 7,
    data_cls: type[TrackableData] | None = None,
) -> QuerySet[Any]:
    """Return the objects that were counted, most first, each with its ``popularity``.

    Counted in the last ``days``, of which today is one, or with ``None`` ever. Without
    ``data_cls``: in the first registered data class of the model that has the field and, unless
    ``days`` is ``None``, a time. One query. Raises what ``counted`` raises.
    """
    from trackable.reading.objects import data_class_of

    data_cls = data_class_of(model, field, data_cls, has_time=days is not None)
    span = window(data_cls, days, None, None, current_zone())
    objects = model._default_manager.filter(Exists(rows_of_outer(model, data_cls, span)))
    found: QuerySet[Any] = objects.annotate(popularity=Counted(data_cls, field, span))
    return found.order_by("-popularity", "pk")


def top(rows: QuerySet[Any], field: str, n: int) -> list[Top]:
    """Return the objects of most of the rows' counter, as the ``top`` of querysets does."""
    summand = CounterSum(counter_of(rows.model, field))
    names = parents.owner_columns(rows.model)
    sums = each_once(rows).order_by().values_list(*names).annotate(trackable_sum=Sum(field))
    ordered = sums.order_by("-trackable_sum", *names)
    found: dict[tuple[Any, ...], Top] = {}  # a fold may move one to the next chunk
    # Of objects that are gone there may be many: each look takes more than the one before.
    place, size = 0, n
    while size > 0:
        chunk = list(ordered[place : place + size])
        objects = parents.objects_of(rows.model, [each[:-1] for each in chunk], rows.db)
        for *key, total in chunk:
            if (obj := objects.get(tuple(key))) is not None:
                found.setdefault(tuple(key), Top(obj, summand.cleaned(total)))
        if len(found) >= n or len(chunk) < size:
            break
        place, size = place + size, min(4 * size, MAX_AT_ONCE)
    return list(found.values())[:n]
