"""Summing: what several folds have added to one counter, as one amount. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from decimal import Context, Decimal, DecimalException, Inexact, InvalidOperation, Overflow
from typing import Final

from trackable.contrib.analytics.models import ForwardedAmount

MAX_TEXT_LENGTH: Final = 150
#: Refuses to round: what has more digits is told by itself.
EXACT: Final = Context(prec=130, traps=[Inexact, InvalidOperation, Overflow])

Key = tuple[str, ...]


def key_of(amount: ForwardedAmount) -> Key:
    """Return what amounts have in common that are told as one: the counter, and the hour.

    So an amount that waits for long is told of the hour in which it was folded.
    """
    hour = amount.folded_at.isoformat(timespec="hours")
    names = (amount.data_class, amount.counter, amount.model, amount.object_id, amount.period)
    return (*names, hour)


def summed(amounts: Iterable[ForwardedAmount]) -> list[ForwardedAmount]:
    """Return what there is in place of amounts: of each key the sum, if that is not zero.

    A sum is exact, and as old as the latest of its amounts, and has no row yet. What cannot be
    summed exactly, or is alone, stays as it is.
    """
    groups = defaultdict(list)
    for amount in amounts:
        groups[key_of(amount)].append(amount)
    return [left for group in groups.values() for left in _summed(group)]


def _summed(group: Sequence[ForwardedAmount]) -> Iterator[ForwardedAmount]:
    text = _sum([each.amount for each in group]) if len(group) > 1 else None
    if text is None:
        yield from group
    elif Decimal(text):
        first = group[0]
        first.pk, first.amount = None, text
        first.folded_at = max(each.folded_at for each in group)
        first.tries = max(each.tries for each in group)
        yield first


def _sum(texts: Sequence[str]) -> str | None:
    total = Decimal(0)
    try:
        for text in texts:
            total = EXACT.add(total, EXACT.create_decimal(text))
    except DecimalException:
        return None
    if not total.is_finite():
        return None
    shown = f"{total:f}"
    return shown if len(shown) <= MAX_TEXT_LENGTH else str(total)
