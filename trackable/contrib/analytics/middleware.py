"""The middleware: tells of each page when its response is made, and sets the visitor's cookie."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from trackable.contrib.analytics import tracking, visits
from trackable.contrib.analytics.sending import asend, send


class PageViewMiddleware:
    """Sends a page view for each page, and an exception for failures if the settings say so.

    To stand below what caches or compresses whole pages, and above everything whose responses are
    to be seen.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        visits.of(request).is_awaited = True
        if self._is_async:
            return self._serve_async(request)
        response: HttpResponseBase = self.get_response(request)
        for hit in tracking.conclude(request, response):
            send(hit)
        return response

    async def _serve_async(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = await self.get_response(request)
        for hit in tracking.conclude(request, response):
            await asend(hit)
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> None:
        """Remember what a view raised; Django makes the response."""
        visits.of(request).failure = type(exception).__name__
