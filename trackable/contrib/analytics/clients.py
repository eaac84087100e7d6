"""Clients: who a visitor is, as far as a random id in a signed cookie tells.

The id says nothing about anybody, and ends with the browser's session unless the visitor has
accepted that it is kept: see ``consent``.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from django.core import signing

from trackable.contrib.analytics import conf, cookies, visits

if TYPE_CHECKING:
    from django.http import HttpRequest

ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KEY: Final = "cookie_name"
DAY_SECONDS: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Client:
    """A visitor's id, and the text of the cookie that carries it."""

    id: str
    text: str
    is_new: bool

    def session_id(self, now_seconds: float | None = None) -> str:
        """Return what is common to a visit: when it began, in seconds since 1970.

        That is when the id was signed, or the beginning of the day (UTC) if that is later. It
        needs no other cookie, and no writing of this one at each page.
        """
        now = int(time.time() if now_seconds is None else now_seconds)
        signed_at = signing.b62_decode(self.text.split(":")[1])
        return str(max(signed_at, now - now % DAY_SECONDS))


def of_request(request: HttpRequest) -> Client:
    """Return the visitor; one without a good cookie is new, and the same for all of a request."""
    visit = visits.of(request)
    if visit.client is None:
        visit.client = known(request) or new()
    return visit.client


def known(request: HttpRequest) -> Client | None:
    """Return the visitor whose cookie this site has signed; ``None`` if there is none."""
    text = cookies.text_of(request, KEY)
    found = cookies.verify(KEY, text, max_age_seconds=conf.get("cookie_max_age"))
    return Client(found, text, False) if found and ID.fullmatch(found) else None


def new() -> Client:
    """Return a visitor whom nobody knows."""
    name = str(uuid4())
    return Client(name, cookies.sign(KEY, name), True)
