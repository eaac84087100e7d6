"""Scales: which round numbers stand on an axis, and how high an amount is on it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

#: What is beyond is drawn as if it were this.
GREATEST: Final = 1e300
#: What is nearer to zero is drawn as if it were zero.
LEAST: Final = 1e-300
#: the beginnings of round numbers; those of whole ones have no half
ROUND: Final = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis of ``height`` pixels from ``low``, at its bottom, to ``high``; it has the zero."""

    low: float
    high: float
    step: Decimal
    height: float

    @classmethod
    def of(cls, values: Iterable[float], *, height: float, is_whole: bool, intervals: int) -> Scale:
        """Return the scale that shows all the values, in about so many intervals at most."""
        found = [0.0, *values]
        low, high = min(found), max(found)
        if high - low < LEAST:
            low, high = 0.0, 1.0
        step = _step((high - low) / intervals, is_whole=is_whole)
        return cls(low, high, step, height)

    def ticks(self) -> list[Decimal]:
        """Return the round numbers on the axis, upwards: multiples of the step."""
        step = float(self.step)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [count * self.step for count in range(first, last + 1)]

    def y(self, value: float | Decimal) -> float:
        """Return how many pixels below the top an amount lies."""
        share = (self.high - float(value)) / (self.high - self.low)
        return min(1.0, max(0.0, share)) * self.height


def drawable(value: Any) -> float:
    """Return an amount as a float that can be drawn: nothing, and what is no number, is zero."""
    try:
        found = float(value or 0)
    except OverflowError:
        found = GREATEST if value > 0 else -GREATEST
    if math.isnan(found):
        return 0.0
    return min(GREATEST, max(-GREATEST, found))


def _step(rough: float, *, is_whole: bool) -> Decimal:
    """Return the least round number that is not below a rough one."""
    magnitude = Decimal(10) ** math.floor(math.log10(rough))
    steps = [begin * magnitude for begin in ROUND]
    fit = [step for step in steps if float(step) >= rough * (1 - 1e-9)]
    if is_whole:
        fit = [step for step in fit if step == step.to_integral_value()] or [Decimal(1)]
    return fit[0].normalize()
