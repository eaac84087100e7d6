"""What the value of a URL parameter may be, as the Measurement Protocol's reference says.

https://developers.google.com/analytics/devguides/collection/protocol/v1/reference names the
types: text, currency, boolean, integer, number. Lengths are of bytes in UTF-8, before they are
quoted.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.utils.functional import Promise

from trackable.contrib.analytics import plain


class Type(ABC):
    """What a value may be. ``clean`` is for developers, ``fit`` for what visitors send."""

    @abstractmethod
    def clean(self, value: Any) -> Any:
        """Return the value as it is sent. Raises ``ValueError``, in words, if it is wrong."""

    def fit(self, value: Any) -> Any:
        """Return the value as it is sent, cut if it is too long; ``None`` if it cannot be sent."""
        try:
            return self.clean(value)
        except ValueError:
            return None


@dataclass(frozen=True)
class Text(Type):
    """A text, of so many bytes at most; a whole number is one too."""

    max_bytes: int | None = None
    choices: Collection[str] = ()

    def clean(self, value: Any) -> Any:
        if isinstance(value, UUID | Promise):
            value = str(value)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise ValueError(f"it is no text but of type {type(value).__name__}")
        length_bytes = len(str(value).encode("utf-8", "replace"))
        if self.max_bytes is not None and length_bytes > self.max_bytes:
            raise ValueError(f"it has {length_bytes} bytes, and may have {self.max_bytes}")
        if self.choices and value not in self.choices:
            raise ValueError(f"it is none of {', '.join(sorted(self.choices))}")
        return value

    def fit(self, value: Any) -> Any:
        if isinstance(value, bool | float | Decimal):
            value = plain.shown(value)
        if isinstance(value, str) and self.max_bytes is not None:
            value = plain.cut(value, max_bytes=self.max_bytes)
        return super().fit(value)


@dataclass(frozen=True)
class Flag(Type):
    """A boolean, sent as 1 or 0."""

    def clean(self, value: Any) -> int:
        if not isinstance(value, bool | int | str) or value not in (True, False, "0", "1"):
            raise ValueError("it is neither True nor False, 1 nor 0")
        return int(value)


@dataclass(frozen=True)
class Whole(Type):
    """A whole number of 64 bits."""

    least: int = -(2**63)
    most: int = 2**63 - 1

    def clean(self, value: Any) -> int:
        if isinstance(value, str) and value.removeprefix("-").isdecimal() and len(value) < 20:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"it is no whole number but of type {type(value).__name__}")
        if not self.least <= value <= self.most:
            raise ValueError(f"it is not from {self.least} to {self.most}")
        return value

    def fit(self, value: Any) -> Any:
        if isinstance(value, float) and math.isfinite(value):
            value = round(value)
        return super().fit(value)


@dataclass(frozen=True)
class Number(Type):
    """A number, with a fraction or without."""

    def clean(self, value: Any) -> int | float | Decimal:
        if isinstance(value, str):
            value = _decimal(value)
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise ValueError(f"it is no number but of type {type(value).__name__}")
        if not plain.is_sound(value):
            raise ValueError("it is too large, or no number")
        return value


class Currency(Number):
    """An amount of money, in the currency that the hit names: no sign of it, no commas."""


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError as error:
        raise ValueError("it is no number") from error
