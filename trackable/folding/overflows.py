"""Overflows: the sums that a column cannot hold, found with few statements.

Asked for only when the database has refused a statement: it does not say which row it means,
and to find thousands of them by halving would take seconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

from django.db import models

from trackable.amounts import plus
from trackable.counters import Amount, field_range, is_positive
from trackable.folding.chunks import chunked
from trackable.folding.keys import integers_of
from trackable.folding.quarantine import Reject
from trackable.folding.rows import Row
from trackable.folding.upsert import Target

#: Few enough for the parameters of one statement in every database, with three fields to a key.
LOOKUP_SIZE: Final = 300
REASON: Final = "the sum is more than the column can hold"

Stored = dict[tuple[Any, ...], dict[str, Amount]]


def take_out(target: Target, rows: Sequence[Row]) -> tuple[list[Row], list[Reject]]:
    """Return the rows without the amounts that overflow, and these set aside.

    Must run in a transaction: the rows are locked, in the order in which they come.
    """
    stored = _stored(target, rows)
    fit: list[Row] = []
    rejects: list[Reject] = []
    for row in rows:
        present = stored.get(row.key, {})
        full = [n for n, a in row.amounts.items() if overflows(target, n, present.get(n, 0), a)]
        rejects += row.only(full).rejects(target.data_cls, REASON)
        rest = row.only({*row.amounts, *row.seen} - {*full}) if full else row
        if rest.amounts or rest.seen:
            fit.append(rest)
    return fit, rejects


def _stored(target: Target, rows: Iterable[Row]) -> Stored:
    names = [field.attname for field in target.key]
    manager = target.data_cls._base_manager.using(target.connection.alias)
    found: Stored = {}
    for chunk in chunked(rows, LOOKUP_SIZE):
        columns = zip(*(row.key for row in chunk), strict=True)
        # More than the rows asked for where these have several values in several fields.
        lookup = {f"{n}__in": set(column) for n, column in zip(names, columns, strict=True)}
        query = manager.filter(**lookup).order_by(*names).select_for_update()
        for values in query.values_list(*names, *target.counters):
            counts = zip(target.counters, values[len(names) :], strict=True)
            found[values[: len(names)]] = dict(counts)
    return found


def overflows(target: Target, name: str, present: Any, amount: Any) -> bool:
    """Tell whether a counter cannot hold what it has and an amount together."""
    field = target.counters[name]
    if amount < 0 and is_positive(field):
        return False
    if isinstance(field, models.FloatField):
        return not math.isfinite(present + amount)
    total = plus(amount, present)
    if isinstance(field, models.DecimalField):
        return bool(total.copy_abs() >= 10 ** (field.max_digits - field.decimal_places))
    is_sqlite = target.vendor == "sqlite"
    low, high = field_range(field) if is_sqlite else integers_of(field, target.connection.alias)
    return not low <= total <= high
