"""Rolling up: does what is due for data classes, for as long as there is time.

Oldest first and in short transactions: whatever ends it, and whoever does it at the same time,
the sums are the same at every moment, and the next run goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Final

from django.db import Error, connections, router
from django.utils import timezone

from trackable.exceptions import TrackableError
from trackable.folding.engine import try_until_committed
from trackable.labels import folded_classes
from trackable.models import TrackableData
from trackable.rollups import marks, purging
from trackable.rollups.boundaries import Start, due, moment_of
from trackable.rollups.plans import Stretch, stretches
from trackable.rollups.portions import Portion, portions
from trackable.rollups.portions import roll_up as roll_up_portion
from trackable.rollups.retention import Retention, retention_of
from trackable.rollups.table import Period, Table

logger = logging.getLogger(__name__)

#: So many of the latest periods that are done are looked at again, for what came late.
LATE_PERIODS: Final = 400
#: Of a transaction's length, and of that for which SQLite lets those sleep who wait.
WAY_SECONDS: Final = 0.02


@dataclass(slots=True)
class RollUpReport:
    """What was done: numbers of rows, and of objects where the name says so."""

    rows: int = 0  # that are summed into coarser ones, and gone
    removed: int = 0  # of the last step, with their counts
    refused_objects: int = 0  # whose rows stay as they are, in one period each
    unfinished: int = 0  # data classes for which there was not enough time

    def __iadd__(self, other: RollUpReport) -> RollUpReport:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        return self


Progress = Callable[[RollUpReport], None]


def classes_with_retention() -> list[type[TrackableData]]:
    """Return the data classes whose rows are rolled up."""
    return [
        cls
        for cls in folded_classes()
        if issubclass(cls, TrackableData) and not cls._meta.proxy and retention_of(cls)
    ]


def roll_up_all(
    data_classes: Iterable[type[TrackableData]] | None = None,
    *,
    alias: str | None = None,
    max_seconds: float | None = None,
    report: RollUpReport | None = None,
    progress: Progress | None = None,
) -> RollUpReport:
    """Roll up what is due of these data classes, or of all, each within its share of the time.

    One that fails does not keep the others from it; its error (``django.db.Error`` or
    ``TrackableError``) is raised at the end. ``progress`` is called with the report after each
    transaction; what it raises ends it all there.
    """
    report = RollUpReport() if report is None else report
    failed: list[Exception] = []
    ends_at = None if max_seconds is None else time.monotonic() + max_seconds
    waiting = list(classes_with_retention() if data_classes is None else data_classes)
    while waiting:
        left = None if ends_at is None else (ends_at - time.monotonic()) / len(waiting)
        data_cls = waiting.pop(0)
        try:
            roll_up(data_cls, alias=alias, max_seconds=left, report=report, progress=progress)
        except (Error, TrackableError) as error:
            label = data_cls._meta.label
            logger.error("The rows of %s are not rolled up: %s", label, ascii(str(error)))
            failed.append(error)
    if failed:
        raise failed[0]
    return report


def roll_up(
    data_cls: type[TrackableData],
    *,
    alias: str | None = None,
    now: datetime | None = None,
    max_seconds: float | None = None,
    report: RollUpReport | None = None,
    progress: Progress | None = None,
) -> RollUpReport:
    """Roll up what is due of a data class, in the database that counts it, and report.

    Safe beside folds, and beside another run. Raises what Django raises if the database fails
    for longer, and ``RuntimeError`` in a transaction of the caller's.
    """
    report = RollUpReport() if report is None else report
    retention = retention_of(data_cls)
    if retention is not None:
        table = table_of(data_cls, alias)
        _Run(table, retention, report, progress).run(now or datetime.now(UTC), max_seconds)
    return report


def table_of(data_cls: type[TrackableData], alias: str | None = None) -> Table:
    """Return the table of a data class, by default in the database that counts it."""
    zone = timezone.get_default_timezone()
    return Table(alias or router.db_for_write(data_cls), data_cls, zone)


def waiting(data_cls: type[TrackableData], alias: str | None = None) -> dict[str, int]:
    """Return how many rows are due, by the step that they become part of; ``""`` for none.

    Counts them all, which takes its time with millions.
    """
    table, retention, now = table_of(data_cls, alias), retention_of(data_cls), datetime.now(UTC)
    found: dict[str, int] = {}
    if retention is None:
        return found
    for each in _stretches(table, retention, now):
        periods = table.finer_periods(each.step, each.since, each.before)
        number = sum(table.finer(period).count() for period in periods)
        found[each.step] = found.get(each.step, 0) + number
    if (before := _removed_before(table, retention, now)) is not None:
        found[""] = table.rows(None, before).count()
    return found


def _stretches(table: Table, retention: Retention, now: datetime) -> list[Stretch]:
    untils = marks.untils(table.alias, table.data_cls)
    return stretches(retention, untils, now=now, zone=table.zone)


def _removed_before(table: Table, retention: Retention, now: datetime) -> Start | None:
    removal = retention.removal
    if removal is None:
        return None
    return due(removal.step, age=removal.age, now=now, finest=table.finest, zone=table.zone)


class _OutOfTime(Exception):  # noqa: N818
    pass


class _Run:
    """One run for one data class."""

    def __init__(
        self,
        table: Table,
        retention: Retention,
        report: RollUpReport,
        progress: Progress | None,
    ) -> None:
        self._table = table
        self._retention = retention
        self._report = report
        self._progress = progress
        self._ends_at: float | None = None

    def run(self, now: datetime, max_seconds: float | None) -> None:
        begun = time.monotonic()
        self._ends_at = None if max_seconds is None else begun + max_seconds
        before = (self._report.rows, self._report.removed)
        try:
            self._remove(now)
            for stretch in _stretches(self._table, self._retention, now):
                self._sum_up(stretch)
        except _OutOfTime:
            self._report.unfinished += 1
        finally:
            rows, removed = self._report.rows - before[0], self._report.removed - before[1]
            label, seconds = self._table.data_cls._meta.label, time.monotonic() - begun
            if rows or removed:
                what = "Rolled up %s: %d rows summed, %d removed in %.2f s"
                logger.info(what, label, rows, removed, seconds)

    def _remove(self, now: datetime) -> None:
        before = _removed_before(self._table, self._retention, now)
        if before is None:
            return
        self._check_time()
        for number in purging.remove(self._table, before):
            self._report.removed += number
            self._tell()
            self._make_way()
            self._check_time()

    def _sum_up(self, stretch: Stretch) -> None:
        step, since, before = stretch.step, stretch.since, stretch.before
        if stretch.is_done:
            # Without a bound of time there is none of what is looked at.
            most = None if self._ends_at is None else LATE_PERIODS
            for period in self._table.finer_periods_back(step, since, before, most=most):
                self._sum_up_period(period)
            return
        for period in self._table.finer_periods(step, since, before):
            self._sum_up_period(period)
            self._advance(step, period.end)
        self._advance(step, before)

    def _sum_up_period(self, period: Period) -> None:
        for objects in self._table.objects(period):
            for portion in portions(objects):
                self._sum_up_portion(period, portion)

    def _sum_up_portion(self, period: Period, portion: Portion) -> None:
        while portion:
            self._check_time()
            outcome = roll_up_portion(self._table, period, portion)
            self._report.rows += outcome.rows
            self._report.refused_objects += len(outcome.refused)
            self._tell()
            self._make_way()
            left = set(portion) - outcome.refused if outcome.is_partial else ()
            portion = [key for key in portion if key in left]

    def _advance(self, step: str, until: Start) -> None:
        table = self._table
        moment = moment_of(until, table.zone)
        try_until_committed(
            table.alias,
            f"The mark of {table.data_cls._meta.label}",
            lambda: marks.advance(table.alias, table.data_cls, step, moment),
        )

    def _make_way(self) -> None:
        """Where one transaction writes at a time, let others do so for half of the time.

        They do not queue there: who waits looks now and then, and would hardly ever find it free.
        """
        if not connections[self._table.alias].features.has_select_for_update:
            time.sleep(WAY_SECONDS)

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self._report)

    def _check_time(self) -> None:
        if self._ends_at is not None and time.monotonic() >= self._ends_at:
            raise _OutOfTime
