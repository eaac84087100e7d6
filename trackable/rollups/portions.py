"""Portions: sums some rows of some objects into their coarse row, in one short transaction.

In it: the rows are locked in the order of their keys, as folds lock them; their sums are added to
the coarse rows by the folds' own upsert; these are read again and compared; then the finer rows
are deleted, by their primary keys. So the sum over all rows is the same before and after, and a
crash leaves it as it was. What a fold adds meanwhile waits for the locks, or is in a row of its
own that is not deleted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Final

from django.db import DataError, IntegrityError, connections, transaction

from trackable import notices
from trackable.counters import Amount, CounterField
from trackable.exceptions import BadSketch
from trackable.folding import upsert
from trackable.folding.chunks import chunked
from trackable.folding.engine import try_until_committed
from trackable.folding.overflows import REASON, overflows
from trackable.folding.rows import Row
from trackable.models import RolledUp
from trackable.rollups import sums, unions
from trackable.rollups.table import DURING, Key, Period, Table

logger = logging.getLogger(__name__)

#: Of one transaction.
ROWS_AT_A_TIME: Final = 1000
#: Few enough for the parameters of one statement in every database.
OBJECTS_AT_A_TIME: Final = 300
PKS_AT_A_TIME: Final = 500

Portion = list[Key]


class Unsound(Exception):  # noqa: N818
    """The rows cannot be summed up, at least not together with others; the message is why."""


@dataclass(slots=True)
class Outcome:
    """What became of a portion."""

    #: the rows that are gone
    rows: int = 0
    refused: set[Key] = field(default_factory=set)
    #: There may be more rows of the same objects.
    is_partial: bool = False

    def __iadd__(self, other: Outcome) -> Outcome:
        self.rows += other.rows
        self.refused |= other.refused
        self.is_partial |= other.is_partial
        return self


def portions(objects: Sequence[tuple[Key, int]]) -> Iterator[Portion]:
    """Yield the objects, which come with the number of their rows, as one transaction takes them.

    An object of more rows is a portion by itself, and takes several turns.
    """
    for _, alike in groupby(objects, key=lambda each: each[0][:-1]):
        taken: Portion = []
        rows = 0
        for key, number in alike:
            rows += number + 1  # the coarse one
            if taken and (rows > ROWS_AT_A_TIME or len(taken) == OBJECTS_AT_A_TIME):
                yield taken
                taken, rows = [], number + 1
            taken.append(key)
        yield taken


def roll_up(table: Table, period: Period, portion: Portion) -> Outcome:
    """Sum rows of the objects up, and delete them; in halves where they cannot be together.

    An object whose rows cannot be summed up keeps them, and the log says why. Raises what Django
    raises when the database fails for longer.
    """
    try:
        return _committed(table, period, portion)
    except Unsound:
        # Nobody knows of which object, or a fold has made a coarse row at this moment.
        half = len(portion) // 2
    outcome = Outcome()
    for part in (portion[:half], portion[half:]) if half else ():
        outcome += roll_up(table, period, part)
    return outcome if half else _roll_up_alone(table, period, portion)


def _roll_up_alone(table: Table, period: Period, portion: Portion) -> Outcome:
    try:
        return _committed(table, period, portion)
    except Unsound as error:
        label = table.data_cls._meta.label
        if notices.is_news(f"roll-up of {label}: {portion} {period} {error}"):
            logger.error(
                "The rows of %s for %a are not summed into one of the %s of %s, and stay as they"
                " are: %s",
                *(label, portion[0], period.step, period.start, ascii(str(error))),
            )
        return Outcome(refused={portion[0]})


def _committed(table: Table, period: Period, portion: Portion) -> Outcome:
    def attempt() -> Outcome:
        try:
            with transaction.atomic(using=table.alias, durable=True):
                return _Transaction(table, period, portion).run()
        except (DataError, IntegrityError, OverflowError, BadSketch) as error:
            raise Unsound(f"{type(error).__name__}: {error}") from error

    what = f"The roll-up of {table.data_cls._meta.label}"
    return try_until_committed(table.alias, what, attempt)


@dataclass(slots=True)
class _Object:
    """An object: its coarse row, if there is one, the finer ones, and what they come to."""

    key: Key
    coarse: dict[str, Any] = field(default_factory=dict)
    finer: list[dict[str, Any]] = field(default_factory=list)
    sums: dict[str, Amount] = field(default_factory=dict)
    #: of all rows, as the coarse one has them
    sketches: unions.Sketches = field(default_factory=dict)


class _Transaction:
    """The work of one transaction."""

    def __init__(self, table: Table, period: Period, portion: Portion) -> None:
        self._table = table
        self._period = period
        self._portion = portion
        self._start = table.stored(period.start)
        self._key = table.key
        self._target = upsert.Target.of(table.alias, table.data_cls)
        self._counters: dict[str, CounterField] = dict(self._target.counters)
        self._sketches = unions.columns(table)

    def run(self) -> Outcome:
        self._take_write_lock()
        rows = self._locked_rows()
        objects = [each for each in self._objects(rows) if each.finer]
        if objects:
            self._add(objects)
            if self._sketches:
                self._unite(objects)
            self._verify(objects)
        gone = [row["pk"] for each in objects for row in each.finer]
        self._delete(gone)
        return Outcome(len(gone), is_partial=len(rows) == ROWS_AT_A_TIME)

    def _take_write_lock(self) -> None:
        """Where rows cannot be locked, wait for whoever writes now: later that would fail."""
        if not connections[self._table.alias].features.has_select_for_update:
            RolledUp._base_manager.using(self._table.alias).filter(pk=0).update(step="")

    def _locked_rows(self) -> list[dict[str, Any]]:
        table = self._table
        rows = table.rows(self._period.start, self._period.end)
        return self._read(rows.filter(table.of_objects(self._portion)))

    def _read(self, rows: Any) -> list[dict[str, Any]]:
        """Return rows in the order of their keys, locked: not as an older snapshot has them."""
        names = [*self._key, DURING]
        ordered = rows.order_by(*names).select_for_update()
        found = ordered.values("pk", *names, *self._counters, **self._sketches)
        return list(found[:ROWS_AT_A_TIME])

    def _objects(self, rows: Sequence[dict[str, Any]]) -> Iterator[_Object]:
        for key, own in groupby(rows, key=self._key_of):
            found = _Object(key)
            for row in own:
                if self._table.start(row[DURING]) == self._period.start:
                    found.coarse = row
                else:
                    found.finer.append(row)
            yield found

    def _key_of(self, row: dict[str, Any]) -> Key:
        if len(self._portion) == 1:  # whose keys the database may not tell apart, as "A" and "a"
            return self._portion[0]
        return tuple([row[name] for name in self._key])

    def _add(self, objects: Sequence[_Object]) -> None:
        for each in objects:
            for name, counter in self._counters.items():
                each.sums[name] = sums.total(counter, [row[name] for row in each.finer])
                if overflows(self._target, name, each.coarse.get(name, 0), each.sums[name]):
                    raise Unsound(f"{name}: {REASON}")
        rows = [Row((*each.key, self._start), each.sums, ("", "", ""), {}) for each in objects]
        upsert.add(self._table.alias, self._table.data_cls, rows)

    def _unite(self, objects: Sequence[_Object]) -> None:
        """Put the sketches of the finer rows into the coarse ones, as these are now."""
        found = self._coarse_rows(objects)
        for each in objects:
            rows = [found.get(each.key, {}), *each.finer]
            each.sketches = unions.united(self._sketches, [row for row in rows if row])
        written = ((found[each.key]["pk"], each.sketches) for each in objects if each.key in found)
        unions.write(self._table, written)

    def _verify(self, objects: Sequence[_Object]) -> None:
        """Make sure that the coarse rows have what all rows had before."""
        found = self._coarse_rows(objects)
        for each in objects:
            after = found.get(each.key)
            if after is None:
                raise Unsound("there is no row of its key once it is written")
            for name, counter in self._counters.items():
                before = [row[name] for row in (each.coarse, *each.finer) if row]
                wanted = sums.total(counter, before)
                if not sums.is_equal(counter, after[name], wanted):
                    raise Unsound(f"{name}: the database has {after[name]}, not {wanted}")
            if any(bytes(after[name]) != sketch for name, sketch in each.sketches.items()):
                raise Unsound("the database has another distinct count than it was given")

    def _coarse_rows(self, objects: Sequence[_Object]) -> dict[Key, dict[str, Any]]:
        table = self._table
        rows = table.rows(self._period.start, self._period.end).filter(**{DURING: self._start})
        found = self._read(rows.filter(table.of_objects([each.key for each in objects])))
        return {self._key_of(row): row for row in found}

    def _delete(self, pks: Sequence[Any]) -> None:
        """Delete rows without asking for what belongs to them: nothing does."""
        # With their times, so that a partitioned table is looked at in one partition.
        rows = self._table.rows(self._period.start, self._period.end)
        gone = 0
        for chunk in chunked(pks, PKS_AT_A_TIME):
            gone += rows.filter(pk__in=chunk)._raw_delete(self._table.alias)
        if gone != len(pks):
            raise Unsound(f"of {len(pks)} rows {gone} were deleted")
