"""The axis of time: where periods lie side by side, each as wide as it is long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from trackable.reading.series import Point

DAY_SECONDS: Final = 86400
#: the seconds of a period, and those up to which a span is taken for one: some days have 25 hours
STEP_SECONDS: Final = {
    "hour": (3600, DAY_SECONDS / 2),
    "day": (DAY_SECONDS, 2 * DAY_SECONDS),
    "week": (7 * DAY_SECONDS, 8 * DAY_SECONDS),
    "month": (365 / 12 * DAY_SECONDS, 32 * DAY_SECONDS),
    "year": (365.25 * DAY_SECONDS, float("inf")),
}


class TimeAxis:
    """Points in the order of time.

    ``slots`` are where each begins and ends, as shares of the axis. ``step`` names the shortest
    period, ``unit`` is its share, and ``lengths`` tell how many of it each point lasts.
    """

    def __init__(self, points: Sequence[Point]) -> None:
        self.points = points
        edges = [(_seconds(point.start), _seconds(point.end)) for point in points]
        first = min((start for start, _ in edges), default=0.0)
        whole = max(max((end for _, end in edges), default=0.0) - first, 1.0)
        self.slots = [((start - first) / whole, (end - first) / whole) for start, end in edges]
        spans = [end - start for start, end in edges]
        # Those at the ends may be cut.
        shortest = min(spans[1:-1] or [max(spans, default=whole)])
        self.step = next(name for name, (_, most) in STEP_SECONDS.items() if shortest <= most)
        self.unit = max(shortest, 1.0) / whole
        self.lengths = [max(1, round(span / STEP_SECONDS[self.step][0])) for span in spans]

    def middle(self, place: int) -> float:
        """Return where the middle of a point is."""
        return sum(self.slots[place]) / 2

    def beginning(self, place: int) -> float:
        """Return where the middle of the first period of a point is."""
        start, end = self.slots[place]
        return start + min(end - start, self.unit) / 2


def _seconds(moment: date | datetime) -> float:
    if isinstance(moment, datetime):
        return moment.timestamp()
    return moment.toordinal() * DAY_SECONDS
