"""Adding: puts counts from elsewhere into rows as a fold does, in the transaction at hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from trackable.batches import Batch, Entry
from trackable.conversion.marker import ID_LENGTH
from trackable.folding import upsert
from trackable.folding.aggregate import aggregate
from trackable.folding.rows import RowCleaner, with_each_key_once
from trackable.models import TrackableData


@dataclass(slots=True)
class Adder:
    """Adds entries to the rows of a data class in one database."""

    data_cls: type[TrackableData]
    alias: str
    _cleaner: RowCleaner = field(init=False)

    def __post_init__(self) -> None:
        self._cleaner = RowCleaner(self.data_cls, self.alias)

    def add(self, entries: Iterable[Entry]) -> list[str]:
        """Add the entries that fit, and return why the others do not."""
        batch = Batch.of("0" * ID_LENGTH, self.data_cls._meta.label, entries)
        for found in aggregate([batch]).values():
            for part in with_each_key_once(self._cleaner.clean(found)):
                upsert.add(self.alias, self.data_cls, part)
        refused = [f"{reject.reason}: {reject.payload}" for reject in self._cleaner.rejects]
        self._cleaner.rejects.clear()
        return refused
