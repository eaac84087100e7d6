"""Querysets: counts are read back as totals, as series over time, and as the objects on top."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from django.db import models
from django.db.models import Q
from django.db.models.sql.where import AND

from trackable import parents, sites
from trackable.counters import Amount
from trackable.exceptions import BadSum, UnsavedObject
from trackable.periods import current_zone
from trackable.reading import owners, popularity, series, windows
from trackable.reading.popularity import Top
from trackable.reading.series import Point, Span
from trackable.reading.sums import summand_of
from trackable.reading.timelines import Timeline

if TYPE_CHECKING:
    from django.db.models import Model

    from trackable.models import TrackableData
    from trackable.reading.pending import Pending

M = TypeVar("M", bound="TrackableData", covariant=True)
T = TypeVar("T")

#: The owner of rows that count for two objects: there are none.
NOBODY: Final = ("", "")


@dataclass(frozen=True, slots=True)
class Scope:
    """What ``for_object`` and ``between`` have narrowed a queryset to."""

    #: the label of a model and the key of an object, as they travel
    owner: tuple[str, str] | None = None
    span: Span = (None, None)
    #: how many of the query's conditions these are
    conditions: int = 0


class TrackableQuerySet(models.QuerySet[M, M]):
    """Rows of a data class, and what they add up to."""

    _scope = Scope()

    def _clone(self) -> Self:
        clone: Self = super()._clone()  # type: ignore[misc]
        clone._scope = self._scope
        return clone

    def for_object(self, obj: Model) -> Self:
        """Return the rows that count for an object.

        Raises ``UnsavedObject``, and for an object that the data class does not count for
        ``WrongDataClass`` or ``NotRegistered``.
        """
        data_cls: Any = self.model
        holder = sites.holder_of(type(obj), data_cls)
        key = getattr(obj, owners.key_name(data_cls, holder))
        if key is None:
            raise UnsavedObject(f"This {holder._meta.label} has no row yet, and no counts.")
        owner = (holder._meta.concrete_model or holder)._meta.label, str(key)
        if parents.is_generic(data_cls):
            key = data_cls._meta.get_field("object_id").to_python(str(key))
        is_other = self._scope.owner not in (None, owner)
        narrowed = owners.having(data_cls, holder, key)
        return self._narrowed(narrowed, owner=NOBODY if is_other else owner)

    def between(self, start: date | None = None, end: date | None = None) -> Self:
        """Return the rows of periods that begin in a time; ``None`` is open.

        Of dates, both days are included; of aware datetimes, ``end`` is not. Raises ``BadTime``,
        and ``BadPeriod`` for rows without a time.
        """
        span = windows.window(self.model, None, start, end, current_zone())
        known = self._scope.span
        both = series.overlap(known, span)
        if both is None:  # as what holds nothing
            edge = next(each for each in (*span, *known) if each is not None)
            both = edge, edge
        return self._narrowed(windows.within(span), span=both)

    def _narrowed(self, condition: Q, **scope: Any) -> Self:
        narrowed = self.filter(condition)
        added = len(narrowed.query.where.children) - len(self.query.where.children)
        known = self._scope
        narrowed._scope = replace(known, conditions=known.conditions + added, **scope)
        return narrowed

    def total(self, field: str, *, include_pending: bool = False) -> Amount:
        """Return the sum of a counter; 0 if there are no rows. Of a distinct count, the union.

        With ``include_pending``, what was emitted on this machine and is not folded yet is in
        it. Raises ``UnknownField``, and ``BadSum``.
        """
        summand = summand_of(self.model, field)
        share, waiting = self._read(field, lambda: summand.total(self), include_pending)
        for each in waiting:
            share = summand.add(share, each.share)
        return summand.value(share)

    def series(
        self,
        field: str,
        *,
        by: str | None = None,
        start: date | None = None,
        end: date | None = None,
        zone: tzinfo | None = None,
        include_pending: bool = False,
    ) -> list[Point]:
        """Return the sums of a counter for each step of a time, zeros for those without rows.

        ``by`` is ``"hour"``, ``"day"``, ``"week"``, ``"month"`` or ``"year"``: the class's own
        period, or a coarser one. ``start`` and ``end`` are as in ``between``, and widened to
        whole steps; without them the points go from the first row, or what ``between`` said, up
        to now. ``zone``, the current time zone by default, is that of the days of hours.

        Raises ``UnknownField``, ``BadPeriod``, ``BadTime``, and ``BadSum``.
        """
        summand, period = summand_of(self.model, field), windows.period_of(self.model)
        zone = zone or current_zone()
        series.check_step(self.model._meta.label, period, by or period)
        low, high = windows.window(self.model, None, start, end, zone)
        first, last = self._scope.span
        asked = low if low is not None else first, high if high is not None else last
        timeline = Timeline(self, summand, step=by or period, zone=zone, span=asked)
        _, waiting = self._read(field, timeline.read, include_pending)
        timeline.add(waiting)
        return timeline.points(datetime.now(UTC) if period == "hour" else windows.today())

    def top(
        self, field: str, n: int = 10, *, start: date | None = None, end: date | None = None
    ) -> list[Top]:
        """Return the objects of which most was counted, with how much, most first.

        Objects that are gone are left out. Raises ``UnknownField``, ``BadPeriod``, ``BadTime``,
        and ``BadSum`` for a distinct count.
        """
        is_open = start is None and end is None
        rows = self if is_open else self.between(start, end)
        return popularity.top(rows, field, n)

    def _read(
        self, field: str, query: Callable[[], T], include_pending: bool
    ) -> tuple[T, list[Pending]]:
        if not include_pending:
            return query(), []
        if not self._is_only_scope():
            raise BadSum(
                "What is pending can be narrowed by for_object() and between() alone: begin with"
                f" {self.model.__name__}.objects, and leave filter() and the like out."
            )
        from trackable.reading.pending import Source

        source = Source(self.model, field, self.db, self._scope.owner)
        found, waiting = source.alongside(query)
        span = self._scope.span
        return found, [e for e in waiting if e.start is None or series.holds(span, e.start)]

    def _is_only_scope(self) -> bool:
        """Tell whether nothing but ``for_object`` and ``between`` has narrowed the rows."""
        query = self.query
        is_plain = not query.is_sliced and not query.combinator and query.where.connector == AND
        return is_plain and len(query.where.children) == self._scope.conditions


#: The manager ``objects`` of data classes.
TrackableManager = models.Manager.from_queryset(TrackableQuerySet, "TrackableManager")


def queryset_of(data_cls: Any, using: str | None = None) -> TrackableQuerySet[Any]:
    """Return all rows of a data class, also of one whose ``objects`` are another manager's."""
    return TrackableQuerySet(model=data_cls, using=using)
