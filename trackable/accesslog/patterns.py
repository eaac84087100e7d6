"""Patterns: which requests are of an object, and by what it is looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, Protocol
from urllib.parse import unquote_to_bytes

from django.core.exceptions import ImproperlyConfigured
from django.urls.resolvers import RoutePattern

from trackable.accesslog.lines import unescape
from trackable.exceptions import TrackableError

#: What tells a regular expression from a route.
_REGEX_SIGNS: Final = ("^", "(")


class BadPattern(TrackableError):  # noqa: N818
    """The pattern is no route and no regular expression, or captures nothing to look up by."""


class Pattern(Protocol):
    """Matches whole texts; its ``names`` are what it captures."""

    names: tuple[str, ...]

    def match(self, text: str) -> Mapping[str, Any] | None:
        """Return what a text that matches captures; ``None`` for one that does not."""


def pattern_of(text: str, lookup: str | None = None) -> Pattern:
    """Return the pattern of a Django route (``/blog/<slug:slug>/``) or a regular expression.

    It is a regular expression if it begins with ``^`` or has a group. ``lookup`` names the field
    for the only capture, or for the whole text if nothing is captured. Raises ``BadPattern``.
    """
    is_regex = text.startswith(_REGEX_SIGNS[0]) or _REGEX_SIGNS[1] in text
    pattern: Pattern = _Regex(text) if is_regex else _Route(text)
    if lookup is not None:
        return _Renamed(pattern, lookup)
    if not pattern.names or any(name.isdigit() for name in pattern.names):
        raise BadPattern(
            f"{text!r} does not say by which field objects are found: capture it under the"
            " field's name, as in '/blog/<slug:slug>/', or name it with --lookup."
        )
    return pattern


class _Regex:
    def __init__(self, text: str) -> None:
        try:
            self._regex = re.compile(text)
        except re.error as error:
            raise BadPattern(f"{text!r} is no regular expression: {error}.") from error
        numbers = {str(number + 1): number + 1 for number in range(self._regex.groups)}
        self._groups = dict(self._regex.groupindex) or numbers
        self.names = tuple(self._groups)

    def match(self, text: str) -> Mapping[str, Any] | None:
        match = self._regex.fullmatch(text)
        if match is None:
            return None
        groups = {name: match[number] for name, number in self._groups.items()}
        captured = {name: value for name, value in groups.items() if value is not None}
        return captured if captured or not self.names else None


class _Route:
    def __init__(self, text: str) -> None:
        try:
            self._route = RoutePattern(text.removeprefix("/"), is_endpoint=True)
            self.names = tuple(self._route.converters)
        except (ImproperlyConfigured, ValueError) as error:
            raise BadPattern(f"{text!r} is no route: {error}") from error

    def match(self, text: str) -> Mapping[str, Any] | None:
        found = self._route.match(text[1:]) if text.startswith("/") else None
        return None if not found else found[2]


class _Renamed:
    """A pattern whose only capture, or whole match, gets the name of a field."""

    def __init__(self, pattern: Pattern, name: str) -> None:
        if len(pattern.names) > 1:
            raise BadPattern(
                f"--lookup names one field, but the pattern captures {', '.join(pattern.names)}:"
                " name these after fields, and leave --lookup out."
            )
        self.names: tuple[str, ...] = (name,)
        self._pattern = pattern

    def match(self, text: str) -> Mapping[str, Any] | None:
        captured = self._pattern.match(text)
        if captured is None:
            return None
        return {self.names[0]: next(iter(captured.values()), text)}


def path_of(target: bytes) -> str:
    """Return the path of a request target as a view sees it: decoded, without the query."""
    path = unquote_to_bytes(unescape(target).partition(b"?")[0])
    return path.decode("utf-8", "backslashreplace")


def as_logged(target: bytes) -> str:
    """Return a request target as the log has it, with its query and its percent signs."""
    return target.decode("utf-8", "backslashreplace")
