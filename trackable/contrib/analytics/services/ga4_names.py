"""Names as GA4 takes them, and what it keeps for itself.

Figures and lists are those of Google's *Measurement Protocol reference* for GA4, "Reserved names",
and *Send Measurement Protocol events to Google Analytics*, "Limitations"
(https://developers.google.com/analytics/devguides/collection/protocol/ga4/reference and
.../ga4/sending-events).
"""

from __future__ import annotations

import re
from typing import Final

MAX_NAME_LENGTH: Final = 40
MAX_USER_NAME_LENGTH: Final = 24
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9]+")

RESERVED_EVENTS: Final = frozenset(
    {
        "ad_activeview",
        "ad_click",
        "ad_exposure",
        "ad_query",
        "ad_reward",
        "adunit_exposure",
        "app_clear_data",
        "app_exception",
        "app_install",
        "app_remove",
        "app_store_refund",
        "app_update",
        "app_upgrade",
        "dynamic_link_app_open",
        "dynamic_link_app_update",
        "dynamic_link_first_open",
        "error",
        "firebase_campaign",
        "firebase_in_app_message_action",
        "firebase_in_app_message_dismiss",
        "firebase_in_app_message_impression",
        "first_open",
        "first_visit",
        "notification_dismiss",
        "notification_foreground",
        "notification_open",
        "notification_receive",
        "notification_send",
        "os_update",
        "session_start",
        "user_engagement",
    }
)
#: allowed for the streams of apps alone
OF_APPS: Final = frozenset({"ad_impression", "in_app_purchase", "screen_view"})
RESERVED_PARAMETERS: Final = frozenset({"firebase_conversion"})
RESERVED_USER_PROPERTIES: Final = frozenset(
    {
        "first_open_time",
        "first_visit_time",
        "last_deep_link_referrer",
        "user_id",
        "first_open_after_install",
    }
)
RESERVED_PREFIXES: Final = ("_", "firebase_", "ga_", "google_", "gtag.")


def event_name(text: str) -> str:
    """Return the name of an event: letters, digits and underscores, 40 at most.

    Everything else becomes an underscore. What GA4 keeps for itself, or does not begin with a
    letter, gets ``event_`` in front. So ``"Add to cart"`` is ``"Add_to_cart"``, and ``"error"``
    is ``"event_error"``.
    """
    name = NOT_IN_NAMES.sub("_", text).strip("_")[:MAX_NAME_LENGTH]
    if is_event_name(name):
        return name
    return f"event_{name}"[:MAX_NAME_LENGTH].rstrip("_")


def is_event_name(name: str) -> bool:
    """Tell whether GA4 takes a name for an event."""
    return _is_name(name, MAX_NAME_LENGTH) and name not in RESERVED_EVENTS | OF_APPS


def is_parameter_name(name: str) -> bool:
    """Tell whether GA4 takes a name for a parameter of an event."""
    return _is_name(name, MAX_NAME_LENGTH) and name not in RESERVED_PARAMETERS


def is_user_property_name(name: str) -> bool:
    """Tell whether GA4 takes a name for a property of a visitor."""
    return _is_name(name, MAX_USER_NAME_LENGTH) and name not in RESERVED_USER_PROPERTIES


def _is_name(name: str, max_length: int) -> bool:
    is_free = not name.startswith(RESERVED_PREFIXES)
    return bool(NAME.fullmatch(name)) and len(name) <= max_length and is_free
