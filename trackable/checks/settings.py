"""Checks of the settings: names, values, and how they go together."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from trackable import conf


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be, in words and as a test; a secret one is not shown."""

    demand: str
    fits: Callable[[Any], bool]
    secret: bool = False


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


POSITIVE: Final = Rule("a positive number", lambda value: _is_number(value) and value > 0)
NOT_NEGATIVE: Final = Rule("zero or more", lambda value: _is_number(value) and value >= 0)
BOOLEAN: Final = Rule("True or False", lambda value: isinstance(value, bool))
MAPPING: Final = Rule("a dictionary", lambda value: isinstance(value, Mapping), secret=True)

#: setting without its prefix -> what its value must be
RULES: Final[dict[str, Rule]] = {
    "BROKER_TIMEOUT": POSITIVE,
    "BROKER_TRANSPORT_OPTIONS": MAPPING,
    "BROKER_URL": Rule(
        "a URL, or None", lambda value: value is None or isinstance(value, str), secret=True
    ),
    "CAPTURE_CONNECTION_ERRORS": BOOLEAN,
    "COLLECTION_PERIOD": POSITIVE,
    "DISABLE_COLLECTION_TASK": BOOLEAN,
    "EXIT_TIMEOUT": NOT_NEGATIVE,
    "FLUSH_INTERVAL": POSITIVE,
    "FLUSH_THREAD": BOOLEAN,
    "FOLD_MAX_ENTRIES": POSITIVE,
    "JOURNAL_DIR": Rule("a path", lambda v: isinstance(v, str | os.PathLike) and v != ""),
    "JOURNAL_FSYNC": Rule("'off', 'seal' or 'always'", lambda v: v in ("off", "seal", "always")),
    "JOURNAL_MAX_BYTES": POSITIVE,
    "JOURNAL_RETENTION": POSITIVE,
    "JOURNAL_SEGMENT_BYTES": POSITIVE,
    "LEDGER_HORIZON": POSITIVE,
    "MISSING_USER_AGENT_IS_SPIDER": BOOLEAN,
    "QUEUE_ARGUMENTS": MAPPING,
    "QUEUE_PREFIX": Rule("a string", lambda value: isinstance(value, str)),
    "REGISTER_ADMIN_MODELS": BOOLEAN,
    "REMOVE_MALFORMED_MESSAGES": BOOLEAN,
    "RESEND_AFTER": POSITIVE,
    "USER_AGENT_FILTERING": BOOLEAN,
}


def check_settings(**_: Any) -> list[CheckMessage]:
    """Find misspelt settings and values that cannot work."""
    values = [*_check_values()]
    return [*_check_names(), *values, *(() if values else _check_times()), *_check_broker()]


def _check_names() -> Iterator[CheckMessage]:
    known = [conf.PREFIX + name for name in conf.DEFAULTS]
    for name in dir(settings):
        if not name.startswith(conf.PREFIX) or name in known:
            continue
        if name == conf.MISSPELT_FILTERING:
            yield checks.Warning(
                f"{name} is a misspelling.",
                hint="Rename it to TRACKABLE_USER_AGENT_FILTERING.",
                id="trackable.W001",
            )
            continue
        close = difflib.get_close_matches(name, known, 1)
        yield Error(
            f"There is no setting {name}.",
            hint=f"Did you mean {close[0]}?" if close else "See the reference of the settings.",
            id="trackable.E010",
        )


def _check_values() -> Iterator[CheckMessage]:
    for name, rule in RULES.items():
        value = getattr(settings, conf.PREFIX + name, conf.UNSET)
        if value is not conf.UNSET and not rule.fits(value):
            shown = f"a {type(value).__name__}" if rule.secret else repr(value)[:100]
            yield Error(
                f"{conf.PREFIX}{name} is {shown}.",
                hint=f"It must be {rule.demand}.",
                id="trackable.E011",
            )


def _check_times() -> Iterator[CheckMessage]:
    """Find what would come to the fold after the ledger has forgotten it."""
    for name in ("JOURNAL_RETENTION", "RESEND_AFTER", "COLLECTION_PERIOD"):
        if conf.get(name) >= conf.get("LEDGER_HORIZON"):
            yield Error(
                f"{conf.PREFIX}{name} is not shorter than TRACKABLE_LEDGER_HORIZON: what is"
                " folded so late may be counted already, and goes to the quarantine.",
                hint=f"Lengthen the horizon, or shorten {conf.PREFIX}{name}.",
                id="trackable.E012",
            )


def _check_broker() -> Iterator[CheckMessage]:
    url = getattr(settings, conf.PREFIX + "BROKER_URL", None)
    if isinstance(url, str) and url.startswith("memory:"):
        yield checks.Warning(
            "The broker that TRACKABLE_BROKER_URL names is in the memory of one process: no"
            " other one can fold what it ships.",
            hint="Use a broker of its own, or None to fold from the journal.",
            id="trackable.W004",
        )
