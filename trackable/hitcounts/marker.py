"""Markers: how far an import has come, kept in the ledger of the database that it writes to.

Written in the transaction that adds the counts, and never pruned. An import goes through the
totals in stretches of time: all up to a moment, and when it is run again what came since then.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, models, transaction

from trackable.conversion.marker import digest
from trackable.conversion.plan import BadConversion
from trackable.folding import ledger
from trackable.hitcounts.plan import BEGINNING, TICK, HitPlan
from trackable.models import LedgerEntry

#: A time in milliseconds, in hex. Two of them, and so much of the options, fill the column.
TIME_LENGTH: Final = 12
OPTIONS_LENGTH: Final = 8
OTHER_OPTIONS: Final = (
    "Some of these hits were imported before, with another --since, --without-crawlers or period."
    " Use the options of then; or remove what was imported and start again with --forget."
)


@dataclass(slots=True)
class Marker:
    """The stretch of time at hand, and the id of the last total that is done."""

    plan: HitPlan
    alias: str
    since: datetime = BEGINNING
    before: datetime = BEGINNING
    position: int = 0
    #: the columns as they were last seen
    _stored: dict[str, Any] = field(default_factory=dict)

    def read(self) -> bool:
        """Find out where to go on; ``False`` at the very beginning.

        Raises ``BadConversion`` if the options are others than before.
        """
        entry = self._entries().first()
        if entry is None:
            return False
        text = entry.fold_id
        self.since, self.before = (
            _time(text[:TIME_LENGTH]),
            _time(text[TIME_LENGTH:-OPTIONS_LENGTH]),
        )
        self.keep(entry.increments)
        if entry.fold_id != self._stretch():
            raise BadConversion(OTHER_OPTIONS)
        return True

    def begin(self, before: datetime) -> None:
        """Go on with the stretch of time that follows."""
        self.since, self.before, self.position = self.before, before, 0

    def advance(self, position: int) -> None:
        """Note totals as done up to an id, in the transaction that adds their counts.

        Raises ``BadConversion`` if somebody else has come first.
        """
        found = self._columns(position)
        if self._stored:
            advanced = self._entries().filter(**self._stored).update(**found) == 1
        else:
            advanced = self._create(found)
        if not advanced:
            raise BadConversion("Another run imports the same hits at this time: let it end.")

    def keep(self, position: int) -> None:
        """Remember what was noted, once it is committed."""
        self.position, self._stored = position, self._columns(position)

    def forget(self) -> None:
        """Start from the beginning again."""
        self._entries().delete()

    def _columns(self, position: int) -> dict[str, Any]:
        return {"increments": position, "fold_id": self._stretch()}

    def _create(self, columns: dict[str, Any]) -> bool:
        label = self.plan.data_cls._meta.label
        dates = {"data_class": label, "folded_at": ledger.never()}
        entry = LedgerEntry(batch_id=self._id(), **dates, **columns)
        try:
            with transaction.atomic(using=self.alias):
                entry.save(using=self.alias, force_insert=True)
        except IntegrityError:
            return False
        return True

    def _entries(self) -> models.QuerySet[LedgerEntry]:
        return LedgerEntry._base_manager.using(self.alias).filter(batch_id=self._id())

    def _id(self) -> str:
        return digest("hitcounts", *self.plan.identity())

    def _stretch(self) -> str:
        options = digest(*self.plan.options())[:OPTIONS_LENGTH]
        return _text(self.since) + _text(self.before) + options


def _time(text: str) -> datetime:
    return BEGINNING + int(text, 16) * TICK


def _text(moment: datetime) -> str:
    return f"{(moment - BEGINNING) // TICK:0{TIME_LENGTH}x}"
