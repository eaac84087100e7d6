"""Tables: the rows of a data class in one database, by their times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from trackable.models import TrackableData
from trackable.rollups.boundaries import EARLIEST, Start, floor, following

DURING: Final = "collected_during"
#: Found with one look at a period, which takes long if it has millions of rows.
KEYS_AT_A_TIME: Final = 50_000

#: What tells an object: the values of the key fields but for the time.
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Period:
    """A coarse period of a step: half-open, from its start to the next one's."""

    step: str
    start: Start
    end: Start


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of a data class in one database. Periods begin as they do in the zone."""

    alias: str
    data_cls: type[TrackableData]
    zone: tzinfo

    @property
    def finest(self) -> str:
        return str(self.data_cls.period)

    @property
    def key(self) -> list[str]:
        """The columns that tell the objects."""
        names = [name for name in self.data_cls.key_fields() if name != DURING]
        return [self.data_cls._meta.get_field(name).attname for name in names]  # type: ignore[union-attr]

    def rows(self, since: Start | None, before: Start) -> QuerySet[Any]:
        """Return the rows of a time, which includes its start; ``None`` for all earlier ones."""
        times = {f"{DURING}__gte": self.stored(self._earliest if since is None else since)}
        times[f"{DURING}__lt"] = self.stored(before)
        return self.data_cls._base_manager.using(self.alias).filter(**times).order_by()

    def finer(self, period: Period) -> QuerySet[Any]:
        """Return the rows of a period but for the one at its start, which takes them up."""
        later = {f"{DURING}__gt": self.stored(period.start)}
        return self.rows(period.start, period.end).filter(**later)

    def finer_periods(self, step: str, since: Start | None, before: Start) -> Iterator[Period]:
        """Yield the coarse periods that have finer rows, oldest first.

        One look into the index for each period that has rows.
        """
        rest = self.rows(since, before)
        while (found := self._first(rest.order_by(DURING))) is not None:
            start = floor(step, found, self.zone)
            if start == found:
                rest = self.rows(found, before).filter(**{f"{DURING}__gt": self.stored(found)})
                continue
            end = following(step, found, self.zone)
            yield Period(step, start, end)
            rest = self.rows(end, before)

    def finer_periods_back(
        self, step: str, since: Start | None, before: Start, *, most: int | None
    ) -> Iterator[Period]:
        """Yield the coarse periods that have finer rows, latest first; look at so many at most."""
        looked = 0
        while most is None or looked < most:
            found = self._first(self.rows(since, before).order_by(f"-{DURING}"))
            if found is None:
                return
            looked += 1
            before = floor(step, found, self.zone)
            if before != found:
                yield Period(step, before, following(step, found, self.zone))

    def objects(self, period: Period) -> Iterator[list[tuple[Key, int]]]:
        """Yield the keys that have finer rows in a period, and how many, many at a time."""
        names = self.key
        groups = self.finer(period).values_list(*names).annotate(Count("pk")).order_by(*names)
        found = list(groups[:KEYS_AT_A_TIME])
        while found:
            yield [(values[:-1], values[-1]) for values in found]
            found = list(groups.filter(_after(names, found[-1][:-1]))[:KEYS_AT_A_TIME])

    def of_objects(self, keys: Sequence[Key]) -> Q:
        """Return what selects some objects; all but the last values of their keys are the same."""
        *leading, last = self.key
        same = dict(zip(leading, keys[0][:-1], strict=True))
        return Q(**same, **{f"{last}__in": [key[-1] for key in keys]})

    def stored(self, start: Start) -> Start:
        """Return a start as rows have it: naive where the site knows no zones."""
        if isinstance(start, datetime) and not settings.USE_TZ:
            return timezone.make_naive(start, self.zone)
        return start

    def start(self, stored: Any) -> Start:
        """Return what a row has as a start."""
        if not isinstance(stored, datetime):
            return stored  # type: ignore[no-any-return]  # a date
        return (stored if stored.tzinfo else stored.replace(tzinfo=self.zone)).astimezone(UTC)

    @property
    def _earliest(self) -> Start:
        return EARLIEST if self.finest == "hour" else date(EARLIEST.year, 1, 1)

    def _first(self, rows: QuerySet[Any]) -> Start | None:
        found: list[Any] = list(rows.values_list(DURING, flat=True)[:1])
        return self.start(found[0]) if found else None


def _after(names: Sequence[str], values: Key) -> Q:
    """Return what selects the keys after one, in their order."""
    *leading, last = names
    after = Q(**{f"{last}__gt": values[-1]})
    for name, value in zip(leading, values, strict=False):
        after = Q(**{f"{name}__gt": value}) | (Q(**{name: value}) & after)
    return after
