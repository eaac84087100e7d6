"""What tests of distinct counts share: visitors who are seen, and what rows have of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from django.db.models import Model

from trackable.batches import Batch, Entry
from trackable.messaging import send_unique_message
from trackable.uniques import sketches
from trackable.uniques.fields import stored
from trackable.uniques.pseudonyms import field_cell
from trackable_tests.counting import batch, entry
from trackable_tests.testapp.models import PageVisitors

DAY = "2026-11-21"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LABEL = "testapp.PageVisitors"


def see(obj: Model, *keys: Any, when: datetime | None = NOON, **named: Any) -> None:
    """Emit visitors; every emit must be acknowledged."""
    for key in keys:
        assert send_unique_message(None, obj, "visitors", key, options={"when": when}, **named)


def seen(obj: Model, key: Any, day: str = DAY, field: str = "visitors") -> Entry:
    """Return a visitor as a batch has it."""
    return entry(obj, field_cell(field, key, None), period=day)


def viewed(obj: Model, amount: int = 1) -> Entry:
    return entry(obj, amount=amount, period=DAY)


def visit(*entries: Entry) -> Batch:
    return batch(PageVisitors, *entries)


def visitors(field: str = "visitors", data_cls: Any = PageVisitors) -> dict[tuple[int, date], int]:
    """Return how many visitors each row has, by object and day."""
    rows = data_cls.objects.values_list("object_id", "collected_during", field)
    return {(pk, day): int(count) for pk, day, count in rows}


def united(**among: Any) -> int:
    """Return how many visitors rows have together."""
    rows = PageVisitors.objects.filter(**among)
    return sketches.estimate(sketches.merge(rows.values_list(stored("visitors"), flat=True)))
