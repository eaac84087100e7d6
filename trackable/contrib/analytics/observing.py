"""Observing: the hit of a request, with what the request says and no more than may be told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django.utils.functional import Promise

from trackable import addresses
from trackable.contrib.analytics import clients, conf, titles, visits
from trackable.contrib.analytics.hits import PAGEVIEW, Hit
from trackable.contrib.analytics.redaction import redact_text, redact_url

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from trackable.contrib.analytics.parameters import PageViewParameters, SessionParameters

LANGUAGE: Final = re.compile(r"[a-z]{1,8}(?:-[a-z0-9]{1,8}){0,3}")
SCHEMES: Final = frozenset({"http", "https", "android-app"})
#: parameter of a session -> field of a hit
SESSION_FIELDS: Final = {
    "client_id": "client_id",
    "ip_override": "address",
    "user_agent_override": "user_agent",
    "document_referrer": "referrer",
    "user_language": "language",
}
#: fields that are redacted, by whomever they are given
REDACTED: Final = {
    "location": redact_url,
    "referrer": redact_url,
    "title": redact_text,
    "user_agent": redact_text,
}
MAX_LANGUAGE_LENGTH: Final = 100
MAX_AGENT_LENGTH: Final = 1000


def hit_of_request(
    request: HttpRequest,
    kind: str = PAGEVIEW,
    *,
    response: HttpResponseBase | None = None,
    fields: Mapping[str, Any] | None = None,
    **values: Any,
) -> Hit:
    """Return a hit with what a request says; a response adds the title of the page.

    ``values`` are those of the kind, ``fields`` other fields of the hit, which win. Raises
    ``HitError`` for values or fields that do not fit, and ``DisallowedHost``.
    """
    request, given = visits.bare(request), dict(fields or {})
    if response is not None and not given.get("title"):
        given["title"] = titles.get_title(response)
    location = location_of(request)  # first: who asks for another host gets no cookie
    client = clients.of_request(request)
    seen = {
        "client_id": client.id,
        "session_id": client.session_id(),
        "location": location,
        "referrer": referrer_of(request),
        "address": address_of(request),
        "user_agent": _redacted(request.headers.get("User-Agent", "")[:MAX_AGENT_LENGTH]),
        "language": language_of(request.headers.get("Accept-Language", "")),
    }
    return Hit(kind=kind, values=values, **{**seen, **_clean(given)})


def _clean(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields that are told in place of the request's, without what they are not to have."""
    if not conf.get("redact"):
        return dict(given)
    found = dict(given)
    for name, redact in REDACTED.items():
        if isinstance(value := given.get(name), str | Promise):
            found[name] = redact(str(value))
    return found


def location_of(request: HttpRequest) -> str:
    """Return the URL of the page that a request is for. Raises ``DisallowedHost``."""
    url = f"{request.scheme}://{request.get_host()}{request.get_full_path()}"
    return redact_url(url) if conf.get("redact") else url


def referrer_of(request: HttpRequest) -> str:
    """Return the URL of the page that led here; ``""`` for what is none."""
    url: str = request.headers.get("Referer", "")
    try:
        if urlsplit(url).scheme not in SCHEMES:
            return ""
    except ValueError:
        return ""
    return redact_url(url) if conf.get("redact") else url


def address_of(request: HttpRequest) -> str:
    """Return the visitor's address: without what tells subscribers apart, unless that is off."""
    address = addresses.of_request(request)
    if address is None:
        return ""
    return str(addresses.anonymised(address) if conf.get("anonymize_ip") else address)


def language_of(header: str) -> str:
    """Return the first language that a browser asks for, such as ``"en-gb"``."""
    first = re.split("[,;]", header[:MAX_LANGUAGE_LENGTH], maxsplit=1)[0].strip().lower()
    return first if LANGUAGE.fullmatch(first) else ""


def get_default_parameters(
    request: HttpRequest, response: HttpResponseBase | None = None
) -> tuple[PageViewParameters, SessionParameters]:
    """Return what a request says as parameters of the Measurement Protocol.

    For hits that are built from scratch. A response gets the cookie of a visitor who is new.
    """
    from trackable.contrib.analytics import consent
    from trackable.contrib.analytics.parameters import PageViewParameters, SessionParameters

    hit = hit_of_request(request, response=response)
    if response is not None:
        consent.settle(request, response)
    page = PageViewParameters.fitting(location_url=hit.location, title=hit.title or None)
    told = {name: getattr(hit, field) or None for name, field in SESSION_FIELDS.items()}
    return page, SessionParameters.fitting(**told)


def _redacted(text: str) -> str:
    return redact_text(text) if conf.get("redact") else text
