"""Kinds of parameters: each reads a text, and tells in JSON Schema which texts it takes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Protocol

Schema = Mapping[str, Any]

MAX_TEXT_LENGTH: Final = 255
#: More digits than any bound has.
INTEGER: Final = re.compile(r"0|-?[1-9][0-9]{0,9}", re.ASCII)
#: Years that are far enough from the ends of the calendar for every time zone and period.
YEARS: Final = r"(19|2[0-9])[0-9]{2}"
DATE: Final = re.compile(rf"{YEARS}-[0-9]{{2}}-[0-9]{{2}}", re.ASCII)
MOMENT: Final = re.compile(
    DATE.pattern + r"[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})",
    re.ASCII,
)


class Kind(Protocol):
    """A kind of parameter."""

    @property
    def demand(self) -> str:
        """What a text must be, to follow "must be"."""

    @property
    def schema(self) -> Schema:
        """The same as JSON Schema."""

    def read(self, text: str) -> Any:
        """Return the value. Raises ``ValueError``."""


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer within bounds."""

    low: int
    high: int

    @property
    def demand(self) -> str:
        return f"an integer from {self.low} to {self.high}"

    @property
    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def read(self, text: str) -> int:
        if INTEGER.fullmatch(text) is None or not self.low <= int(text) <= self.high:
            raise ValueError(self.demand)
        return int(text)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    @property
    def demand(self) -> str:
        return f"one of {', '.join(self.words)}"

    @property
    def schema(self) -> Schema:
        return {"type": "string", "enum": list(self.words)}

    def read(self, text: str) -> str:
        if text not in self.words:
            raise ValueError(self.demand)
        return text


@dataclass(frozen=True, slots=True)
class Text:
    """Any text that a database can be asked for."""

    @property
    def demand(self) -> str:
        return f"a text of 1 to {MAX_TEXT_LENGTH} characters without NUL"

    @property
    def schema(self) -> Schema:
        length = {"minLength": 1, "maxLength": MAX_TEXT_LENGTH}
        return {"type": "string", **length, "pattern": r"^[^\u0000]*$"}

    def read(self, text: str) -> str:
        if not 1 <= len(text) <= MAX_TEXT_LENGTH or "\0" in text:
            raise ValueError(self.demand)
        return text


@dataclass(frozen=True, slots=True)
class Time:
    """A day, or a moment with its offset from UTC."""

    @property
    def demand(self) -> str:
        return (
            "a day as 2026-01-31, or a moment with its offset from UTC as"
            " 2026-01-31T12:00:00+01:00, in the years 1900 to 2999"
        )

    @property
    def schema(self) -> Schema:
        pattern = rf"^{YEARS}-"
        forms = [{"type": "string", "format": f, "pattern": pattern} for f in ("date", "date-time")]
        return {"anyOf": forms}

    def read(self, text: str) -> date:
        try:
            if DATE.fullmatch(text):
                return date.fromisoformat(text)
            text = text.replace(" ", "+")  # what a plus in a URL stands for
            if MOMENT.fullmatch(text):
                return datetime.fromisoformat(text.upper())
        except ValueError:
            pass  # there is no such day, or hour
        raise ValueError(self.demand)
