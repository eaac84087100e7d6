"""Telling: hits of any kind, sent from a view, if the visitor may be told of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trackable.contrib.analytics import tracking
from trackable.contrib.analytics.sending import asend, send

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase


def tell(
    request: HttpRequest,
    kind: str,
    *,
    response: HttpResponseBase | None = None,
    fields: Mapping[str, Any] | None = None,
    **values: Any,
) -> None:
    """Send a hit of a kind: ``tell(request, "transaction", transaction_id="7", revenue=12)``.

    ``values`` are those of the kind, ``fields`` other fields of the ``Hit``. Without the
    middleware, ``response`` gets the cookie of a visitor who is new. Sends nothing of crawlers,
    one's own visits, and visitors who refuse. A wrong kind or value raises ``HitError`` under
    ``DEBUG``, and is else logged.
    """
    for hit in tracking.of_kind(request, kind, values, response=response, fields=fields or {}):
        send(hit)


async def atell(
    request: HttpRequest,
    kind: str,
    *,
    response: HttpResponseBase | None = None,
    fields: Mapping[str, Any] | None = None,
    **values: Any,
) -> None:
    """Do the same from a coroutine."""
    for hit in tracking.of_kind(request, kind, values, response=response, fields=fields or {}):
        await asend(hit)
