"""Badges: a label and a value side by side, as the pages of projects show them."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from django.utils.safestring import SafeString

from trackable.charts.glyphs import SIZE, width_of
from trackable.charts.markup import element

#: in pixels
HEIGHT: Final = 20
PADDING: Final = 6
ROUNDING: Final = 3
BASELINE: Final = 14

COLOR: Final = re.compile("#(?:[0-9a-fA-F]{3}){1,2}")
#: From this brightness on, dark letters are easier to read.
BRIGHT: Final = 0.6
#: Verdana first: what is not there has to fill the same room.
FONTS: Final = "Verdana, Geneva, 'DejaVu Sans', sans-serif"


def badge(label: str, value: str, *, color: str, label_color: str) -> SafeString:
    """Return a badge as an ``<svg>``; colours are as ``#1f6f8b``."""
    left, right = _room_of(label), _room_of(value)
    name = f"{label}: {value}"
    return element(
        "svg",
        element("title", name),
        element("rect", width=left + right, height=HEIGHT, rx=ROUNDING, fill=color),
        element("path", d=_rounded_to_the_left(left), fill=label_color),
        element(
            "g",
            _text(label, start=0, room=left, background=label_color),
            _text(value, start=left, room=right, background=color),
            font_family=FONTS,
            font_size=SIZE,
            text_anchor="middle",
        ),
        xmlns="http://www.w3.org/2000/svg",
        width=left + right,
        height=HEIGHT,
        viewBox=f"0 0 {left + right} {HEIGHT}",
        role="img",
        aria_label=name,
    )


def is_color(value: Any) -> bool:
    """Tell whether a badge can have this colour: ``#rgb`` or ``#rrggbb``."""
    return isinstance(value, str) and COLOR.fullmatch(value) is not None


def _room_of(text: str) -> int:
    return math.ceil(width_of(text)) + 2 * PADDING


def _rounded_to_the_left(width: int) -> str:
    r = ROUNDING
    return f"M{r} 0H{width}V{HEIGHT}H{r}a{r} {r} 0 0 1-{r}-{r}V{r}a{r} {r} 0 0 1 {r}-{r}Z"


def _text(text: str, *, start: int, room: int, background: str) -> SafeString:
    return element(
        "text",
        text,
        x=start + room / 2,
        y=BASELINE,
        textLength=room - 2 * PADDING,
        fill="#222" if _brightness(background) > BRIGHT else "#fff",
    )


def _brightness(color: str) -> float:
    """Return how bright a colour looks, from 0 to 1. Source: W3C, AERT 1.0, section 2.2."""
    digits = color[1:] if len(color) == 7 else "".join(digit * 2 for digit in color[1:])
    red, green, blue = bytes.fromhex(digits)
    return (299 * red + 587 * green + 114 * blue) / 255_000
