"""The middleware: makes visitors of those whom partners send, and has the request at hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.cache import add_never_cache_headers

from trackable.contrib.affiliations import conf, current, querystrings, sessions, visitors
from trackable.contrib.affiliations.paths import path_of
from trackable.contrib.affiliations.querystrings import Stripped
from trackable.contrib.affiliations.reporting import report
from trackable.contrib.affiliations.requests import know_visitor

Answer = HttpResponse | Awaitable[HttpResponse]

METHODS: Final = frozenset({"GET", "HEAD"})


class AffiliateVisitorsRegistrationMiddleware:
    """Sets ``request.affiliate_visitor``, and answers a GET with a partner's uid by a redirect.

    That goes to the same URL without the uid, whether there is such a partner or not. Any other
    request costs no query, unless its visitor is asked for. To stand below the session's
    middleware.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Answer:
        know_visitor(request)
        if self._is_async:
            return self._serve_async(request)
        if found := _stripped(request):
            return _answer(request, found)
        with current.serving(request):
            response: HttpResponse = self.get_response(request)
        sessions.settle(request)
        return response

    async def _serve_async(self, request: HttpRequest) -> HttpResponse:
        if found := _stripped(request):
            return await sync_to_async(_answer)(request, found)
        with current.serving(request):
            response: HttpResponse = await self.get_response(request)
        sessions.settle(request)
        return response


def _stripped(request: HttpRequest) -> Stripped | None:
    """Return what is to be left of the query, ``None`` for a request that is to pass."""
    if request.method not in METHODS:
        return None
    return querystrings.strip(_query_of(request), conf.get("QUERY_STRING_KEY"))


def _query_of(request: HttpRequest) -> bytes:
    """Return the query as the browser sent it: WSGI has made a letter of each byte."""
    query: str = request.META.get("QUERY_STRING", "")
    if isinstance(request, WSGIRequest):
        try:
            return query.encode("latin-1")
        except UnicodeEncodeError:
            pass  # a test's
    return query.encode("utf-8", "surrogatepass")


def _answer(request: HttpRequest, found: Stripped) -> HttpResponse:
    location = "?".join(filter(None, [path_of(request), found.rest]))
    if request.method == "GET" and found.uids:
        try:
            visitors.refer(request, found.uids, location)
        except Exception as error:  # the edge of the request
            report("A visitor was not registered", error)
    response = HttpResponseRedirect("")
    response["Location"] = location  # as it is: the class would quote, and refuse a long one
    add_never_cache_headers(response)
    return response
