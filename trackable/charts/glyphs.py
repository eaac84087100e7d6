"""Glyphs: how wide a text is, without the font at hand."""

from __future__ import annotations

import unicodedata
from typing import Final

#: Verdana's advance widths in thousandths of its size, from U+0020 to U+007E. Source: the font's
#: own table ``hmtx``, as PDF::API2 lists it. Other sans-serif fonts are hardly wider.
VERDANA: Final = (
    *(351, 393, 458, 818, 635, 1076, 726, 268, 454, 454, 635, 818, 363, 454, 363, 454),  # space
    *(635, 635, 635, 635, 635, 635, 635, 635, 635, 635, 454, 454, 818, 818, 818, 545),  # 0
    *(1000, 683, 685, 698, 770, 632, 574, 775, 751, 420, 454, 692, 556, 842, 748, 787),  # @
    *(603, 787, 695, 683, 616, 731, 683, 988, 685, 615, 685, 454, 454, 454, 818, 635),  # P
    *(635, 600, 623, 520, 623, 595, 351, 623, 632, 274, 344, 591, 274, 972, 632, 606),  # `
    *(623, 623, 426, 520, 394, 632, 591, 818, 591, 591, 525, 634, 454, 634, 818),  # p
)
#: of all letters in charts and badges, in pixels
SIZE: Final = 11
#: what fills the square of its size
SQUARE: Final = 1000
#: of what is not in the table, about the mean of Verdana's Greek and Cyrillic letters
OTHER: Final = 650


def width_of(text: str) -> float:
    """Return the width of a text in Verdana, in pixels."""
    glyphs = unicodedata.normalize("NFKD", text)
    return sum(_thousandths(glyph) for glyph in glyphs) * SIZE / 1000


def _thousandths(glyph: str) -> int:
    if " " <= glyph <= "~":
        return VERDANA[ord(glyph) - ord(" ")]
    if unicodedata.combining(glyph):
        return 0
    return SQUARE if unicodedata.east_asian_width(glyph) in "WF" else OTHER
