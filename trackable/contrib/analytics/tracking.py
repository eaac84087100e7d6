"""Tracking: which hits a request makes, and the cookies that go with them.

Everything here makes hits and sends none, so that middleware, views and decorators can do that
with or without an event loop. Nothing here raises, but errors of the program under ``DEBUG``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from http.client import responses
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from django.core.exceptions import DisallowedHost

from trackable.contrib.analytics import consent, exclusions, observing, visits
from trackable.contrib.analytics.hits import EXCEPTION, PAGEVIEW, Hit
from trackable.contrib.analytics.reporting import report

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

P = ParamSpec("P")
T = TypeVar("T")


def at_the_edge(function: Callable[P, list[T]]) -> Callable[P, list[T]]:
    """Return a function that returns nothing, in a list, instead of raising."""

    @wraps(function)
    def answer(*args: P.args, **kwargs: P.kwargs) -> list[T]:
        try:
            return function(*args, **kwargs)
        except DisallowedHost:  # anybody can ask for any host
            return []
        except Exception as error:
            report("A visit was not told of", error)
            return []

    return answer


@at_the_edge
def conclude(request: HttpRequest, response: HttpResponseBase) -> list[Hit]:
    """Return what a request whose response is made has to tell, and set the response's cookies."""
    hits = _told(request, response)
    _settle(request, response)
    return hits


@at_the_edge
def _told(request: HttpRequest, response: HttpResponseBase) -> list[Hit]:
    visit, hits = visits.of(request), list[Hit]()
    if visit.wanted is not None or (not visit.is_told and exclusions.is_page(request, response)):
        hits += _page_view(request, response, visit.wanted)
    if exclusions.is_failure(request, response):
        hits += _failure(request, response)
    return hits


@at_the_edge
def _settle(request: HttpRequest, response: HttpResponseBase) -> list[Hit]:
    """Set the cookies by itself, so that a refusal is carried out whatever else fails."""
    consent.settle(request, response)
    return []


@at_the_edge
def page_of_view(request: HttpRequest, response: HttpResponseBase) -> list[Hit]:
    """Return the page view of a view's response, if the middleware will not see to it."""
    visit = visits.of(request)
    if visit.is_awaited or visit.is_told or not exclusions.is_page(request, response):
        return []
    hits = _seen(request, response, None)
    _settle(request, response)
    return hits


@at_the_edge
def wanted_page(
    request: HttpRequest, response: HttpResponseBase | None, fields: Mapping[str, Any]
) -> list[Hit]:
    """Return a page view that is wanted; nothing if the middleware will see to it."""
    visit = visits.of(request)
    if visit.is_awaited:
        visit.wanted = dict(fields)
        return []
    hits = _seen(request, response, fields)
    if response is not None:
        _settle(request, response)
    return hits


@at_the_edge
def of_kind(
    request: HttpRequest,
    kind: str,
    values: Mapping[str, Any],
    *,
    response: HttpResponseBase | None,
    fields: Mapping[str, Any],
) -> list[Hit]:
    """Return a hit of any kind, whatever page it happened on."""
    hits = at_the_edge(_hits)(request, kind, None, fields, values)
    if response is not None and not visits.of(request).is_awaited:
        _settle(request, response)
    return hits


def is_to_be_told(request: HttpRequest) -> bool:
    """Tell whether services may be told of a request: of no crawlers, nor one's own visits."""
    return (
        not exclusions.is_own(request)
        and not exclusions.is_crawler(request)
        and consent.allows(request)
    )


@at_the_edge
def _seen(
    request: HttpRequest, response: HttpResponseBase | None, fields: Mapping[str, Any] | None
) -> list[Hit]:
    return _page_view(request, response, fields)


def _page_view(
    request: HttpRequest,
    response: HttpResponseBase | None,
    fields: Mapping[str, Any] | None,
) -> list[Hit]:
    visits.of(request).is_told, visits.of(request).wanted = True, None
    return _hits(request, PAGEVIEW, response, fields or {}, {})


def _failure(request: HttpRequest, response: HttpResponseBase) -> list[Hit]:
    """Return a failure by the class of the exception, as there may be anything in its message."""
    status = response.status_code
    phrase = responses.get(status, str(status))
    description = phrase if status == 404 else visits.of(request).failure or phrase
    values = {"description": description, "fatal": status >= 500}
    return _hits(request, EXCEPTION, None, {}, values)


def _hits(
    request: HttpRequest,
    kind: str,
    response: HttpResponseBase | None,
    fields: Mapping[str, Any],
    values: Mapping[str, Any],
) -> list[Hit]:
    if not is_to_be_told(request):
        return []
    return [observing.hit_of_request(request, kind, response=response, fields=fields, **values)]
