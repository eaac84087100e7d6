"""The converter: takes records in batches, each in a transaction with its marker."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import FieldError
from django.db import models, transaction

from trackable.batches import Entry
from trackable.conversion.adding import Adder
from trackable.conversion.marker import Marker
from trackable.conversion.plan import BadConversion, Plan, value_of
from trackable.counters import clean_amount, counters_of
from trackable.exceptions import TrackableError
from trackable.folding import ledger
from trackable.folding.chunks import chunked
from trackable.lookups import Absent, Finder, Values, values_of
from trackable.messaging import key_of


@dataclass(slots=True)
class ConversionReport:
    """Numbers of records; those without a time or an object, and the unfit, are left out."""

    before: int = 0
    converted: int = 0
    without_object: int = 0
    without_time: int = 0
    unfit: int = 0


@dataclass(slots=True)
class Converter:
    """Adds the records of a plan to its data class.

    With ``skips_unfit`` a record that does not fit is told to ``on_unfit`` and left out, else it
    raises. ``dry`` does everything and rolls it back.
    """

    plan: Plan
    batch_size: int = 1000
    max_records: int | None = None
    dry: bool = False
    skips_unfit: bool = False
    on_unfit: Callable[[str], None] = lambda text: None
    report: ConversionReport = field(default_factory=ConversionReport)
    marker: Marker = field(init=False)
    _finder: Finder | None = None
    _adder: Adder = field(init=False)

    def __post_init__(self) -> None:
        self.plan.check()
        alias = ledger.alias_of(self.plan.data_cls._meta.label)
        self.marker = Marker(self.plan, alias)
        self._adder = Adder(self.plan.data_cls, alias)
        if self.plan.match:
            target = self.plan.data_cls.parent_target()
            needed = [target.name] if target else []
            self._finder = Finder(self.plan.match.model, [self.plan.match.field], needed=needed)

    def start(self, *, forget: bool = False) -> int:
        """Find out where to go on, and return the number of records that are left.

        Raises ``BadConversion`` if that cannot be told. With ``forget`` begins anew.
        """
        if not forget:
            self.marker.read()
        elif not self.dry:
            self.marker.forget()
        self.report.before = self.marker.position
        try:
            last = self._last()
            count = self._records().count()
        except FieldError as error:
            raise BadConversion(f"--order-by does not fit: {error}") from error
        if self.marker.position:
            self.marker.check(last)
        return max(self._stop(count) - self.marker.position, 0)

    def run(self) -> Iterator[int]:
        """Convert what is left, and yield the number of records in each batch that is done."""
        for records in self._pages():
            with transaction.atomic(using=self.marker.alias, durable=True):
                if not self.dry:
                    self.marker.advance(records)
                self._convert(records)
                if self.dry:
                    transaction.set_rollback(True, using=self.marker.alias)
            self.marker.position += len(records)
            yield len(records)

    # reading

    def _records(self) -> models.QuerySet[Any]:
        found = self.plan.source._default_manager.order_by(*self.plan.order_by, "pk")
        return found.prefetch_related(*self.plan.prefetched())

    def _last(self) -> models.Model | None:
        position = self.marker.position
        found = self._records()[position - 1 : position] if position else ()
        return next(iter(found), None)

    def _stop(self, count: int) -> int:
        return count if self.max_records is None else min(self.max_records, count)

    def _pages(self) -> Iterator[list[Any]]:
        if self.plan.order_by:
            left = self._records()[self.marker.position : self.max_records]
            yield from chunked(left.iterator(chunk_size=self.batch_size), self.batch_size)
            return
        # By key, so that no database has to keep the whole table for us.
        last, position = self._last(), self.marker.position
        while page := self._page(last, position):
            yield page
            last, position = page[-1], position + len(page)

    def _page(self, last: models.Model | None, position: int) -> list[Any]:
        size = self.batch_size
        if self.max_records is not None:
            size = max(min(size, self.max_records - position), 0)
        found = self._records()
        return list((found if last is None else found.filter(pk__gt=last.pk))[:size])

    # converting

    def _convert(self, records: Sequence[models.Model]) -> None:
        parents = self._parents(records)
        entries: list[Entry] = []
        for record, parent in zip(records, parents, strict=True):
            try:
                entries += self._entries(record, parent)
            except TrackableError as error:
                self._refuse(f"Record {record.pk}: {error}")
        for text in self._adder.add(entries):
            self._refuse(text)

    def _entries(self, record: models.Model, parent: Any) -> list[Entry]:
        if parent is None or isinstance(parent, Absent):
            self.report.without_object += 1
            return []
        start = self.plan.start(record)
        if start is None:
            self.report.without_time += 1
            return []
        found = []
        for attribute, counter in self.plan.updates:
            _, label, object_id, _ = key_of(parent, counter, self.plan.data_cls)
            amount = value_of(record, attribute)
            if amount is not None:
                amount = clean_amount(counters_of(self.plan.data_cls)[counter], amount)
                found.append(Entry(label, object_id, start, counter, amount, 1))
        self.report.converted += 1
        return found

    def _refuse(self, text: str) -> None:
        if not self.skips_unfit:
            raise BadConversion(text)
        self.report.unfit += 1
        self.on_unfit(text)

    # parents

    def _parents(self, records: Sequence[models.Model]) -> list[Any]:
        if self._finder is None:
            return [self._linked(record) for record in records]
        wanted = [self._match_values(record) for record in records]
        found = self._finder.find(values for values in wanted if values is not None)
        return [None if values is None else found[values] for values in wanted]

    def _linked(self, record: models.Model) -> models.Model | None:
        parent = value_of(record, self.plan.link)
        if parent is not None and not isinstance(parent, models.Model):
            raise BadConversion(
                f"{self.plan.link!r} leads to {parent!r}, which is no object: use --match-spec."
            )
        return parent

    def _match_values(self, record: models.Model) -> Values | None:
        match = self.plan.match
        assert match is not None
        value = value_of(record, match.attribute)
        return None if value is None else values_of({match.field: value})
