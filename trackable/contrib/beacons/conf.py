"""The settings of the app: their names, defaults and units, read when used."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings

#: Every name that begins so is one of these, or misspelt.
PREFIX: Final = "BEACON_"

#: The signed part of a link is not looked at if it is longer, whatever the setting says.
MAX_LINK_LENGTH: Final = 8000

DEFAULTS: Final[dict[str, Any]] = {
    "BEACON_ANONYMISE_ADDRESSES": True,
    "BEACON_BASE_URL": None,
    "BEACON_LINK_MAX_AGE": None,
    "BEACON_MAX_URL_LENGTH": 2000,
    "BEACON_SYNCHRONOUS": False,
    "IGNORE_LOCAL_REDIRECTS": False,
}


def get(name: str) -> Any:
    """Return the value in force of a setting. Raises ``KeyError`` for a name not among these."""
    return getattr(settings, name, DEFAULTS[name])
