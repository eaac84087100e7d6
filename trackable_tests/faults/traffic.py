"""What the producers emit: counters of several classes, pages and periods, by the dice. Pure.

Most counters only ever get one amount, so a sum of it tells the number of increments.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

PAGES: Final = 5
#: Of the moments that producers date their events to; none is near the present.
FIRST_DAY: Final = datetime(2026, 2, 26, tzinfo=UTC)
DAYS: Final = 6

#: data class, field -> the amounts that it gets
COUNTERS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("testapp.PageTotals", "views"): ("1",),
    ("testapp.PageHours", "views"): ("1",),
    ("testapp.PageParentTotals", "views"): ("1",),
    ("testapp.PageParentData", "views"): ("2",),
    ("testapp.PageData", "views"): ("1",),
    ("testapp.PageData", "clicks"): ("3",),
    ("testapp.PageData", "score"): ("5", "-3", "-1"),
    ("testapp.PageData", "revenue"): ("0.25",),
    ("testapp.PageData", "seconds"): ("1.5",),
}
#: how the start of a class's period is written
PERIODS: Final = {
    "testapp.PageHours": "%Y-%m-%dT%H:00:00+00:00",
    "testapp.PageParentData": "%Y-%m-%d",
    "testapp.PageData": "%Y-%m-%d",
}
FLOATS: Final = {"seconds"}
DECIMALS: Final = {"revenue"}


@dataclass(frozen=True, slots=True, order=True)
class Counter:
    """One counter of one row; ``period`` is empty for a class without a time."""

    data_class: str
    page: int
    period: str
    field: str

    @property
    def unit(self) -> Decimal | None:
        """The one amount that it gets, or ``None`` if there are several."""
        amounts = COUNTERS[self.data_class, self.field]
        return Decimal(amounts[0]) if len(amounts) == 1 else None


@dataclass(frozen=True, slots=True)
class Event:
    counter: Counter
    amount: str
    when: datetime

    @property
    def value(self) -> Any:
        """The amount in the type of its field."""
        if self.counter.field in DECIMALS:
            return Decimal(self.amount)
        return float(self.amount) if self.counter.field in FLOATS else int(self.amount)


def events(dice: random.Random) -> Iterator[Event]:
    """Yield events without end."""
    kinds = list(COUNTERS)
    while True:
        data_class, field = dice.choice(kinds)
        when = FIRST_DAY + timedelta(minutes=dice.randrange(DAYS * 24 * 60))
        period = when.strftime(PERIODS.get(data_class, ""))
        counter = Counter(data_class, dice.randint(1, PAGES), period, field)
        yield Event(counter, dice.choice(COUNTERS[data_class, field]), when)
