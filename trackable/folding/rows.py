"""Rows: turns what travelled into keys and amounts that the database can take, or says why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from trackable.amounts import plus
from trackable.batches import Batch, Entry
from trackable.counters import Amount, clean_amount, counters_of, field_range, is_positive
from trackable.exceptions import BadAmount, TrackableError
from trackable.folding.aggregate import Delta, Deltas, RowKey
from trackable.folding.chunks import chunked
from trackable.folding.keys import NO_PARENT, integers_of, object_key, parent_key, reason_of
from trackable.folding.quarantine import MAX_NUMBER, Reject
from trackable.models import TrackableData
from trackable.periods import decode_start
from trackable.rollups import boundaries, marks
from trackable.rollups.retention import retention_of
from trackable.uniques.pseudonyms import MARK
from trackable.uniques.rotations import Hasher

#: Few enough for the parameters of one statement in every database.
LOOKUP_SIZE: Final = 500
#: Who was seen by a row without distinct counts: one object for all such rows.
NOBODY: Final[dict[str, list[int]]] = {}


@dataclass(slots=True)
class Row:
    """A row to be written: the values of the key fields, and the amounts by counter."""

    key: tuple[Any, ...]
    amounts: dict[str, Amount]
    origin: RowKey
    deltas: Deltas
    #: who was seen, by distinct count: hashes for its sketch
    seen: dict[str, list[int]] = field(default_factory=dict)

    def by_field(self) -> list[list[Row]]:
        """Return the row as one row for each of its counters."""
        return [[self.only([name])] for name in (*self.amounts, *self.seen)]

    def only(self, names: Collection[str]) -> Row:
        """Return the row with some of its counters."""
        amounts = {name: amount for name, amount in self.amounts.items() if name in names}
        deltas = {key: delta for key, delta in self.deltas.items() if _name_in(key[0]) in names}
        seen = {name: hashes for name, hashes in self.seen.items() if name in names}
        return Row(self.key, amounts, self.origin, deltas, seen)

    def rejects(self, data_cls: type[TrackableData], reason: str) -> list[Reject]:
        """Return the row's deltas as they are set aside: those of one distinct count together."""
        groups: dict[tuple[str, type, str], list[Entry]] = defaultdict(list)
        for (cell, kind), delta in self.deltas.items():
            entry = Entry(*self.origin, cell, delta.amount, min(delta.hits, MAX_NUMBER))
            groups[_name_in(cell), kind, delta.batch_id].append(entry)
        return [
            reject
            for (_, _, batch_id), entries in groups.items()
            for reject in Reject.of_batch(Batch.of(batch_id, data_cls._meta.label, entries), reason)
        ]


def _name_in(cell: str) -> str:
    """Return the name of the field that a field cell of a line is of."""
    return cell.partition(MARK)[0]


class Unfit(Exception):  # noqa: N818
    """What travelled cannot be a row; the message is the reason."""


def with_each_key_once(rows: Sequence[Row]) -> list[list[Row]]:
    """Return the rows in lists that one statement can take, each in the order it had.

    A key comes twice when two periods, or two ways to write an id, have become the same.
    """
    lists: list[list[Row]] = []
    seen: dict[tuple[Any, ...], int] = defaultdict(int)
    for row in rows:
        turn = seen[row.key]
        seen[row.key] = turn + 1
        if turn == len(lists):
            lists.append([])
        lists[turn].append(row)
    return lists


class RowCleaner:
    """Makes rows of one data class; what is unfit is collected in ``rejects``."""

    def __init__(
        self, data_cls: type[TrackableData], alias: str, *, is_reading: bool = False
    ) -> None:
        self.data_cls = data_cls
        self.alias = alias
        self.rejects: list[Reject] = []
        #: what was added up to an amount that is bad: origin, field and type
        self.bad_amounts: set[tuple[RowKey, str, type]] = set()
        self._counters = counters_of(data_cls)
        self._parent_target = data_cls.parent_target()
        if self._parent_target is not None:
            self._owner = parent_key(self._parent_target, alias)
        else:
            self._owner = object_key(data_cls._meta.get_field("object_id"))
        self._content_types: dict[str, int] = {}
        self._starts: dict[str, date | datetime | None] = {}
        #: how far rows are summed into coarser ones, which what comes late belongs to
        self._untils = marks.untils(alias, data_cls) if retention_of(data_cls) else {}
        self._is_reading = is_reading

    def clean(self, found: dict[RowKey, Deltas]) -> list[Row]:
        """Return the rows in the order of their keys, which every fold locks them in."""
        self._content_types.clear()
        self._starts.clear()
        self._hasher = Hasher(self.data_cls, self.alias, is_reading=self._is_reading)
        rows = [row for origin, deltas in found.items() if (row := self._row(origin, deltas))]
        if self._parent_target is not None:
            rows = self._with_parents(rows, self._parent_target)
        return sorted(rows, key=attrgetter("key"))

    def _row(self, origin: RowKey, deltas: Deltas) -> Row | None:
        try:
            key = self._key(*origin)
        except (Unfit, ValueError, OverflowError, ValidationError) as error:
            self._reject(origin, deltas, reason_of(error))
            return None
        amounts: dict[str, Amount] = {}
        row = Row(key, amounts, origin, deltas, NOBODY)
        unfit: dict[str, Deltas] | None = None
        for (cell, kind), delta in deltas.items():
            try:
                counter = self._counters.get(cell)
                if counter is None and MARK in cell:
                    self._see(row, cell)
                    continue
                amount = self._amount(counter or self._counters[cell], delta)
                if counter and cell in amounts:  # of another type
                    amount = clean_amount(counter, plus(amounts[cell], amount))
                amounts[cell] = amount
            except TrackableError as error:
                if isinstance(error, BadAmount):
                    self.bad_amounts.add((origin, cell, kind))
                unfit = unfit or {}
                unfit.setdefault(str(error), {})[cell, kind] = delta
        return self._without(row, unfit) if unfit else row

    def _without(self, row: Row, unfit: dict[str, Deltas]) -> Row | None:
        """Set deltas aside, by their reasons; return what is left of the row, if there is any."""
        for reason, found in unfit.items():
            self._reject(row.origin, found, reason)
        gone = set().union(*unfit.values())
        row.deltas = {each: delta for each, delta in row.deltas.items() if each not in gone}
        return row if row.deltas else None

    def _see(self, row: Row, cell: str) -> None:
        """Take who was seen: once, whatever the amount of it is."""
        name, seen = self._hasher.hash_of(cell, row.origin[2])
        if row.seen is NOBODY:
            row.seen = {}
        row.seen.setdefault(name, []).append(seen)

    def spoils(self, entry: Entry) -> bool:
        """Tell whether the amount of an entry is bad by itself, whatever it is added to."""
        try:
            self._amount(self._counters[entry.field], Delta(entry.amount, entry.hits, ""))
        except TrackableError as error:
            return isinstance(error, BadAmount)
        return False

    def is_part_of_bad(self, entry: Entry) -> bool:
        """Tell whether the amount of an entry is part of a sum that is bad."""
        origin = (entry.parent, entry.object_id, entry.period)
        return (origin, entry.field, type(entry.amount)) in self.bad_amounts

    def _amount(self, field: models.Field[Any, Any], delta: Delta) -> Amount:
        """Return what to add; decrements that are too much together bring any value to zero."""
        try:
            return clean_amount(field, delta.amount)
        except BadAmount:
            if is_positive(field) and isinstance(delta.amount, int):
                low, _ = field_range(field)
                if low * delta.hits <= delta.amount < low:
                    return max(delta.amount, -integers_of(field, self.alias)[1])
            raise

    def _key(self, parent: str, object_id: str, period: str) -> tuple[Any, ...]:
        owner = self._owner(object_id)
        key = (self._content_type(parent), owner) if self._parent_target is None else (owner,)
        start = self._start(period)
        return key if start is None else (*key, start)

    def _start(self, period: str) -> date | datetime | None:
        if period not in self._starts:
            start = decode_start(self.data_cls.period, period)
            if start is not None and self._untils:
                finest, zone = str(self.data_cls.period), timezone.get_default_timezone()
                start = boundaries.kept_at(start, self._untils, finest=finest, zone=zone)
            self._starts[period] = _stored(start)
        return self._starts[period]

    def _content_type(self, label: str) -> int:
        """Return the id of a model, as the database has it now.

        Not from Django's cache: that keeps ids of rows which a rollback or a restore removed.
        """
        if label not in self._content_types:
            try:
                meta = apps.get_model(label)._meta.concrete_model._meta
            except (LookupError, ValueError) as error:
                raise Unfit(f"there is no model {label[:100]!r}") from error
            content_type, _ = ContentType.objects.db_manager(self.alias).get_or_create(
                app_label=meta.app_label, model=meta.model_name
            )
            self._content_types[label] = content_type.pk
        return self._content_types[label]

    def _with_parents(self, rows: list[Row], target: models.Field[Any, Any]) -> list[Row]:
        manager = target.model._base_manager.using(self.alias)
        present: set[Any] = set()
        for chunk in chunked({row.key[0] for row in rows}, LOOKUP_SIZE):
            found = manager.filter(**{f"{target.attname}__in": chunk})
            present.update(found.values_list(target.attname, flat=True))
        for row in rows:
            if row.key[0] not in present:
                self.rejects += row.rejects(self.data_cls, NO_PARENT)
        return [row for row in rows if row.key[0] in present]

    def _reject(self, origin: RowKey, deltas: Deltas, reason: str) -> None:
        self.rejects += Row((), {}, origin, deltas).rejects(self.data_cls, reason)


def _stored(start: date | datetime | None) -> date | datetime | None:
    if isinstance(start, datetime) and not settings.USE_TZ:
        return timezone.make_naive(start, timezone.get_default_timezone())
    return start
