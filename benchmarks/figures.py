"""Figures: what rounds have measured, in a median, its interval and ratios. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Final

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Summary:
    """The median of some rounds, and the interval in which that of all rounds would be.

    The interval is by the ranks of the figures, so it asks nothing of how they are spread. With
    fewer than six it is from the least to the most, and true less often than 95% of the time.
    """

    median: float
    low: float
    high: float
    rounds: int


def summary(figures: Sequence[float]) -> Summary:
    """Return the summary of at least one figure."""
    ordered = sorted(figures)
    rank = rank_of_interval(len(ordered))
    return Summary(statistics.median(ordered), ordered[rank], ordered[-1 - rank], len(ordered))


def rank_of_interval(number: int) -> int:
    """Return how many figures to leave out at each end of so many."""
    outside = (1 - CONFIDENCE) / 2 * 2**number
    rank, below = 0, 1
    while below + comb(number, rank + 1) <= outside:
        rank += 1
        below += comb(number, rank)
    return rank


def ratios(of: Sequence[float], to: Sequence[float]) -> list[float]:
    """Return the ratios round by round: what the machine was busy with was the same for both."""
    return [one / other for one, other in zip(of, to, strict=False)]
