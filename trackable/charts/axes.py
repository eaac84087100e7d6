"""Axes: what stands around the marks of a chart. Lengths across are shares of the plot's width."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

from django.utils.safestring import SafeString

from trackable.charts.glyphs import width_of
from trackable.charts.labels import labels_of
from trackable.charts.markup import element, percent
from trackable.charts.timeaxis import TimeAxis

#: between a number and the plot, in pixels
BESIDE: Final = 8

#: a number beside the plot, and how many pixels below the top it stands
Tick = tuple[str, float]


def margin_of(ticks: Iterable[Tick]) -> int:
    """Return the pixels that the longest of the numbers needs beside the plot."""
    return math.ceil(max(width_of(text) for text, _ in ticks)) + BESIDE


def numbers(ticks: Iterable[Tick], *, margin: int) -> SafeString:
    """Return the numbers that stand in the margin."""
    texts = [element("text", text, x=margin - BESIDE, y=y, dy="0.35em") for text, y in ticks]
    return element("g", *texts, class_="trackable-numbers", text_anchor="end")


def grid(ticks: Iterable[Tick]) -> SafeString:
    """Return a line across the plot at each number."""
    lines = [across(y) for _, y in ticks]
    return element("g", *lines, class_="trackable-grid", stroke_opacity=0.12)


def across(y: float, **attributes: Any) -> SafeString:
    """Return a line across the plot, in the middle of a row of pixels."""
    middle = math.floor(y) + 0.5
    return element("line", x2="100%", y1=middle, y2=middle, stroke="currentColor", **attributes)


def times(axis: TimeAxis, *, width: float, y: float) -> SafeString:
    """Return the times that stand below a plot of this width or a greater one."""
    labels = labels_of(axis, width=width)
    texts = [
        element("text", label.text, x=percent(label.at), y=y, text_anchor=label.anchor)
        for label in labels
    ]
    return element("g", *texts, class_="trackable-times")


def caption(text: str, *, y: float) -> SafeString:
    """Return a text in the middle of the plot."""
    return element("text", text, class_="trackable-caption", x="50%", y=y, text_anchor="middle")
