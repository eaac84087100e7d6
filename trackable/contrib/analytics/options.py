"""Options: keys of a dictionary in the settings, what their values must be, and what is wrong."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

#: what a name, an id or a secret may have in it: nothing that could end a header or a URL
TOKEN: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Option:
    """What a value must be, in words and as a test. A secret one is never shown."""

    default: Any
    demand: str
    fits: Callable[[Any], bool]
    is_required: bool = False
    is_secret: bool = False


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong with an option: ``kind`` is unknown, missing or wrong."""

    kind: str
    message: str
    hint: str


def flaws(options: Mapping[str, Option], given: Mapping[str, Any], *, where: str) -> Iterator[Flaw]:
    """Find unknown keys, values that cannot work, and keys that are missing."""
    for key in given:
        if key not in options:
            close = difflib.get_close_matches(str(key), options, 1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Its keys are {', '.join(options)}."
            yield Flaw("unknown", f"{where} has no key {key!r:.80}.", hint)
    for key, option in options.items():
        if key not in given:
            if option.is_required:
                yield Flaw("missing", f"{where} lacks {key!r}.", f"It must be {option.demand}.")
        elif not option.fits(given[key]):
            value = given[key]
            shown = f"a {type(value).__name__}" if option.is_secret else repr(value)[:100]
            yield Flaw("wrong", f"{where}[{key!r}] is {shown}.", f"It must be {option.demand}.")


def values(options: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value in force of each option."""
    return {key: given.get(key, option.default) for key, option in options.items()}


def flag(default: Any) -> Option:
    return Option(default, "True or False", lambda value: isinstance(value, bool))


def text(default: Any = "", *, demand: str = "a string", is_required: bool = False) -> Option:
    return Option(default, demand, lambda value: isinstance(value, str), is_required=is_required)


def token(demand: str, *, is_required: bool = True, is_secret: bool = False) -> Option:
    """An id or a secret: printable, without blanks."""

    def fits(value: Any) -> bool:
        return isinstance(value, str) and bool(TOKEN.fullmatch(value))

    return Option("", demand, fits, is_required, is_secret)


def texts(default: tuple[str, ...], *, demand: str = "a list of strings") -> Option:
    def fits(value: Any) -> bool:
        return isinstance(value, list | tuple | set | frozenset) and all(
            isinstance(each, str) for each in value
        )

    return Option(default, demand, fits)


def number(default: Any, *, least: float = 0.0, most: float = math.inf) -> Option:
    """A finite number above ``least``, or from 0 if that is 0."""
    demand = f"a number from {least:g} to {most:g}" if most < math.inf else "a number, not negative"
    return Option(default, demand, lambda v: is_number(v) and least <= v <= most)


def whole(default: int, *, least: int, most: int) -> Option:
    return Option(
        default,
        f"a whole number from {least} to {most}",
        lambda value: type(value) is int and least <= value <= most,
    )


def url(default: str = "", *, is_required: bool = False) -> Option:
    return Option(
        default, "a URL such as 'https://example.com', without a query", is_url, is_required
    )


def indices(most: int) -> Option:
    """Names of properties, each with its number at the service."""

    def fits(value: Any) -> bool:
        return isinstance(value, Mapping) and all(
            isinstance(name, str) and type(index) is int and 1 <= index <= most
            for name, index in value.items()
        )

    return Option({}, f"a dictionary of names and whole numbers from 1 to {most}", fits)


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_url(value: Any) -> bool:
    """Tell whether a value is an http or https URL to which a path can be added."""
    if not isinstance(value, str) or not TOKEN.fullmatch(value) or not host_of(value):
        return False
    parts = urlsplit(value)
    is_bare = not (parts.query or parts.fragment or parts.username or parts.password)
    return parts.scheme in ("http", "https") and is_bare


def host_of(url: str) -> str:
    """Return the host of a URL; nothing for one that cannot be read."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "") if parts.port != 0 else ""
    except ValueError:
        return ""
