"""Markers: how far a conversion has come, kept in the ledger of the database that it writes to.

There is one for each pair of an old field and a counter. It is written in the transaction that
adds the counts, so a conversion goes on where it was interrupted; and it is never pruned, so one
that is run again years later finds that it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from django.db import IntegrityError, models, transaction

from trackable.conversion.plan import BadConversion, Plan
from trackable.folding import ledger
from trackable.models import LedgerEntry

ID_LENGTH: Final = 32


@dataclass(slots=True)
class Marker:
    """The number of records taken, in the plan's order, and which one was the last of them."""

    plan: Plan
    alias: str
    position: int = 0

    def read(self) -> None:
        """Find the position. Raises ``BadConversion`` if the counters have different ones."""
        found = self._entries().in_bulk(self._ids())
        positions = {identity: 0 for identity in self._ids()}
        positions |= {identity: entry.increments for identity, entry in found.items()}
        if len(set(positions.values())) > 1:
            numbers = zip(self.plan.updates, positions.values(), strict=True)
            told = ", ".join(f"{old}:{new} {number}" for (old, new), number in numbers)
            raise BadConversion(
                f"Different numbers of records were converted before ({told}): convert these"
                " fields in runs of their own."
            )
        self.position = max(positions.values())

    def check(self, last: models.Model | None) -> None:
        """Make sure that the record at the position is the one that was the last."""
        found = self._entries().in_bulk(self._ids()).values()
        expected = None if last is None else self._fingerprint(last)
        if any(entry.fold_id != expected for entry in found):
            raise BadConversion(
                f"{self.position} records were converted before, with other options or from"
                " other records, so nobody can tell which. Use the options of then; or remove"
                " what was converted and start again with --forget."
            )

    def advance(self, records: Sequence[models.Model]) -> None:
        """Note more records as taken, in the transaction that adds their counts.

        ``position`` is for the caller to change, after the commit. Raises ``BadConversion`` if
        somebody else has come first.
        """
        position, fingerprint = self.position + len(records), self._fingerprint(records[-1])
        advanced = self._update(position, fingerprint) or (
            self.position == 0 and self._create(position, fingerprint)
        )
        if not advanced:
            raise BadConversion("Another run converts the same fields at this time: let it end.")

    def _create(self, position: int, fingerprint: str) -> bool:
        entries = [
            LedgerEntry(
                batch_id=identity,
                fold_id=fingerprint,
                data_class=self.plan.data_cls._meta.label,
                increments=position,
                folded_at=ledger.never(),
            )
            for identity in self._ids()
        ]
        try:
            with transaction.atomic(using=self.alias):
                self._entries().bulk_create(entries)
        except IntegrityError:
            return False
        return True

    def _update(self, position: int, fingerprint: str) -> bool:
        stored = self._entries().filter(batch_id__in=self._ids(), increments=self.position)
        return stored.update(increments=position, fold_id=fingerprint) == len(self._ids())

    def forget(self) -> None:
        """Start from the first record again."""
        self._entries().filter(batch_id__in=self._ids()).delete()

    def _entries(self) -> models.QuerySet[LedgerEntry]:
        return LedgerEntry._base_manager.using(self.alias)

    def _ids(self) -> list[str]:
        labels = self.plan.source._meta.label, self.plan.data_cls._meta.label
        return [digest("conversion", *labels, *update) for update in self.plan.updates]

    def _fingerprint(self, last: models.Model) -> str:
        plan = self.plan
        match = plan.match
        parent = (match.attribute, match.model._meta.label, match.field) if match else (plan.link,)
        return digest(str(last.pk), plan.period or "", ",".join(plan.order_by), *parent)


def digest(*parts: str) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:ID_LENGTH]
