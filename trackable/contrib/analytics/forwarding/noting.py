"""Noting: a mirror of the fold, that notes for the services what is added to counters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django.utils import timezone

from trackable.contrib.analytics.forwarding.declared import forward_of
from trackable.contrib.analytics.models import ForwardedAmount

if TYPE_CHECKING:
    from datetime import datetime

    from trackable.counters import Amount
    from trackable.folding.rows import Row
    from trackable.models import TrackableData

ROWS_PER_STATEMENT: Final = 500


def note(alias: str, data_cls: type[TrackableData], rows: Sequence[Row]) -> None:
    """Note what was added to the counters that are forwarded, in the transaction at hand."""
    found = list(_amounts(data_cls._meta.label, rows, timezone.now()))
    manager = ForwardedAmount._base_manager.using(alias)
    manager.bulk_create(found, batch_size=ROWS_PER_STATEMENT)


def _amounts(label: str, rows: Sequence[Row], now: datetime) -> Iterator[ForwardedAmount]:
    for row in rows:
        model, object_id, period = row.origin
        for counter, amount in row.amounts.items():
            forward = forward_of(label, counter)
            for service in forward.services if forward and amount else ():
                yield ForwardedAmount(
                    service=service,
                    data_class=label,
                    counter=counter,
                    model=model,
                    object_id=object_id,
                    period=period,
                    amount=_text(amount),
                    folded_at=now,
                    due_at=now,
                )


def _text(amount: Amount) -> str:
    return f"{amount:f}" if isinstance(amount, Decimal) else repr(amount)
