"""Printing: what came from elsewhere, so that it does nothing to a terminal."""

from __future__ import annotations


def printable(text: object) -> str:
    """Return a text with everything escaped that is not to be seen."""
    return repr(str(text))[1:-1]
