"""Export: the sums and averages of each object over a time, as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import reduce
from itertools import groupby
from operator import or_
from typing import Any, Final, Protocol

from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import models, router
from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.utils import timezone

from trackable import parents, sites
from trackable.counters import counters_of
from trackable.folding.chunks import chunked
from trackable.models import TrackableData
from trackable.periods import start_of
from trackable.uniques.fields import uniques_of

OBJECTS_AT_ONCE: Final = 500
AVERAGE_PLACES: Final = 6
#: A spreadsheet takes a cell that begins so for a formula.
FORMULA_SIGNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
MONTHS_A_YEAR: Final = 12
LENGTHS: Final = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}


#: By field, the total of an object, and what the counts of its periods add up to.
Totals = dict[str, tuple[Any, Any]]


class TextFile(Protocol):
    """What CSV is written to; it must not change line ends."""

    def write(self, text: str, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Window:
    """The time from the start of the first period to that of the last, both included."""

    period: str
    first: date | datetime
    last: date | datetime

    @property
    def periods(self) -> int:
        """The number of periods, of those without counts too."""
        first, last = self.first, self.last
        if self.period == "month":
            return (last.year - first.year) * MONTHS_A_YEAR + last.month - first.month + 1
        if self.period == "year":
            return last.year - first.year + 1
        span: timedelta = last - first  # type: ignore[operator]  # both are of the same type
        return span // LENGTHS[self.period] + 1


@dataclass(frozen=True, slots=True)
class Export:
    """The rows of a data class, of one model's objects if that is given, in a time."""

    data_cls: type[TrackableData]
    fields: Sequence[str]
    model: type[models.Model] | None = None
    start: date | None = None
    end: date | None = None

    def write(self, file: TextFile, zone: tzinfo) -> int:
        """Write the table and return the number of objects in it.

        Averages are those of a period in the time asked for, or in that which has counts;
        periods in which nothing was counted are zeros. ``zone`` is that of the days of hours.
        """
        writer = csv.writer(file)
        window = self._window(zone)
        writer.writerow(self._header())
        number = 0
        for row in self._rows(window):
            writer.writerow([guarded(cell) for cell in row])
            number += 1
        return number

    def _header(self) -> list[str]:
        suffixes = ["sum", "average"] if self.data_cls.period else ["sum"]
        columns = [f"{name}_{suffix}" for name in self.fields for suffix in suffixes]
        periods = [f"{self.data_cls.period}s"] if self.data_cls.period else []
        return ["model", "object_id", "object", *periods, *columns]

    def _window(self, zone: tzinfo) -> Window | None:
        period = self.data_cls.period
        if period is None:
            return None
        ends = self._selected().aggregate(
            first=Min("collected_during"), last=Max("collected_during")
        )
        first = ends["first"] if self.start is None else first_of(period, self.start, zone)
        last = ends["last"] if self.end is None else last_of(period, self.end, zone)
        return None if first is None or last is None else Window(period, first, last)

    def _selected(self) -> QuerySet[Any]:
        rows = self.data_cls._base_manager.order_by()
        if self.model is None or not parents.is_generic(self.data_cls):
            return rows
        holders = [site.holder_of(self.model, self.data_cls) for site in sites.all_sites()]
        counted = {parents.content_type_of(each, rows.db) for each in holders if each is not None}
        return rows.filter(content_type__in=counted)

    def _within(self, window: Window | None) -> QuerySet[Any]:
        rows = self._selected()
        if self.data_cls.period is None:
            return rows
        if window is None:
            return rows.none()
        return rows.filter(collected_during__gte=window.first, collected_during__lte=window.last)

    def _rows(self, window: Window | None) -> Iterator[list[Any]]:
        target = self.data_cls.parent_target()
        key = ["content_type", "object_id"] if target is None else ["parent"]
        uniques = uniques_of(self.data_cls)
        counters = [name for name in self.fields if name not in uniques]
        sums: dict[str, Any] = {f"sum_{name}": Sum(name) for name in counters}
        sums = sums or {"rows": Count("pk")}
        grouped = self._within(window).values_list(*key).annotate(**sums).order_by(*key)
        for chunk in chunked(grouped.iterator(chunk_size=OBJECTS_AT_ONCE), OBJECTS_AT_ONCE):
            keys = [found[: len(key)] for found in chunk]
            objects, seen = self._objects(keys), self._seen(window, key, keys)
            for identity, found in zip(keys, chunk, strict=True):
                totals = self._totals(dict(zip(counters, found[len(key) :], strict=False)))
                yield [*objects[identity], *self._cells(totals | seen.get(identity, {}), window)]

    def _totals(self, sums: dict[str, Any]) -> Totals:
        counters = counters_of(self.data_cls)
        # Some databases give decimals for sums of integers.
        totals = {name: counters[name].to_python(total) for name, total in sums.items()}
        return {name: (total, total) for name, total in totals.items()}

    def _seen(
        self, window: Window | None, key: list[str], keys: list[tuple[Any, ...]]
    ) -> dict[tuple[Any, ...], Totals]:
        """Return the distinct counts of objects: of all periods, and those of each added up."""
        names = [name for name in self.fields if name in uniques_of(self.data_cls)]
        among = Q(pk__in=[])
        for first in dict.fromkeys(identity[:-1] for identity in keys):
            owners = [identity[-1] for identity in keys if identity[:-1] == first]
            among |= Q(**dict(zip(key, first, strict=False)), **{f"{key[-1]}__in": owners})
        rows = self._within(window).filter(among).order_by(*key).values_list(*key, *names)
        found: dict[tuple[Any, ...], Totals] = {}
        for identity, group in groupby(rows.iterator() if names else (), lambda r: r[: len(key)]):
            columns = zip(*(row[len(key) :] for row in group), strict=True)
            united = [(reduce(or_, column), sum(column)) for column in columns]
            found[identity] = dict(zip(names, united, strict=True))
        return found

    def _cells(self, totals: Totals, window: Window | None) -> list[Any]:
        """Return the cells of an object; what is averaged of a distinct count is not its total."""
        pairs = [totals.get(name, (None, None)) for name in self.fields]
        if window is None:
            return [total for total, _ in pairs]
        averages = [(total, average(added, window.periods)) for total, added in pairs]
        return [window.periods, *(cell for pair in averages for cell in pair)]

    def _objects(self, keys: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], list[Any]]:
        """Return the label, the key and the name of each object; those that are gone have none."""
        target = self.data_cls.parent_target()
        if target is not None:
            names = _names(target.model, target, [key for (key,) in keys])
            label = target.model._meta.label
            return {key: [label, key[0], names.get(str(key[0]), "")] for key in keys}
        found: dict[tuple[Any, ...], list[Any]] = {}
        for type_id in dict.fromkeys(type_id for type_id, _ in keys):
            ids = [object_id for other, object_id in keys if other == type_id]
            content_type = ContentType.objects.db_manager(self._selected().db).get_for_id(type_id)
            model = content_type.model_class()
            names = {} if model is None else _names(model, model._meta.pk, ids)
            label = ".".join(content_type.natural_key()) if model is None else model._meta.label
            for object_id in ids:
                found[type_id, object_id] = [label, object_id, names.get(str(object_id), "")]
        return found


def _names(model: Any, field: models.Field[Any, Any], keys: Sequence[Any]) -> dict[str, str]:
    cleaned = [value for key in keys if (value := _converted(field, key)) is not None]
    manager = model._base_manager.using(router.db_for_read(model))
    found = manager.filter(**{f"{field.attname}__in": cleaned})
    return {str(getattr(obj, field.attname)): str(obj) for obj in found}


def _converted(field: models.Field[Any, Any], value: Any) -> Any:
    try:
        return field.to_python(value)
    except (ValidationError, ValueError, OverflowError):
        return None


def first_of(period: str, day: date, zone: tzinfo) -> date | datetime:
    """Return the start of the period that a day of a zone begins in, as rows have it."""
    return _stored(start_of(period, datetime.combine(day, datetime.min.time(), zone), zone), zone)


def last_of(period: str, day: date, zone: tzinfo) -> date | datetime:
    """Return the start of the period that a day of a zone ends in, as rows have it."""
    following = datetime.combine(day + timedelta(days=1), datetime.min.time(), zone)
    return _stored(start_of(period, following.astimezone(UTC) - timedelta(seconds=1), zone), zone)


def _stored(start: date | datetime, zone: tzinfo) -> date | datetime:
    is_naive = isinstance(start, datetime) and not settings.USE_TZ
    return timezone.make_naive(start, zone) if is_naive else start  # type: ignore[arg-type]


def average(total: Any, periods: int) -> Any:
    """Return what a total is for each of so many periods, rounded; a decimal stays one."""
    if total is None:
        return None
    share = total / (Decimal(periods) if isinstance(total, Decimal) else periods)
    return round(share, AVERAGE_PLACES)


def guarded(cell: Any) -> Any:
    """Return a cell so that no spreadsheet takes a text for a formula."""
    if isinstance(cell, bool | int | float | Decimal) or cell is None:
        return cell
    text = str(cell)
    return f"'{text}" if text.startswith(FORMULA_SIGNS) else text
