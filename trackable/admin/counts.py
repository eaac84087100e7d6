"""Counts: what the rows of an object come to, as a column for each counter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import reduce
from typing import Any

from django.db.models import Min
from django.http import HttpRequest

from trackable.admin.choices import StatisticsForm, fields_of
from trackable.amounts import plus
from trackable.counters import Amount
from trackable.querysets import TrackableQuerySet
from trackable.reading.series import DAY, Point
from trackable.reading.windows import loaded
from trackable.uniques.fields import uniques_of


@dataclass(frozen=True, slots=True)
class Column:
    """A counter over time, and its total."""

    name: str
    title: str
    points: list[Point]
    total: Amount
    adds_up: bool


@dataclass(frozen=True, slots=True)
class Statistics:
    """What was counted for an object: a column for each counter, and their common step."""

    columns: list[Column]
    step: str | None = None

    def lines(self) -> list[tuple[date, date, list[Amount]]]:
        """Return the starts and ends of all points, oldest first, with the values of each column.

        A column may begin later than another one, with its first row.
        """
        ends = {point.start: point.end for column in self.columns for point in column.points}
        values = [{point.start: point.value for point in each.points} for each in self.columns]
        return [(at, ends[at], [each.get(at, 0) for each in values]) for at in sorted(ends)]


def rows_of(model_admin: Any, request: HttpRequest) -> TrackableQuerySet[Any]:
    """Return the rows that a data class's pages show somebody, whatever manager they use."""
    rows = model_admin.get_queryset(request).order_by().select_related(None)
    return TrackableQuerySet(model=rows.model, query=rows.query.chain(), using=rows.db)


def read(rows: TrackableQuerySet[Any], form: StatisticsForm) -> Statistics:
    """Return what a form asks of an object's rows. Raises ``TrackableError``."""
    data_cls: Any = rows.model
    titles, uniques = fields_of(data_cls), uniques_of(data_cls)
    if data_cls.period is None:
        return Statistics(
            [Column(name, titles[name], [], rows.total(name), True) for name in form.names]
        )
    days = form.days
    step = form.step(days.first or _first_day(rows))
    found = []
    for name in form.names:
        points = rows.series(name, by=step, start=days.first, end=days.last)
        if name in uniques:
            total = _within(rows, points).total(name) if points else 0
        else:
            total = reduce(plus, (point.value for point in points), 0)
        found.append(Column(name, titles[name], points, total, name not in uniques))
    return Statistics(found, step)


def _first_day(rows: TrackableQuerySet[Any]) -> date | None:
    first = rows.aggregate(first=Min("collected_during"))["first"]
    start = None if first is None else loaded(first)
    return start.date() if isinstance(start, datetime) else start


def _within(rows: TrackableQuerySet[Any], points: list[Point]) -> TrackableQuerySet[Any]:
    """Return the rows of some points; the last day of a time is in it, the last moment is not."""
    start, end = points[0].start, points[-1].end
    return rows.between(start, end if isinstance(end, datetime) else end - DAY)
