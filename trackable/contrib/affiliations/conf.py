"""The settings of affiliations: their names, defaults and units, read when used."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings

#: Every name that begins so is one of these, or misspelt.
PREFIX: Final = "AFFILIATE_"

#: What a trigger's name has at most: it is kept with each subscription and callback.
MAX_TRIGGER_LENGTH: Final = 100

#: name without the prefix -> default
DEFAULTS: Final[dict[str, Any]] = {
    "ATTRIBUTION": "last",
    "ATTRIBUTION_WINDOW": 30 * 24 * 3600,
    "CALLBACK_ALLOW_PRIVATE": False,
    "CALLBACK_ATTEMPTS": 12,
    "CALLBACK_TIMEOUT": 5.0,
    "DELIVERY_PERIOD": 60,
    "QUERY_STRING_KEY": "affiliate_id",
    "SESSION_KEY": "affiliate_visitor_id",
    "TRIGGERS": (),
    "VISITORS_PER_MINUTE": 600,
}


def get(name: str) -> Any:
    """Return the value in force of the setting ``AFFILIATE_<name>``."""
    return getattr(settings, PREFIX + name, DEFAULTS[name])


def trigger_names() -> list[str]:
    """Return the names of the triggers, each once, in order; wrong entries are passed over."""
    entries = get("TRIGGERS")
    if not isinstance(entries, list | tuple):
        return []
    names = (entry[0] for entry in entries if isinstance(entry, list | tuple) and entry)
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))


def trigger_choices() -> list[tuple[str, str]]:
    """Return what a subscription can be to. Migrations know it by this name, without values."""
    return [(name, name) for name in trigger_names()]
