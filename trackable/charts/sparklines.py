"""Sparklines: amounts as a line as high as a line of text, without axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.utils.safestring import SafeString

from trackable.charts import lines
from trackable.charts.markup import element
from trackable.charts.scales import Scale, drawable

#: in pixels
WIDTH: Final = 96
HEIGHT: Final = 20
#: around the line, for its thickness and the dot at its end
ROOM: Final = 2.5
#: more vertices are a blot
MAX_VERTICES: Final = 48


def sparkline(values: Sequence[Any], *, label: str) -> SafeString:
    """Return a line through amounts as a small ``<svg>``, for a cell of a table.

    The label is for those who do not see it, and shown where one points at it. Of many values the
    line is one through means.
    """
    heights = lines.means([drawable(value) for value in values], most=MAX_VERTICES)
    return element(
        "svg",
        element("title", label),
        *_shapes(heights),
        xmlns="http://www.w3.org/2000/svg",
        class_="trackable-sparkline",
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=WIDTH,
        height=HEIGHT,
        role="img",
        aria_label=label,
        fill="currentColor",
    )


def _shapes(heights: Sequence[float]) -> tuple[SafeString, ...]:
    if not heights:
        return ()
    if len(heights) == 1:
        heights = [*heights, *heights]
    scale = Scale.of(heights, height=HEIGHT - 2 * ROOM, is_whole=False, intervals=1)
    step = (WIDTH - 2 * ROOM) / (len(heights) - 1)
    found = [(ROOM + place * step, ROOM + scale.y(value)) for place, value in enumerate(heights)]
    x, y = found[-1]
    return (
        lines.area(found, zero=ROOM + scale.y(0)),
        lines.line(found, stroke_width=1.25),
        element("circle", class_="trackable-end", cx=x, cy=y, r=2),
    )
