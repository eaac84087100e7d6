"""Checks of the settings: names, values, and how they go together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error

from trackable import addresses, conf, rates
from trackable.checks.callables import are_origins, takes
from trackable.checks.rules import (
    BOOLEAN,
    MAPPING,
    NOT_NEGATIVE,
    POSITIVE,
    Rule,
    check_names,
    check_values,
    is_number,
)

#: Well below what makes a batch longer, or one of more entries, than folds take.
MAX_SEGMENT_BYTES: Final = 8 << 20


#: setting without its prefix -> what its value must be
RULES: Final[dict[str, Rule]] = {
    "API_PERMISSION": Rule(
        "the dotted path of a function of (request, data_cls, obj), not async, or None",
        lambda value: value is None or takes(value, 3),
    ),
    "BROKER_TIMEOUT": POSITIVE,
    "BROKER_TRANSPORT_OPTIONS": MAPPING,
    "BROKER_URL": Rule(
        "a URL, or None", lambda value: value is None or isinstance(value, str), secret=True
    ),
    "CAPTURE_CONNECTION_ERRORS": BOOLEAN,
    "COLLECTION_PERIOD": POSITIVE,
    "COLLECT_MAX_AGE": Rule(
        "a positive number of seconds, or None",
        lambda value: value is None or (is_number(value) and value > 0),
    ),
    "COLLECT_ORIGINS": Rule("a list such as ['https://www.example.com']", are_origins),
    "COLLECT_RATE": Rule(
        "a rate such as '60/m', or None", lambda value: value is None or rates.is_rate(value)
    ),
    "DISABLE_COLLECTION_TASK": BOOLEAN,
    "EXIT_TIMEOUT": NOT_NEGATIVE,
    "FLUSH_INTERVAL": POSITIVE,
    "FLUSH_THREAD": BOOLEAN,
    "FOLD_MAX_COUNTERS": POSITIVE,
    "FORWARD": MAPPING,
    "JOURNAL_DIR": Rule("a path", lambda v: isinstance(v, str | os.PathLike) and v != ""),
    "JOURNAL_FSYNC": Rule("'off', 'seal' or 'always'", lambda v: v in ("off", "seal", "always")),
    "JOURNAL_MAX_BYTES": POSITIVE,
    "JOURNAL_RETENTION": POSITIVE,
    "JOURNAL_SEGMENT_BYTES": Rule(
        f"a positive number up to {MAX_SEGMENT_BYTES}, of bytes",
        lambda value: is_number(value) and 0 < value <= MAX_SEGMENT_BYTES,
    ),
    "LEDGER_HORIZON": POSITIVE,
    "MISSING_USER_AGENT_IS_SPIDER": BOOLEAN,
    "QUEUE_ARGUMENTS": MAPPING,
    "QUEUE_PREFIX": Rule("a string", lambda value: isinstance(value, str)),
    "REGISTER_ADMIN_MODELS": BOOLEAN,
    "REMOVE_MALFORMED_MESSAGES": BOOLEAN,
    "RESEND_AFTER": POSITIVE,
    "TRUSTED_PROXIES": Rule("a list of addresses and networks", addresses.are_networks),
    "USER_AGENT_FILTERING": BOOLEAN,
}


def check_settings(**_: Any) -> list[CheckMessage]:
    """Find misspelt settings and values that cannot work."""
    values = [*_check_values()]
    return [*_check_names(), *values, *(() if values else _check_times()), *_check_broker()]


def _check_names() -> Iterator[CheckMessage]:
    known = [conf.PREFIX + name for name in conf.DEFAULTS]
    if hasattr(settings, conf.MISSPELT_FILTERING):
        known.append(conf.MISSPELT_FILTERING)
        yield checks.Warning(
            f"{conf.MISSPELT_FILTERING} is a misspelling.",
            hint="Rename it to TRACKABLE_USER_AGENT_FILTERING.",
            id="trackable.W001",
        )
    yield from check_names(conf.PREFIX, known, error_id="trackable.E010")


def _check_values() -> Iterator[CheckMessage]:
    rules = {conf.PREFIX + name: rule for name, rule in RULES.items()}
    return check_values(rules, error_id="trackable.E011")


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
