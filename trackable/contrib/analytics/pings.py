"""Pings: what only a browser knows of its visitor, and what it has to show for being believed.

A page carries a token that this site has signed, with the page's URL in it. So nobody can tell of
pages that are not ours, and no other site has its visitors tell of ours. The token can be used
again until it is too old: a page that is shown from a cache pings too.
"""

from __future__ import annotations

import json
import logging
import re
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from django.core.exceptions import DisallowedHost
from django.core.signing import BadSignature, TimestampSigner

from trackable.contrib.analytics import clients, conf, observing, tracking
from trackable.contrib.analytics.hits import EVENT, Hit
from trackable.contrib.analytics.plain import MAX_TEXT_LENGTH
from trackable.contrib.analytics.titles import MAX_LENGTH as MAX_TITLE_LENGTH

if TYPE_CHECKING:
    from django.http import HttpRequest

logger = logging.getLogger(__name__)

SALT: Final = "trackable.contrib.analytics.pings"
MAX_BYTES: Final = 8192
MAX_TOKEN_LENGTH: Final = 4096
MAX_PARAMETERS: Final = 20

SIZE: Final = re.compile(r"[1-9][0-9]{0,4}x[1-9][0-9]{0,4}")
COLORS: Final = re.compile(r"([1-9][0-9]?)(?:-bits?)?")

SIGNED: Final = "s"
RESOLUTION, VIEWPORT, DEPTH, LANGUAGE, TITLE = "r", "v", "c", "l", "t"


def token_of(request: HttpRequest) -> str:
    """Return what the page of a request needs for its ping; ``""`` if the host is none of ours."""
    try:
        location = observing.location_of(request)[:MAX_TEXT_LENGTH]
    except DisallowedHost:
        return ""
    return TimestampSigner(salt=SALT).sign_object(location, compress=True)


def location_of(token: str) -> str | None:
    """Return the URL that a token was made for; ``None`` if it was not, or too long ago."""
    if not token or len(token) > MAX_TOKEN_LENGTH:
        return None
    try:
        found = TimestampSigner(salt=SALT).unsign_object(token, max_age=conf.get("ping_max_age"))
    except (BadSignature, ValueError, zlib.error):
        return None
    return found if isinstance(found, str) else None


@tracking.at_the_edge
def hits_of(request: HttpRequest, said: Mapping[str, str]) -> list[Hit]:
    """Return what a ping tells: nothing without a good token, of nobody, or of nothing."""
    location = location_of(said.get(SIGNED, ""))
    fields = _fields_of(said)
    reason = (
        ("its token is none, or too old" if location is None else "")
        or ("it says nothing" if not fields else "")
        or ("its visitor has no cookie" if clients.known(request) is None else "")
        or ("its visitor is not to be told of" if not tracking.is_to_be_told(request) else "")
    )
    if reason:
        logger.debug("A ping was passed over: %s.", reason)
        return []
    page = {"location": location, "referrer": "", "is_interaction": False}
    values = {name: conf.google(f"ping_{name}") for name in ("category", "action", "label")}
    return [observing.hit_of_request(request, EVENT, fields={**fields, **page}, **values)]


def said_in_query(request: HttpRequest) -> dict[str, str]:
    """Return the parameters of a URL."""
    return _parameters(request.META.get("QUERY_STRING", ""))


def said_in_body(request: HttpRequest) -> dict[str, str]:
    """Return the parameters of a body, JSON or a form; of anything else, none."""
    try:
        if not 0 < int(request.META.get("CONTENT_LENGTH") or 0) <= MAX_BYTES:
            return {}
        text = request.body.decode("utf-8", "replace")
        return _texts(json.loads(text)) if text.lstrip()[:1] == "{" else _parameters(text)
    except Exception:  # the visitor's: cut off, read before, or not what it says it is
        return {}


def _parameters(text: str) -> dict[str, str]:
    if len(text) > MAX_BYTES:
        return {}
    try:
        return dict(parse_qsl(text, max_num_fields=MAX_PARAMETERS))
    except ValueError:
        return {}


def _texts(found: Any) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {key: str(value) for key, value in found.items() if isinstance(value, str | int)}


def _fields_of(said: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a hit that a ping fills, each of the form that it should have."""
    depth = COLORS.fullmatch(said.get(DEPTH, ""))
    found = {
        "screen_resolution": _size(said.get(RESOLUTION, "")),
        "viewport_size": _size(said.get(VIEWPORT, "")),
        "screen_colors": f"{depth[1]}-bits" if depth else "",
    }
    about = {
        "language": observing.language_of(said.get(LANGUAGE, "")),
        "title": " ".join(said.get(TITLE, "")[:MAX_TITLE_LENGTH].split()),
    }
    known = {name: value for name, value in found.items() if value}
    return {**known, **{name: value for name, value in about.items() if value}} if known else {}


def _size(text: str) -> str:
    return text if SIZE.fullmatch(text) else ""
