"""The importer: takes totals in groups, with their hits, each in a transaction with its marker.

What is added for an object is its total at one moment: hits with rows by their own time, and the
remainder where the plan says. So rows that are cleaned up meanwhile are only added elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import models, transaction

from trackable.batches import Entry
from trackable.conversion.adding import Adder
from trackable.conversion.plan import BadConversion
from trackable.folding import ledger
from trackable.hitcounts import remainders, survey, totals
from trackable.hitcounts.marker import Marker
from trackable.hitcounts.plan import BEGINNING, HitPlan, now
from trackable.hitcounts.survey import Held
from trackable.hitcounts.tallies import Reader, Tally
from trackable.hitcounts.totals import Total
from trackable.messaging import key_of


@dataclass(slots=True)
class ImportReport:
    """Numbers of hits, and of objects where the name says so."""

    objects: int = 0
    hits: int = 0  # added by their own time
    remainder: int = 0  # added where the plan says, as they have no time
    placeless: int = 0  # left out, as they have no time and no place
    crawlers: int = 0  # left out
    elsewhen: int = 0  # left out, as they came later
    gone_objects: int = 0
    gone: int = 0  # on objects that are gone, left out
    surplus: int = 0  # added, though the totals are less


@dataclass(slots=True)
class Importer:
    """Adds the hits of a plan to its data class. ``dry`` does everything and rolls it back."""

    plan: HitPlan
    dry: bool = False
    report: ImportReport = field(default_factory=ImportReport)
    marker: Marker = field(init=False)
    _adder: Adder = field(init=False)
    _content_type: int | None = None
    _before: datetime = BEGINNING

    def __post_init__(self) -> None:
        self.plan.check()
        alias = ledger.alias_of(self.plan.data_cls._meta.label)
        self.marker = Marker(self.plan, alias)
        self._adder = Adder(self.plan.data_cls, alias)
        self._content_type = survey.content_type_id(self.plan)
        self._before = now() if self.plan.before is None else self.plan.before

    def start(self, *, forget: bool = False) -> int:
        """Find out where to go on, and return the number of objects that are left.

        Raises ``BadConversion`` if that cannot be told, or hits without a time have no place.
        With ``forget`` begins anew.
        """
        if forget and not self.dry:
            self.marker.forget()
        if forget or not self.marker.read():
            self.marker.since, self.marker.before = self.plan.since or BEGINNING, self._before
        elif self.plan.before is not None and self.plan.before < self.marker.before:
            done = self.marker.before.isoformat(timespec="seconds")
            raise BadConversion(f"Hits before {done} were imported: --before cannot be earlier.")
        if self.is_whole and not self.dry:
            remainders.check(self.plan, survey.timeless(self.plan, self._left()))
        again = self._totals().count() if self._before > self.marker.before else 0
        return self._left().count() + again

    def run(self) -> Iterator[int]:
        """Import what is left, and yield the number of objects in each group that is done."""
        yield from self._run_stretch()
        if self._before > self.marker.before:
            self.marker.begin(self._before)
            # It goes through all objects again, and takes what the first has left.
            self.report.objects = self.report.gone_objects = self.report.elsewhen = 0
            yield from self._run_stretch()

    @property
    def is_whole(self) -> bool:
        """Tell whether the stretch at hand has all hits from the first on, with a time or not."""
        return self.marker.since == BEGINNING

    def _totals(self) -> models.QuerySet[Any]:
        return survey.totals(self.plan, self._content_type)

    def _left(self) -> models.QuerySet[Any]:
        return self._totals().filter(pk__gt=self.marker.position)

    def _run_stretch(self) -> Iterator[int]:
        for group in totals.grouped(self.plan, self._left()):
            entries = self._entries(group)
            with transaction.atomic(using=self.marker.alias, durable=True):
                if not self.dry:
                    self.marker.advance(group[-1].id)
                for text in self._adder.add(entries):
                    raise BadConversion(text)
                if self.dry:
                    transaction.set_rollback(True, using=self.marker.alias)
            self.marker.keep(group[-1].id)
            yield len(group)

    def _entries(self, group: Sequence[Total]) -> list[Entry]:
        objects = totals.objects_of(self.plan, group)
        gone = [total.hits for total in group if total.id not in objects]
        self.report.objects += len(objects)
        self.report.gone_objects += len(gone)
        self.report.gone += sum(gone) if self.is_whole else 0
        reader = Reader(self.plan, self.marker.since, self.marker.before, self.is_whole)
        tallies = reader.read(sorted(objects), group[0].newest)
        present = [total for total in group if total.id in objects]
        found = (self._entries_of(objects[t.id], t, tallies[t.id]) for t in present)
        return [entry for entries in found for entry in entries]

    def _entries_of(self, obj: models.Model, total: Total, tally: Tally) -> list[Entry]:
        self.report.hits += sum(tally.starts.values())
        self.report.crawlers += tally.crawlers
        self.report.elsewhen += tally.elsewhen
        if self.is_whole:
            self._add_remainder(total, tally)
        _, label, key, counter = key_of(obj, self.plan.counter, self.plan.data_cls)
        return [Entry(label, key, start, counter, n, n) for start, n in tally.starts.items()]

    def _add_remainder(self, total: Total, tally: Tally) -> None:
        """Put the hits that have no row to those that have one."""
        number = total.hits - tally.rows
        if number <= 0:
            self.report.surplus -= number
            return
        if not self.dry:
            remainders.check(self.plan, Held(1, number))
        start = remainders.place_of(self.plan, total, tally, self.marker.before)
        if start is None:
            self.report.placeless += number
        else:
            self.report.remainder += number
            tally.starts[start] += number
