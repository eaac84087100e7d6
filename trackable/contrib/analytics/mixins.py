"""Mixins: a class-based view that tells of its pages, where the middleware is not installed."""

from __future__ import annotations

from collections.abc import Awaitable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.generic import View

from trackable.contrib.analytics import tracking
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.sending import asend, send

if TYPE_CHECKING:
    ViewBase = View
else:
    ViewBase = object


class PageViewMixin(ViewBase):
    """Sends a page view for each page of a view, sync or async. To come before ``View``.

    With the middleware it does nothing, as that sends the same.
    """

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = super().dispatch(request, *args, **kwargs)
        if isawaitable(response):
            return _after(request, response)
        for hit in _now(response, tracking.page_of_view(request, response)):
            send(hit)
        return response


async def _after(request: HttpRequest, awaited: Awaitable[Any]) -> HttpResponseBase:
    response: HttpResponseBase = await awaited
    for hit in _now(response, tracking.page_of_view(request, response)):
        await asend(hit)
    return response


def _now(response: Any, hits: list[Hit]) -> list[Hit]:
    """Return what is to be sent now: nothing while there is no page, as there may be none."""
    if not hits or getattr(response, "is_rendered", True):
        return hits

    def send_all(_: Any) -> None:
        for hit in hits:
            send(hit)

    response.add_post_render_callback(send_all)
    return []
