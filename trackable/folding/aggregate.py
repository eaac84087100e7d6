"""Aggregation: many batches to one delta for each row and field. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from trackable.batches import Batch, plus
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
    classes: dict[str, dict[RowKey, Deltas]] = defaultdict(dict)
    for batch in batches:
        rows = classes[batch.data_class]
        for entry in batch.entries:
            deltas = rows.setdefault((entry.parent, entry.object_id, entry.period), {})
            key = (entry.field, type(entry.amount))
            delta = deltas.get(key)
            if delta is None:
                deltas[key] = Delta(entry.amount, entry.hits, batch.id)
            else:
                delta.amount = plus(delta.amount, entry.amount)
                delta.hits += entry.hits
    return classes
