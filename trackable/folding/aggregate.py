"""Aggregation: many batches to one delta for each row and field. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trackable.batches import Batch, Counter, Total, add, pair_of
from trackable.counters import Amount

#: (parent model, object id, period), as they travel
RowKey = tuple[str, str, str]


@dataclass(slots=True)
class Delta:
    """What is to be added to one field of one row; ``batch_id`` is the first that brought it."""

    amount: Amount
    hits: int
    batch_id: str


#: The deltas of a row by field and type of amount: a sender's types are not to be trusted.
Deltas = dict[tuple[str, type], Delta]


def aggregate(batches: Iterable[Batch]) -> dict[str, dict[RowKey, Deltas]]:
    """Return the deltas by data class and row."""
    totals: dict[str, dict[Counter, Total]] = defaultdict(dict)
    first: dict[str, dict[Counter, str]] = defaultdict(dict)
    for batch in batches:
        counts, origins = totals[batch.data_class], first[batch.data_class]
        for counter, total in batch.counts.items():
            add(counts, counter, total)
            origins.setdefault(counter, batch.id)
    return {label: _by_row(counts, first[label]) for label, counts in totals.items()}


def _by_row(
    counts: Mapping[Counter, Total], origins: Mapping[Counter, str]
) -> dict[RowKey, Deltas]:
    rows: dict[RowKey, Deltas] = {}
    for counter, total in counts.items():
        parent, object_id, period, field, kind = counter
        deltas = rows.setdefault((parent, object_id, period), {})
        deltas[field, kind] = Delta(*pair_of(total), origins[counter])
    return rows
