"""Lines through amounts, with the area between them and zero: for charts and for sparklines."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

from django.utils.safestring import SafeString

from trackable.charts.markup import element, number

#: what lies at so many pixels to the right and downwards
Vertex = tuple[float, float]


def line(vertices: Sequence[Vertex], **attributes: Any) -> SafeString:
    """Return the line through the vertices."""
    return element(
        "path",
        class_="trackable-line",
        d=f"M{_steps(vertices)}",
        fill="none",
        stroke="currentColor",
        stroke_linejoin="round",
        **attributes,
    )


def area(vertices: Sequence[Vertex], *, zero: float) -> SafeString:
    """Return the area between the line through the vertices and the one at zero."""
    (first, _), (last, _) = vertices[0], vertices[-1]
    return between(vertices, [(first, zero), (last, zero)])


def between(upper: Sequence[Vertex], lower: Sequence[Vertex]) -> SafeString:
    """Return the area between two lines."""
    outline = [*upper, *reversed(lower)]
    return element("path", class_="trackable-area", d=f"M{_steps(outline)}Z", fill_opacity=0.2)


def parts_of(values: Sequence[float], *, most: int) -> list[Sequence[float]]:
    """Return the values in parts of about the same length, as many as there may be at most."""
    if len(values) <= most:
        return [values[place : place + 1] for place in range(len(values))]
    edges = [place * len(values) // most for place in range(most + 1)]
    return [values[start:end] for start, end in pairwise(edges)]


def means(values: Sequence[float], *, most: int) -> list[float]:
    """Return as many means as there may be at most: of fewer values, the values."""
    return [fmean(part) for part in parts_of(values, most=most)]


def _steps(vertices: Sequence[Vertex]) -> str:
    return " ".join(f"{number(x)} {number(y)}" for x, y in vertices)
