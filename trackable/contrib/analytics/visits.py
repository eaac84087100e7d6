"""Visits: what is known of a request while it is answered, kept on the request itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from django.http import HttpRequest

    from trackable.contrib.analytics.clients import Client

ATTRIBUTE: Final = "_trackable_visit"


@dataclass(slots=True)
class Visit:
    """One request's: nothing of it outlives the response."""

    #: who it is, once somebody had to know
    client: Client | None = None
    #: what the visitor has decided in this request
    decision: str = ""
    #: The middleware will tell of the page, and set the cookies, when there is a response.
    is_awaited: bool = False
    #: The page was told of.
    is_told: bool = False
    #: what ``track_page_view`` wants told of the page, as fields of its hit
    wanted: dict[str, Any] | None = None
    #: the class of what the view raised
    failure: str = ""


def of(request: HttpRequest) -> Visit:
    """Return the visit of a request, which others may have wrapped."""
    request = bare(request)
    visit: Visit | None = request.__dict__.get(ATTRIBUTE)
    if visit is None:
        visit = Visit()
        request.__dict__[ATTRIBUTE] = visit
    return visit


def bare(request: Any) -> Any:
    """Return Django's own request, where a framework's holds it."""
    return getattr(request, "_request", request)
