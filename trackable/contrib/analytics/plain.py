"""Plain data: what JSON and UTF-8 can hold, and not too much of it."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

#: No service takes a longer one: the longest is a URL, with 2,048 bytes in the old protocol.
MAX_TEXT_LENGTH: Final = 2048
#: entries of a mapping, and of a list
MAX_ENTRIES: Final = 200
#: Larger numbers are no counts, prices or times, and not every reader of JSON takes them.
MAX_NUMBER: Final = 2**53
#: decimal places of an amount of money
PLACES: Final = 6


def text(value: Any) -> str:
    """Return a text, cut, without what UTF-8 cannot hold. ``None`` is an empty one.

    Raises ``ValueError`` for what is none, such as a list.
    """
    if value is None:
        return ""
    if isinstance(value, bool | bytes | list | tuple | set | Mapping):
        raise ValueError(f"a {type(value).__name__} is no text")
    return str(value)[:MAX_TEXT_LENGTH].encode("utf-8", "replace").decode()


def mapping(value: Any) -> dict[str, Any]:
    """Return a dictionary of texts, numbers, booleans, and lists and dictionaries of these.

    Entries that are ``None`` are left out. Raises ``ValueError`` for anything else in it.
    """
    return _mapping(value, depth=0)


def _mapping(value: Any, *, depth: int) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"a {type(value).__name__} is no mapping")
    if len(value) > MAX_ENTRIES:
        raise ValueError(f"more than {MAX_ENTRIES} entries")
    found = {text(name): _value(each, depth=depth) for name, each in value.items()}
    return {name: each for name, each in found.items() if each is not None}


def _value(value: Any, *, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal):
        return _number(value)
    if not isinstance(value, Mapping | list | tuple):
        return text(value)
    if depth > 1:
        raise ValueError("nested too deep")
    if isinstance(value, Mapping):
        return _mapping(value, depth=depth + 1)
    if len(value) > MAX_ENTRIES:
        raise ValueError(f"more than {MAX_ENTRIES} entries")
    return [_value(each, depth=depth + 1) for each in value]


def _number(value: int | float | Decimal) -> int | float:
    if not is_sound(value):
        raise ValueError("a number that is too large, or none")
    return value if isinstance(value, int) else float(value)


def is_sound(value: int | float | Decimal) -> bool:
    """Tell whether a number is finite, and not too large for anybody."""
    return math.isfinite(value) and -MAX_NUMBER <= value <= MAX_NUMBER


def cut(value: str, *, max_bytes: int) -> str:
    """Return the beginning of a text that has so many bytes at most, in whole characters."""
    if len(value) * 4 <= max_bytes:
        return value
    return value.encode("utf-8", "replace")[:max_bytes].decode("utf-8", "ignore")


def shown(value: Any) -> str:
    """Return a value as a text that services read: no exponents, booleans in lower case."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float | Decimal):
        return f"{value:.{PLACES}f}".rstrip("0").rstrip(".")
    return str(value)


def header(value: str) -> str:
    """Return a text as a header can hold it: printable ASCII, everything else a question mark."""
    return "".join(c if " " <= c <= "~" else "?" for c in value)


def size_bytes(value: Any) -> int:
    """Return about how much memory plain data takes."""
    if isinstance(value, dict):
        return (
            sys.getsizeof(value)
            + sum(map(size_bytes, value))
            + sum(map(size_bytes, value.values()))
        )
    if isinstance(value, list):
        return sys.getsizeof(value) + sum(map(size_bytes, value))
    return sys.getsizeof(value)
