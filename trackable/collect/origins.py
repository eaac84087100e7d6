"""Origins: whether a request was sent by a page of this site, as browsers tell."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.core.exceptions import DisallowedHost

from trackable import conf

if TYPE_CHECKING:
    from django.http import HttpRequest


def is_own(request: HttpRequest) -> bool:
    """Tell whether a page of this site, or of ``TRACKABLE_COLLECT_ORIGINS``, sent the request.

    A browser says so in ``Sec-Fetch-Site``, and one from before 2023 in ``Origin``. A request
    with neither comes from no browser.
    """
    if request.headers.get("Sec-Fetch-Site") == "same-origin":
        return True
    origin = request.headers.get("Origin", "")
    if origin in conf.get("COLLECT_ORIGINS"):
        return True
    return "Sec-Fetch-Site" not in request.headers and _is_of_host(origin, request)


def _is_of_host(origin: str, request: HttpRequest) -> bool:
    """The scheme is left out: a proxy in front of this site may not tell it."""
    try:
        return bool(origin) and urlsplit(origin).netloc == request.get_host()
    except (ValueError, DisallowedHost):
        return False
