"""Bar charts: amounts over time, as SVG that takes the width it is given.

Lengths across are shares of the width, those downwards and the letters are pixels: a chart is as
legible on a telephone as on a desk, without a script. Its colours are those of ``charts.css``, and
without that the one of the text around.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from django.utils.safestring import SafeString
from django.utils.translation import gettext

from trackable.charts import axes
from trackable.charts.glyphs import SIZE
from trackable.charts.marks import MAX_COLUMNS, marks_of
from trackable.charts.markup import element, percent
from trackable.charts.scales import Scale, drawable
from trackable.charts.summaries import description_of, summary_of, tips_of
from trackable.charts.timeaxis import TimeAxis
from trackable.charts.words import tick_in_words

if TYPE_CHECKING:
    from trackable.reading.series import Point

#: all in pixels
NARROWEST: Final = 320
LOWEST: Final = 80
ABOVE: Final = 8
BELOW: Final = 24
BETWEEN_TICKS: Final = 40

STYLE: Final = {
    "font_family": "system-ui, sans-serif",
    "font_size": SIZE,
    "fill": "currentColor",
}


def bar_chart(
    points: Sequence[Point],
    *,
    title: str,
    width: int | None = None,
    height: int = 200,
    adds_up: bool = True,
) -> SafeString:
    """Return a chart of what ``series()`` returns, to be put into a page.

    It is as wide as what it is in, and from 320 pixels its labels stand apart. With a ``width`` in
    pixels it is a single ``<svg>``, which shrinks as an image does. Points of unequal spans are as
    wide as these, and as high as their average for the shortest. Of more than a hundred points it
    is a line. ``adds_up=False`` leaves out the total: that of distinct counts is no sum.
    """
    height = max(height, LOWEST)
    axis = TimeAxis(points)
    heights = _heights_of(axis)
    scale = _scale_of(axis, heights, height=height - ABOVE - BELOW)
    ticks = [(tick_in_words(tick), ABOVE + scale.y(tick)) for tick in scale.ticks()]
    margin = axes.margin_of(ticks)
    marks = marks_of(axis, heights, tips_of(axis), scale=scale)
    plot = (
        element("title", title),
        element("desc", description_of(axis, has_means=len(points) > MAX_COLUMNS)),
        axes.grid(ticks),
        element("svg", marks, y=ABOVE, height=scale.height),
        axes.across(ABOVE + scale.y(0), class_="trackable-zero", stroke_opacity=0.4),
        axes.times(axis, width=(width or NARROWEST) - margin, y=height - 7),
        *(() if points else (axes.caption(gettext("Nothing yet"), y=height / 2),)),
    )
    label = summary_of(axis, heights, title=title, adds_up=adds_up)
    parts = (axes.numbers(ticks, margin=margin), plot)
    return _frame(*parts, margin=margin, width=width, height=height, label=label)


def _heights_of(axis: TimeAxis) -> list[float]:
    pairs = zip(axis.points, axis.lengths, strict=True)
    return [drawable(point.value) / length for point, length in pairs]


def _scale_of(axis: TimeAxis, heights: Sequence[float], *, height: int) -> Scale:
    is_whole = all(isinstance(point.value, int) for point in axis.points)
    return Scale.of(
        heights, height=height, is_whole=is_whole, intervals=max(1, height // BETWEEN_TICKS)
    )


def _frame(
    numbers: SafeString,
    plot: Sequence[SafeString],
    *,
    margin: int,
    width: int | None,
    height: int,
    label: str,
) -> SafeString:
    """Return two drawings side by side, of which one stretches, or both in one of a fixed width."""
    described: dict[str, Any] = {"class_": "trackable-chart", "role": "img", "aria_label": label}
    sized: dict[str, Any] = {"height": height, **STYLE}
    left = element("svg", numbers, width=margin, **sized)
    if width is None:
        share = percent(1 - margin / NARROWEST)
        right = element("svg", *plot, width=share, overflow="visible", **sized)
        return element("span", left, right, dir="ltr", **described)
    room = max(width - margin, 1)
    right = element("svg", *plot, x=margin, width=room, overflow="visible", **sized)
    return element(
        "svg",
        left,
        right,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        direction="ltr",
        **described,
    )
