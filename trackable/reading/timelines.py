"""Timelines: the sums of rows by step, over a time of which there may be rows of several steps.

Where finer rows were rolled up, the points span what the coarser ones do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from django.db import connections
from django.db.models import F, Max, Min, QuerySet
from django.db.models.functions import Trunc
from django.utils import timezone

from trackable.periods import PERIODS
from trackable.reading import series
from trackable.reading.series import INSTANT, Point, Span, overlap
from trackable.reading.sums import Summand, each_once
from trackable.reading.windows import DURING, loaded, local_step, truncates, within
from trackable.rollups.boundaries import Start

if TYPE_CHECKING:
    from trackable.reading.pending import Pending

OPEN: Final[Span] = (None, None)
#: A time whose days are not looked at one by one before it is known that there are rows.
LONG: Final = timedelta(days=4000)


@dataclass(frozen=True, slots=True)
class Part:
    """A time whose rows are of one step, and make points of another, or of the same.

    ``zone`` is that in which the starts of the rows begin days.
    """

    of: str
    step: str
    zone: tzinfo
    span: Span


@dataclass(slots=True)
class Stretch:
    """A time whose points are of one step, and their shares by the starts of these."""

    step: str
    parts: list[Part]
    span: Span = OPEN
    shares: dict[Start, Any] = field(default_factory=dict)

    @property
    def zone(self) -> tzinfo:
        return self.parts[-1].zone

    def narrow(self, span: Span) -> bool:
        """Keep what it has in common with a span, widened to whole steps; tell if it has any."""
        whole = self.parts[0].span[0], self.parts[-1].span[1]
        if overlap(whole, span) is None:
            return False
        self.span = overlap(whole, series.widened(self.step, span, self.zone)) or whole
        return True


def stretches_of(data_cls: Any, alias: str, step: str, zone: tzinfo) -> list[Stretch]:
    """Return what all time consists of, oldest first, for points of a step or a coarser one."""
    parts = _parts(data_cls, _untils(data_cls, alias), step, zone)
    return [Stretch(each, list(group)) for each, group in groupby(parts, lambda part: part.step)]


def _untils(data_cls: Any, alias: str) -> dict[str, datetime]:
    from trackable.rollups.retention import retention_of

    if retention_of(data_cls) is None:
        return {}
    from trackable.rollups.marks import untils

    return untils(alias, data_cls)


def _parts(data_cls: Any, untils: dict[str, datetime], step: str, zone: tzinfo) -> Iterator[Part]:
    own_zone = timezone.get_default_timezone()
    low: Any = None
    for coarse in reversed(PERIODS):
        if coarse in untils:
            _, high = series.span_of(data_cls.period, None, untils[coarse], own_zone)
            if low is None or high > low:
                yield Part(coarse, series.coarser(step, coarse), own_zone, (low, high))
                low = high
    yield Part(data_cls.period, step, zone if data_cls.period == "hour" else UTC, (low, None))


class Timeline:
    """The points of some rows over a time."""

    def __init__(
        self, rows: QuerySet[Any], summand: Summand, *, step: str, zone: tzinfo, span: Span
    ) -> None:
        """Raises ``BadPeriod`` for rows in the span that do not add up to whole steps."""
        self.rows = each_once(rows)
        self.summand = summand
        self.span = span
        found = stretches_of(rows.model, rows.db, step, zone)
        self.stretches = [stretch for stretch in found if stretch.narrow(span)]
        for _, part, _ in self._pieces():
            series.check_step(rows.model._meta.label, part.of, part.step)

    def _pieces(self) -> Iterator[tuple[Stretch, Part, Span]]:
        for stretch in self.stretches:
            for part in stretch.parts:
                if (span := overlap(part.span, stretch.span)) is not None:
                    yield stretch, part, span

    def read(self) -> None:
        """Find the shares of all steps, with one query for each part."""
        for stretch in self.stretches:
            stretch.shares.clear()
        for stretch, part, span in self._pieces():
            rows = self.rows.filter(within(span))
            for start, share in self.summand.by(rows, self._key(part, span, rows)):
                self._add(stretch, part, loaded(start), share)

    def _key(self, part: Part, span: Span, rows: QuerySet[Any]) -> Any:
        """Return the expression that rows are grouped by: steps, or what is finer."""
        period = rows.model.period
        if part.step == period or not truncates(connections[rows.db], period):
            return F(DURING)
        if period != "hour":
            return Trunc(DURING, part.step)
        low, high = _ends(span, rows)
        return F(DURING) if low is None else local_step(part.step, low, high, part.zone)

    def _add(self, stretch: Stretch, part: Part, start: Start, share: Any) -> None:
        key = series.step_of(part.step, start, part.zone)
        known = stretch.shares.get(key)
        stretch.shares[key] = share if known is None else self.summand.add(known, share)

    def add(self, waiting: Iterable[Pending]) -> None:
        """Add what is not in the rows yet."""
        pieces = list(self._pieces())
        for each in waiting:
            for stretch, part, span in pieces:
                if each.start is not None and series.holds(span, each.start):
                    self._add(stretch, part, each.start, each.share)

    def points(self, now: Start) -> list[Point]:
        """Return the points: from the first row on, if no start was asked for, and until now."""
        points: list[Point] = []
        zero = self.summand.value(self.summand.nothing)
        for stretch in self.stretches:
            is_begun = bool(points) or self.span[0] is not None
            span = _closed(stretch, now, is_begun=is_begun)
            if span is not None:
                values = {start: self.summand.value(each) for start, each in stretch.shares.items()}
                points += series.fill(values, stretch.step, span, stretch.zone, zero)
        return points


def _ends(span: Span, rows: QuerySet[Any]) -> Any:
    """Return a span without open ends, and not much longer than there may be rows."""
    low, high = span
    if isinstance(low, datetime) and isinstance(high, datetime) and high - low < LONG:
        return span
    ends = rows.aggregate(low=Min(DURING), high=Max(DURING))
    return (None, None) if ends["low"] is None else (ends["low"], ends["high"] + INSTANT)


def _closed(stretch: Stretch, now: Start, *, is_begun: bool) -> tuple[Start, Start] | None:
    low, high = stretch.span
    if low is None or not is_begun:
        low = min(stretch.shares, default=None)
    if high is None:
        last = [series.step_of(stretch.step, now, stretch.zone), *stretch.shares]
        high = series.next_step(stretch.step, max(last), stretch.zone)
    return None if low is None else (low, high)
