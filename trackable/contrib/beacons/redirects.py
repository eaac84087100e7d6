"""Redirects: where a target is, and an answer that sends the visitor there and nowhere else.

Nothing of a request has a part in it. A path stays on this site, whatever it begins with: what
names another host has a scheme, ``http`` or ``https``, and is the project's own data.
"""

from __future__ import annotations

import logging
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from django.db.models import Model
from django.http import Http404, HttpResponse, HttpResponseRedirect, response
from django.utils.encoding import iri_to_uri
from django.utils.http import escape_leading_slashes

from trackable import notices
from trackable.gif import NEVER_CACHED

logger = logging.getLogger(__name__)

#: the methods of a target that may say where it is, the first one first
METHODS: Final = ("get_beacon_url", "get_absolute_url")
#: what Django redirects to: releases differ in the name, and older ones have no limit
MAX_URL_LENGTH: Final[int] = getattr(
    response, "MAX_URL_REDIRECT_LENGTH", getattr(response, "MAX_URL_LENGTH", 16_384)
)
#: Two slashes and a host follow the scheme: browsers read much else as if they did.
HTTP: Final = re.compile(r"https?://[^/?#]", re.IGNORECASE)
#: A host and a port, with any letters. A name before an ``@`` would pass for a host to people.
AUTHORITY: Final = re.compile(r"(?:[\w.:\[\]-]|%[89a-f][0-9a-f])+", re.ASCII | re.IGNORECASE)


def url_of(target: Model) -> str:
    """Return where the target is, in ASCII: a path of this site, or a URL of http or https.

    The first method that returns anything decides. Raises ``Http404`` if none does, or what it
    returns is no such address; that is logged, once an hour for each model.
    """
    for name in METHODS:
        if url := _call(target, name):
            if len(url) > MAX_URL_LENGTH:
                raise _nowhere(target, f"{name}() returned more than {MAX_URL_LENGTH} characters")
            if split(url) is None:
                raise _nowhere(target, f"{name}() returned neither a path nor a URL of http")
            return url
    raise Http404(f"This {target._meta.verbose_name} leads nowhere.")


def redirect(url: str) -> HttpResponse:
    """Return an answer that no cache keeps, so that each visit comes here.

    Takes what ``url_of`` returns, which Django refuses nothing of.
    """
    return uncached(HttpResponseRedirect(url))


def uncached(response: HttpResponse) -> HttpResponse:
    """Return the answer as one that no cache may keep."""
    for name, value in NEVER_CACHED.items():
        response[name] = value
    return response


def split(url: str) -> SplitResult | None:
    """Return the parts of a URL that a browser would read as Python does; ``None`` for others."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises for one that is none
    except ValueError:
        return None
    if url.startswith("/") and not parts.netloc:
        return parts
    is_whole = HTTP.match(url) and AUTHORITY.fullmatch(parts.netloc) and parts.hostname
    return parts if is_whole else None


def _call(target: Model, name: str) -> str | None:
    method = getattr(target, name, None)
    if not callable(method):
        return None
    try:
        found = method()
        return escape_leading_slashes(iri_to_uri(str(found).strip())) if found else None
    except Exception as error:  # a project's own code, or a string that is no text
        raise _nowhere(target, f"{name}() raised {type(error).__name__}") from error


def _nowhere(target: Model, why: str) -> Http404:
    cause = f"{target._meta.label}.{why}"
    if notices.is_news(f"beacons: {cause}"):
        logger.error("A visitor got no further: %s. The key is %a.", cause, str(target.pk)[:100])
    return Http404(f"This {target._meta.verbose_name} leads nowhere.")
