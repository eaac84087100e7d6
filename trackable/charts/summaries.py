"""Summaries: what a chart shows, in words, for those who do not see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Final

from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_lazy

from trackable.amounts import plus
from trackable.charts.scales import drawable
from trackable.charts.timeaxis import TimeAxis
from trackable.charts.words import last_day, number_in_words, period_in_words

if TYPE_CHECKING:
    from trackable.reading.series import Point

BY: Final = {
    "hour": gettext_lazy("By hour."),
    "day": gettext_lazy("By day."),
    "week": gettext_lazy("By week."),
    "month": gettext_lazy("By month."),
    "year": gettext_lazy("By year."),
}
MEAN: Final = {
    "hour": gettext_lazy("%(number)s an hour"),
    "day": gettext_lazy("%(number)s a day"),
    "week": gettext_lazy("%(number)s a week"),
    "month": gettext_lazy("%(number)s a month"),
    "year": gettext_lazy("%(number)s a year"),
}


def summary_of(axis: TimeAxis, heights: Sequence[float], *, title: str, adds_up: bool) -> str:
    """Return the title, total, span and peak of a chart, in one or two sentences."""
    points = axis.points
    if not points:
        return gettext("%(title)s: nothing yet") % {"title": title}
    peak = max(range(len(points)), key=heights.__getitem__)
    words = {
        "title": title,
        "start": date_format(points[0].start, "DATE_FORMAT"),
        "end": date_format(last_day(points[-1].end), "DATE_FORMAT"),
        "total": number_in_words(reduce(plus, (point.value or 0 for point in points))),
        "peak": tip_of(points[peak], axis.lengths[peak], axis.step),
    }
    if not adds_up:
        return gettext("%(title)s from %(start)s to %(end)s. Peak: %(peak)s.") % words
    text = gettext("%(title)s: %(total)s in all from %(start)s to %(end)s. Peak: %(peak)s.")
    return text % words


def description_of(axis: TimeAxis, *, has_means: bool) -> str:
    """Return what a mark stands for."""
    sentences = [str(BY[axis.step])]
    if max(axis.lengths, default=1) > 1:
        sentences.append(gettext("What lasts longer is as high as its average."))
    if has_means:
        sentences.append(gettext("The line is one of averages, the area from least to most."))
    return " ".join(sentences)


def tips_of(axis: TimeAxis) -> Iterator[str]:
    """Yield the tip of each point."""
    for point, length in zip(axis.points, axis.lengths, strict=True):
        yield tip_of(point, length, axis.step)


def tip_of(point: Point, length: int, step: str) -> str:
    """Return the time and the amount of a point, with its average if it lasts several steps."""
    words = {
        "period": period_in_words(point.start, point.end),
        "number": number_in_words(point.value),
    }
    text = gettext("%(period)s: %(number)s") % words
    if length == 1:
        return text
    mean = number_in_words(drawable(point.value) / length)
    return f"{text} ({MEAN[step] % {'number': mean}})"
