"""Markup: elements of SVG, in which every text is escaped, and every number short."""

from __future__ import annotations

import re
from typing import Any, Final

from django.utils.html import conditional_escape, escape
from django.utils.safestring import SafeString

#: what XML cannot hold, escaped or not
UNFIT: Final = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: decimals of what lies in pixels or percent: a hundredth of a pixel is not seen
DECIMALS: Final = 2


def element(name: str, *children: Any, **attributes: Any) -> SafeString:
    """Return an element with its children, which are text or, if they are safe, elements.

    ``class_`` stands for ``class`` and ``text_anchor`` for ``text-anchor``. What is ``None`` is
    left out.
    """
    given = [(key, value) for key, value in attributes.items() if value is not None]
    opening = "".join(f' {_name(key)}="{escape(_text(value))}"' for key, value in given)
    if not children:
        return SafeString(f"<{name}{opening}/>")
    content = "".join(conditional_escape(_child(child)) for child in children)
    return SafeString(f"<{name}{opening}>{content}</{name}>")


def percent(share: float) -> str:
    """Return a share of the whole as the length that it is of it."""
    return f"{number(share * 100, decimals=3)}%"


def number(value: float, *, decimals: int = DECIMALS) -> str:
    """Return a number as SVG reads it, whatever the language: ``12.5``."""
    text = f"{value:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def _child(child: Any) -> str:
    return child if isinstance(child, SafeString) else _text(child)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    return UNFIT.sub("\ufffd", str(value))
