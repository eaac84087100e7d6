"""Callback URLs: what a partner's URL must be, and how it is made a visitor's. Pure functions."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import quote

from trackable.contrib.affiliations import destinations
from trackable.contrib.affiliations.exceptions import InvalidCallBackURL

PLACEHOLDER: Final = "{visitor_id}"
#: Browsers and libraries that write URLs encode the braces.
WRITTEN: Final = re.compile(r"(?:\{|%7[Bb])visitor_id(?:\}|%7[Dd])")
MAX_LENGTH: Final = 2000


def validate(url: str) -> None:
    """Raise ``InvalidCallBackURL``, with the reason, unless a URL can be called for visitors.

    That it may be called is another matter, which is looked at with each call.
    """
    if len(url) > MAX_LENGTH:
        raise InvalidCallBackURL(f"The URL has more than {MAX_LENGTH} characters.")
    try:
        destination = destinations.parse(url)
    except destinations.Refused as error:
        raise InvalidCallBackURL(f"This cannot be called: {error}.") from error
    if not WRITTEN.search(destination.target):
        raise InvalidCallBackURL(f"The URL must have {PLACEHOLDER} in its path or its query.")


def for_visitor(url: str, visitor_id: Any) -> str:
    """Return a URL with the visitor's id, percent-encoded, for the placeholder.

    That may have been written with its braces percent-encoded.
    """
    text = quote(str(visitor_id), safe="")
    return WRITTEN.sub(lambda _: text, url)
