"""Rules: what the names and values of settings must be, the core's and those of apps on it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core.checks import CheckMessage, Error

UNSET: Final = object()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be, in words and as a test; a secret one is not shown."""

    demand: str
    fits: Callable[[Any], bool]
    secret: bool = False


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number; a boolean is none."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


POSITIVE: Final = Rule("a positive number", lambda value: is_number(value) and value > 0)
NOT_NEGATIVE: Final = Rule("zero or more", lambda value: is_number(value) and value >= 0)
BOOLEAN: Final = Rule("True or False", lambda value: isinstance(value, bool))
MAPPING: Final = Rule("a dictionary", lambda value: isinstance(value, Mapping), secret=True)


def _shown(value: Any) -> str:
    """Return a value as a message shows it; a number of thousands of digits has no text."""
    try:
        return repr(value)[:100]
    except ValueError:
        return f"a {type(value).__name__}"


def check_names(prefix: str, known: Collection[str], *, error_id: str) -> Iterator[CheckMessage]:
    """Find settings with the prefix that nobody reads; ``known`` are whole names."""
    for name in dir(settings):
        if not name.startswith(prefix) or name in known:
            continue
        close = difflib.get_close_matches(name, known, 1)
        yield Error(
            f"There is no setting {name}.",
            hint=f"Did you mean {close[0]}?" if close else "See the reference of the settings.",
            id=error_id,
        )


def check_values(rules: Mapping[str, Rule], *, error_id: str) -> Iterator[CheckMessage]:
    """Find settings, by their whole names, whose values cannot work."""
    for name, rule in rules.items():
        value = getattr(settings, name, UNSET)
        if value is not UNSET and not rule.fits(value):
            shown = f"a {type(value).__name__}" if rule.secret else _shown(value)
            yield Error(f"{name} is {shown}.", hint=f"It must be {rule.demand}.", id=error_id)
