"""Tries: quarantined messages that are folded again, and what of them is still unfit."""

from __future__ import annotations

import collections
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from trackable import batches
from trackable.batches import Batch, Counter, Entry
from trackable.folding import engine
from trackable.folding.quarantine import OLDER, Reject
from trackable.models import QuarantinedMessage

NO_ID: Final = "0" * 32


@dataclass(eq=False, slots=True)
class Try:
    """A message that can be read, and by counter what is in it and why that is unfit."""

    message: QuarantinedMessage
    batch: Batch
    unfit: dict[Counter, str] = field(default_factory=dict)
    entries: dict[Counter, Entry] = field(init=False)
    #: whether it may be counted already
    is_in_doubt: bool = field(init=False)

    def __post_init__(self) -> None:
        self.is_in_doubt = self.message.reason.startswith(OLDER)
        self.entries = {entry.counter: entry for entry in self.batch.entries}

    @classmethod
    def of(cls, message: QuarantinedMessage) -> Try:
        """Read a message. Raises ``BadMessage``."""
        return cls(message, batches.decode(message.payload.encode()))

    @property
    def was_unreadable(self) -> bool:
        """Tell whether it was set aside as no batch: the ledger has it under another id then."""
        return self.batch.id != self.message.batch_id

    @property
    def increments(self) -> int:
        """The number of increments that are not unfit."""
        return sum(each.hits for each in self.counted)

    @property
    def counted(self) -> list[Entry]:
        """The entries that are not unfit."""
        return [each for key, each in self.entries.items() if key not in self.unfit]

    def rejects(self) -> list[Reject]:
        """Return what is unfit as it is set aside: together what has the same reason."""
        together: dict[str, list[Entry]] = defaultdict(list)
        for key, reason in self.unfit.items():
            together[reason].append(self.entries[key])
        doubt = f"{OLDER}; " if self.is_in_doubt else ""
        found = []
        for reason, entries in together.items():
            rest = Batch.of(self.batch.id, self.batch.data_class, entries)
            found += Reject.of_batch(rest, doubt + reason)
        return found


def fold_together(alias: str, data_class: str, tries: Sequence[Try]) -> None:
    """Count what is in the tries, of one data class, and note in each what of it is unfit.

    Must run in the transaction that takes their messages out of the quarantine.
    """
    holders = collections.Counter(key for each in tries for key in each.entries)
    unfit = _fold(alias, data_class, [entry for each in tries for entry in each.entries.values()])
    for each in tries:
        each.unfit = {key: unfit[key] for key in each.entries if key in unfit}
        shared = [key for key in each.unfit if holders[key] > 1]
        # Of a sum that is unfit, parts may fit.
        alone = _fold(alias, data_class, [each.entries[key] for key in shared])
        for key in shared:
            del each.unfit[key]
        each.unfit |= alone


def _fold(alias: str, data_class: str, entries: Sequence[Entry]) -> dict[Counter, str]:
    """Count entries; return why those that are unfit are so."""
    if not entries:
        return {}
    rejects = engine.apply(alias, data_class, [Batch.of(NO_ID, data_class, entries)])
    return {entry.counter: reject.reason for reject in rejects for entry in reject.entries}


def by_class(tries: Iterable[Try]) -> dict[str, list[Try]]:
    """Return the tries by data class: by that in the message, whatever its column says."""
    found: dict[str, list[Try]] = defaultdict(list)
    for each in tries:
        found[each.batch.data_class].append(each)
    return found
