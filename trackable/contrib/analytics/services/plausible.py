"""Plausible's events API.

Figures are those of Plausible's *Events API reference* (https://plausible.io/docs/events-api) and
of its own check of what arrives (``lib/plausible/ingestion/request.ex`` of plausible/analytics):
a name of 120 characters, a URL and a referrer of 2,000 bytes, 30 properties, whose keys have 300
and whose values 2,000 bytes. ``User-Agent`` and ``X-Forwarded-For`` are required, since visitors
are told apart by them. Nothing says when a hit happened: it counts when it arrives.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from urllib.parse import quote

from trackable.contrib.analytics import plain
from trackable.contrib.analytics.exceptions import RefusedError
from trackable.contrib.analytics.hits import (
    EVENT,
    EXCEPTION,
    PAGEVIEW,
    SCREENVIEW,
    SOCIAL,
    TIMING,
    TRANSACTION,
    Hit,
)
from trackable.contrib.analytics.options import Option, token, url
from trackable.contrib.analytics.services.base import Remark, Request, Response, Service
from trackable.contrib.analytics.services.goods import revenue_of

MAX_NAME_LENGTH: Final = 120
MAX_URL_BYTES: Final = 2000
MAX_PROPERTIES: Final = 30
MAX_KEY_BYTES: Final = 300
MAX_VALUE_BYTES: Final = 2000
#: a name that Plausible keeps for itself
RESERVED: Final = "engagement"


class PlausibleService(Service):
    """Sends one event a request, as the visitor's browser would."""

    name = "plausible"
    max_age = timedelta(hours=1)
    options: ClassVar[Mapping[str, Option]] = {
        "url": url("https://plausible.io"),
        "domain": token("the name of the site at Plausible"),
    }

    def request_for(self, hit: Hit, *, now: datetime) -> Request:
        if not hit.user_agent or not hit.address:
            raise RefusedError("hits need a user agent and an address")
        if len(location := _location(hit).encode()) > MAX_URL_BYTES:
            raise RefusedError(f"URLs of more than {MAX_URL_BYTES} bytes are not taken")
        if not location:
            raise RefusedError("hits need a URL")
        event = {
            "domain": self.option("domain"),
            "name": name_of(hit),
            "url": location.decode(),
            "referrer": plain.cut(hit.referrer, max_bytes=MAX_URL_BYTES),
            "props": self._properties(hit),
            "revenue": _revenue(hit),
            "interactive": None if hit.is_interaction else False,
        }
        found = {key: value for key, value in event.items() if value not in (None, "", {})}
        headers = {"user_agent": hit.user_agent, "x_forwarded_for": hit.address}
        return self.post_json("/api/event", found, hits=[hit], **headers)

    def _properties(self, hit: Hit) -> dict[str, str]:
        told = {**_properties_of(hit), **hit.properties}
        found = {}
        for key, value in told.items():
            shown = plain.cut(plain.shown(value), max_bytes=MAX_VALUE_BYTES)
            if key.strip() and shown.strip() and not isinstance(value, list | dict):
                found[plain.cut(key, max_bytes=MAX_KEY_BYTES)] = shown
        if len(found) > MAX_PROPERTIES:
            self.tell(f"of more than {MAX_PROPERTIES} properties, the first are sent")
        return dict(list(found.items())[:MAX_PROPERTIES])

    def parse(self, response: Response) -> Iterator[Remark]:
        """Yield that an event was dropped, which is answered as one that was taken is."""
        if response.headers.get("x-plausible-dropped", "0") not in ("", "0"):
            yield Remark(logging.WARNING, "an event was dropped")


def name_of(hit: Hit) -> str:
    """Return the name of an event: ``pageview``, or as Plausible names its own: *What: action*."""
    values = hit.values
    parts: dict[str, list[Any]] = {
        PAGEVIEW: ["pageview"],
        SCREENVIEW: ["pageview"],
        EVENT: [values.get("category"), values.get("action")],
        SOCIAL: [values.get("network"), values.get("action")],
        TIMING: ["Timing", values.get("user_timing_variable")],
        EXCEPTION: ["Exception"],
        TRANSACTION: ["Purchase"],
    }
    name = ": ".join(str(part).strip() for part in parts[hit.kind] if str(part).strip())
    if not name or name == RESERVED:
        raise RefusedError("there is no name for the event")
    return name[:MAX_NAME_LENGTH]


def _location(hit: Hit) -> str:
    """Return the page's URL; for a screen of an app one that is made up, as Plausible advises."""
    if hit.location or hit.kind != SCREENVIEW:
        return hit.location
    return f"app://localhost/{quote(str(hit.values['screen_name']))}"


def _properties_of(hit: Hit) -> dict[str, Any]:
    """Return what a hit's kind says beside its name."""
    names = {
        EVENT: ("label", "value"),
        SOCIAL: ("target",),
        TIMING: ("user_timing_category", "user_timing_value", "user_timing_label"),
        EXCEPTION: ("description", "fatal"),
        TRANSACTION: ("transaction_id", "affiliation", "coupon_code"),
    }.get(hit.kind, ())
    return {name: hit.values[name] for name in names if name in hit.values}


def _revenue(hit: Hit) -> dict[str, Any] | None:
    currency = hit.values.get("currency_code")
    if hit.kind != TRANSACTION or not currency:
        return None
    return {"currency": str(currency)[:3].upper(), "amount": plain.shown(revenue_of(hit.values))}
