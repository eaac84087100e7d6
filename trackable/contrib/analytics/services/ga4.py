"""GA4: Google Analytics' Measurement Protocol of today.

Figures are those of Google's *Send Measurement Protocol events to Google Analytics*, "Limitations"
(https://developers.google.com/analytics/devguides/collection/protocol/ga4/sending-events): 25
events a request, 25 parameters an event, 25 user properties; names of 40 characters, those of user
properties of 24; values of 100 characters (500 with Analytics 360), those of user properties of
36; a body smaller than 130 kB; a time within the last 72 hours. That the page's title may have
300, its referrer 420 and its URL 1,000 characters, and a user's id 256, is in *Event collection
limits* (https://support.google.com/analytics/answer/9267744).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import groupby
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from trackable.contrib.analytics import plain
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.options import Option, flag, text, token, url, whole
from trackable.contrib.analytics.services.base import Remark, Request, Response, Service, as_json
from trackable.contrib.analytics.services.ga4_events import Event, events_of
from trackable.contrib.analytics.services.ga4_names import (
    is_parameter_name,
    is_user_property_name,
)

GOOGLE: Final = "https://www.google-analytics.com"
MAX_EVENTS: Final = 25
MAX_PARAMETERS: Final = 25
MAX_USER_PROPERTIES: Final = 25
MAX_BODY_BYTES: Final = 130_000 - 1
MAX_VALUE_LENGTH: Final = 100
MAX_VALUE_LENGTH_360: Final = 500
MAX_USER_VALUE_LENGTH: Final = 36
MAX_USER_ID_LENGTH: Final = 256
#: parameters that may be longer than others
LONGER: Final = {"page_title": 300, "page_referrer": 420, "page_location": 1000}
#: "Must be two positive numbers, joined by a period", says the reference.
CLIENT_ID: Final = re.compile(r"[1-9][0-9]{0,18}\.[1-9][0-9]{0,18}")
CONSENT: Final = ("ad_user_data", "ad_personalization")
MAX_REMARKS: Final = 20


def _is_consent(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        key in CONSENT and choice in ("GRANTED", "DENIED") for key, choice in value.items()
    )


class GA4Service(Service):
    """Sends events as JSON: those of one visitor together, up to 25 a request."""

    name = "ga4"
    max_bulk = MAX_EVENTS
    max_age = timedelta(hours=72)
    has_debug = True
    options: ClassVar[Mapping[str, Option]] = {
        "measurement_id": token("a measurement id such as 'G-XXXXXXXXXX'"),
        "api_secret": token("a secret of the Measurement Protocol's", is_secret=True),
        "url": url(GOOGLE),
        "path": text("/mp/collect"),
        "debug_path": text("/debug/mp/collect"),
        "engagement_time_msec": whole(1, least=0, most=86_400_000),
        "is_360": flag(False),
        "consent": Option(
            {}, f"a dictionary of {' and '.join(CONSENT)}, 'GRANTED' or 'DENIED'", _is_consent
        ),
    }

    def requests_of(self, hits: Sequence[Hit], *, now: datetime) -> Iterator[Request]:
        # What is told of the visitor is told once a request.
        in_order = sorted(hits, key=lambda hit: (_visitor_key(hit), hit.happened_at))
        for _, group in groupby(in_order, key=_visitor_key):
            yield from self._requests_of_visitor([*group])

    def _requests_of_visitor(self, hits: list[Hit]) -> Iterator[Request]:
        about = self._about(hits[-1])
        room_bytes = MAX_BODY_BYTES - len(as_json({**about, "events": []}))
        taken: list[Hit] = []
        events: list[dict[str, Any]] = []
        size_bytes = 0
        for hit in hits:
            found = [self._event(hit, event, room_bytes) for event in events_of(hit)]
            more_bytes = sum(len(as_json(event)) + 1 for event in found)
            if taken and (
                len(events) + len(found) > MAX_EVENTS or size_bytes + more_bytes > room_bytes
            ):
                yield self._request(about, taken, events)
                taken, events, size_bytes = [], [], 0
            taken.append(hit)
            events += found
            size_bytes += more_bytes
        yield self._request(about, taken, events)

    def _request(
        self, about: dict[str, Any], hits: list[Hit], events: list[dict[str, Any]]
    ) -> Request:
        keys = {name: self.option(name) for name in ("measurement_id", "api_secret")}
        path = self.option("debug_path" if self.is_debug else "path")
        return self.post_json(f"{path}?{urlencode(keys)}", {**about, "events": events}, hits=hits)

    def _about(self, hit: Hit) -> dict[str, Any]:
        """Return what a request says of the visitor."""
        found = {
            "client_id": client_id(hit.client_id),
            "user_id": hit.user_id[:MAX_USER_ID_LENGTH],
            "ip_override": hit.address,
            "user_agent": hit.user_agent,
            "user_properties": self._user_properties(hit),
            "consent": dict(self.option("consent")),
            "validation_behavior": "ENFORCE_RECOMMENDATIONS" if self.is_debug else None,
        }
        return {key: value for key, value in found.items() if value}

    def _user_properties(self, hit: Hit) -> dict[str, Any]:
        named = {n: v for n, v in hit.user_properties.items() if is_user_property_name(n)}
        if len(named) < len(hit.user_properties):
            self.tell("user properties with names that GA4 does not take are left out")
        if len(named) > MAX_USER_PROPERTIES:
            self.tell(f"of more than {MAX_USER_PROPERTIES} user properties, the first are sent")
        found = list(named.items())[:MAX_USER_PROPERTIES]
        return {name: {"value": _value(each, MAX_USER_VALUE_LENGTH)} for name, each in found}

    def _event(self, hit: Hit, event: Event, room_bytes: int) -> dict[str, Any]:
        name, own = event
        found: dict[str, Any] = {
            "name": name,
            "params": self._parameters(hit, own),
            "timestamp_micros": round(hit.happened_at.timestamp() * 1_000_000),
        }
        while len(as_json(found)) > room_bytes and (items := found["params"].get("items")):
            self.tell("of an event of more than 130 kB, some items are left out")
            found["params"]["items"] = items[: len(items) // 2]
        return found

    def _parameters(self, hit: Hit, own: Mapping[str, Any]) -> dict[str, Any]:
        told = {
            "session_id": hit.session_id,
            "engagement_time_msec": self.option("engagement_time_msec"),
            "page_location": hit.location,
            "page_title": hit.title,
            "page_referrer": hit.referrer,
            **own,
            "language": hit.language,
            "screen_resolution": hit.screen_resolution,
        }
        sound = {n: v for n, v in hit.properties.items() if is_parameter_name(n)}
        if len(sound) < len(hit.properties):
            self.tell("properties with names that GA4 does not take are left out")
        found = [(n, v) for n, v in {**told, **sound, **told}.items() if v not in (None, "", [])]
        if len(found) > MAX_PARAMETERS:
            self.tell(f"of more than {MAX_PARAMETERS} parameters, the first are sent")
        return {name: self._shown(name, value) for name, value in found[:MAX_PARAMETERS]}

    def _shown(self, name: str, value: Any) -> Any:
        longest = MAX_VALUE_LENGTH_360 if self.option("is_360") else MAX_VALUE_LENGTH
        if isinstance(value, list):
            return [
                {key: _value(each, longest) for key, each in item.items()}
                for item in value
                if isinstance(item, dict)
            ]
        return _value(value, max(longest, LONGER.get(name, 0)))

    def may_repeat(self, status: int) -> bool:
        """No: "If you don't get a 2xx status code, ... don't retry the same request"."""
        return False

    def parse(self, response: Response) -> Iterator[Remark]:
        """Yield what the validation server says: *Validate events*, of the same guides."""
        answer = response.json() if self.is_debug else None
        if not isinstance(answer, dict) or "validationMessages" not in answer:
            return
        messages = answer["validationMessages"]
        found = messages if isinstance(messages, list) else []
        if not found:
            yield Remark(logging.DEBUG, "the events are valid")
        for each in found[:MAX_REMARKS]:
            if isinstance(each, dict):
                told = (each.get(key) for key in ("validationCode", "fieldPath", "description"))
                yield Remark(logging.WARNING, ", ".join(str(part) for part in told))


def client_id(text: str) -> str:
    """Return the two numbers that stand for a client id; those of gtag.js stay as they are."""
    if CLIENT_ID.fullmatch(text):
        return text
    digest = sha256(text.encode("utf-8", "replace")).digest()
    numbers = (int.from_bytes(part) % (2**31 - 1) + 1 for part in (digest[:8], digest[8:16]))
    return ".".join(str(each) for each in numbers)


def _visitor_key(hit: Hit) -> tuple[str, ...]:
    properties = sorted(f"{name}={value}" for name, value in hit.user_properties.items())
    return (hit.client_id, hit.user_id, hit.address, hit.user_agent, *properties)


def _value(value: Any, max_length: int) -> Any:
    """Return a value that GA4 takes: a number, or a text that is not too long."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    return plain.shown(value)[:max_length]
