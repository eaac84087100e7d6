"""Counting: one line that counts a page view here, and tells services of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trackable.contrib.analytics import exclusions, tracking
from trackable.contrib.analytics.exceptions import AnalyticsError
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.reporting import report
from trackable.contrib.analytics.sending import asend, send
from trackable.messaging import send_increment_message

if TYPE_CHECKING:
    from django.db.models import Model
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from trackable.models import TrackableData

    Counter = tuple[Model | None, str | None, type[TrackableData] | None, Mapping[str, Any] | None]


def track_page_view(
    request: HttpRequest,
    obj: Model | None = None,
    field: str | None = None,
    *,
    data_cls: type[TrackableData] | None = None,
    options: Mapping[str, Any] | None = None,
    response: HttpResponseBase | None = None,
    **fields: Any,
) -> bool:
    """Count one on an object's counter, and send a page view; return whether it was counted.

    ``data_cls`` and ``options`` are those of ``send_increment_message``, ``fields`` those of a
    ``Hit``, such as ``title`` or ``properties``. Without an object, nothing is counted. With the
    middleware the page view is sent when there is a response, once, whatever page that is.
    Without, it is sent now, and ``response`` gets the cookie of a visitor who is new.

    Crawlers and one's own visits are neither counted nor sent. A visitor who refuses is counted,
    as that tells nobody who it was. Raises what ``send_increment_message`` does.
    """
    is_counted, hits = _seen(request, (obj, field, data_cls, options), response, fields)
    for hit in hits:
        send(hit)
    return is_counted


async def atrack_page_view(
    request: HttpRequest,
    obj: Model | None = None,
    field: str | None = None,
    *,
    data_cls: type[TrackableData] | None = None,
    options: Mapping[str, Any] | None = None,
    response: HttpResponseBase | None = None,
    **fields: Any,
) -> bool:
    """Do the same from a coroutine."""
    is_counted, hits = _seen(request, (obj, field, data_cls, options), response, fields)
    for hit in hits:
        await asend(hit)
    return is_counted


def _seen(
    request: HttpRequest,
    counter: Counter,
    response: HttpResponseBase | None,
    fields: Mapping[str, Any],
) -> tuple[bool, list[Hit]]:
    """Count a page view, and return whether it was counted and what is to be sent of it."""
    if any(_is_own(request)):
        return False, []
    obj, field, data_cls, options = counter
    is_counted = False
    if obj is not None and field is not None:
        is_counted = send_increment_message(request, obj, field, data_cls, options)
    elif obj is not None or field is not None:
        wanted = "Pass an object and the name of its counter, or neither of them."
        report("A page view was not counted", AnalyticsError(wanted))
    return is_counted, tracking.wanted_page(request, response, fields)


@tracking.at_the_edge
def _is_own(request: HttpRequest) -> list[bool]:
    return [exclusions.is_own(request)]
