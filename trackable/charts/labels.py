"""Labels: which times are written below an axis, so that they stand apart and are round."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from itertools import islice, pairwise
from typing import Any, Final

from django.utils.formats import date_format, time_format

from trackable.charts.glyphs import width_of
from trackable.charts.timeaxis import STEP_SECONDS, TimeAxis
from trackable.charts.words import short_day

#: between two labels at least, in pixels
GAP: Final = 12
#: of labels, in pixels
NARROWEST: Final = 12
#: how far the first may stand out to the left, in pixels
HANGING: Final = 14

#: every so many of a step; a week begins on Monday
EVERY: Final = (
    *(("hour", number) for number in (1, 2, 3, 6, 12)),
    *(("day", number) for number in (1, 2)),
    *(("week", number) for number in (1, 2)),
    *(("month", number) for number in (1, 2, 3, 6)),
    *(("year", number) for number in (1, 2, 5, 10, 20, 50, 100)),
)


@dataclass(frozen=True, slots=True)
class Label:
    """A text below an axis, at this share of it: with its middle, its start or its end."""

    text: str
    at: float
    anchor: str = "middle"


def labels_of(axis: TimeAxis, *, width: float) -> list[Label]:
    """Return the labels of an axis that is so many pixels wide, or wider."""
    steps, most = [*STEP_SECONDS], int(width // (GAP + NARROWEST))
    for step, number in EVERY:
        if steps.index(step) < steps.index(axis.step):
            continue
        places = list(islice(_beginnings(axis, partial(_count, step, number)), most + 1))
        if len(places) > most:
            continue
        labels = [_label(axis, place, step, width=width) for place in places]
        if _stand_apart(labels, width=width):
            return _with_first(axis, labels, width=width)
    return []


def _with_first(axis: TimeAxis, labels: list[Label], *, width: float) -> list[Label]:
    """Return the labels and, if there is room, that of the first period, round or not."""
    if not axis.points:
        return []
    first = _label(axis, 0, axis.step, width=width)
    is_there = labels and labels[0].at <= first.at
    found = labels if is_there else [first, *labels]
    return found if _stand_apart(found, width=width) else labels


def _beginnings(axis: TimeAxis, count: Callable[[Any], int]) -> Iterator[int]:
    """Return the places of the periods at which the count goes on."""
    points: Sequence[Any] = axis.points  # whose starts and ends are of one type
    for place, point in enumerate(points):
        before = points[place - 1].start if place else point.start - (point.end - point.start)
        if count(point.start) != count(before):
            yield place


def _count(step: str, number: int, moment: date | datetime) -> int:
    """Return how many times so many steps have passed."""
    match step:
        case "hour":
            passed = moment.toordinal() * 24 + getattr(moment, "hour", 0)
        case "day":
            passed = moment.toordinal()
        case "week":
            passed = (moment.toordinal() - 1) // 7  # the first day of all is a Monday
        case "month":
            passed = moment.year * 12 + moment.month - 1
        case _:
            passed = moment.year
    return passed // number


def _label(axis: TimeAxis, place: int, step: str, *, width: float) -> Label:
    text = _words(step, axis.points[place].start)
    at, half = axis.beginning(place), width_of(text) / 2
    if at * width + half > width:
        return Label(text, 1.0, "end")
    if at * width - half < -HANGING:
        return Label(text, 0.0, "start")
    return Label(text, at)


def _words(step: str, moment: date | datetime) -> str:
    if step == "hour" and isinstance(moment, datetime) and moment.hour:
        return time_format(moment, "TIME_FORMAT")
    if step in ("hour", "day", "week"):
        return short_day(moment)
    is_year = step == "year" or moment.month == 1
    return date_format(moment, "Y" if is_year else "M")


def _stand_apart(labels: list[Label], *, width: float) -> bool:
    boxes = [_box(label, width=width) for label in labels]
    return all(one[1] + GAP <= other[0] for one, other in pairwise(boxes))


def _box(label: Label, *, width: float) -> tuple[float, float]:
    """Return where a label begins and ends, in pixels."""
    wide = width_of(label.text)
    before = {"start": 0.0, "middle": wide / 2, "end": wide}[label.anchor]
    begin = label.at * width - before
    return begin, begin + wide
