"""Marks: bars, or a line in place of too many of them, and what shows the tip of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from django.utils.safestring import SafeString

from trackable.charts import lines
from trackable.charts.markup import element, number, percent
from trackable.charts.scales import Scale
from trackable.charts.timeaxis import TimeAxis

#: More bars cannot be told apart on a telephone.
MAX_BARS: Final = 100
#: More columns cannot be pointed at, and more vertices are a blot.
MAX_COLUMNS: Final = 400

#: how much of the shortest period's slot its bar takes, and how much of the plot at most
FILLED: Final = 0.8
WIDEST: Final = 0.075
#: in pixels: what is not zero is seen
LOWEST: Final = 1.0
#: the width of a line before it is stretched
UNITS: Final = 1000


def marks_of(
    axis: TimeAxis, heights: Sequence[float], tips: Iterable[str], *, scale: Scale
) -> SafeString:
    """Return the marks of a plot that is as high as its scale."""
    if not heights:
        return SafeString("")
    if len(heights) <= MAX_BARS:
        bars = _bars(axis, heights, scale=scale)
        return _columns(axis, tips, bars)
    line = _line(axis, heights, scale=scale)
    if len(heights) > MAX_COLUMNS:
        return line
    return SafeString(line + _columns(axis, tips, [()] * len(heights)))


def _columns(
    axis: TimeAxis, tips: Iterable[str], marks: Sequence[tuple[SafeString, ...]]
) -> SafeString:
    """Return what shows a tip wherever above or below a mark one points, and the marks."""
    columns = [
        element(
            "g",
            element("title", tip),
            element("rect", x=percent(start), width=percent(end - start), height="100%"),
            *mark,
        )
        for (start, end), tip, mark in zip(axis.slots, tips, marks, strict=True)
    ]
    return element("g", *columns, class_="trackable-columns", fill="none", pointer_events="all")


def _bars(
    axis: TimeAxis, heights: Sequence[float], *, scale: Scale
) -> list[tuple[SafeString, ...]]:
    filled = min(FILLED, WIDEST / axis.unit)
    return [
        (_bar(_inset(slot, axis.unit, filled), height, scale=scale),) if height else ()
        for slot, height in zip(axis.slots, heights, strict=True)
    ]


def _inset(slot: tuple[float, float], unit: float, filled: float) -> tuple[float, float]:
    """Return where a bar begins and ends: all gaps are alike, but in a slot that is cut."""
    start, end = slot
    gap = min(unit, end - start) * (1 - filled)
    return start + gap / 2, end - gap / 2


def _bar(place: tuple[float, float], height: float, *, scale: Scale) -> SafeString:
    start, end = place
    zero = scale.y(0)
    long = max(abs(zero - scale.y(height)), LOWEST)
    return element(
        "rect",
        class_="trackable-bar",
        x=percent(start),
        width=percent(end - start),
        y=zero - long if height > 0 else zero,
        height=long,
        rx=1.5,
        fill="currentColor",
        fill_opacity=0.75,
    )


def _line(axis: TimeAxis, heights: Sequence[float], *, scale: Scale) -> SafeString:
    """Return a line, stretched over the plot, and the area below it."""
    middles = [axis.middle(place) * UNITS for place in range(len(heights))]
    xs, ys = (lines.means(found, most=MAX_COLUMNS) for found in (middles, heights))
    vertices = [(x, scale.y(y)) for x, y in zip(xs, ys, strict=True)]
    if len(xs) < len(heights):
        area = _bounds(xs, heights, scale=scale)
    else:
        area = lines.area(vertices, zero=scale.y(0))
    return element(
        "svg",
        area,
        lines.line(vertices, stroke_width=1.5, vector_effect="non-scaling-stroke"),
        viewBox=f"0 0 {UNITS} {number(scale.height)}",
        preserveAspectRatio="none",
        overflow="visible",
    )


def _bounds(xs: Sequence[float], heights: Sequence[float], *, scale: Scale) -> SafeString:
    """Return the area between the least and the greatest of what each mean stands for."""
    parts = list(zip(xs, lines.parts_of(heights, most=MAX_COLUMNS), strict=True))
    upper, lower = ([(x, scale.y(bound(part))) for x, part in parts] for bound in (max, min))
    return lines.between(upper, lower)
