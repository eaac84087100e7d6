"""Decorators: a function whose calls are events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from inspect import isawaitable
from typing import Any, TypeVar, cast

from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from trackable.contrib.analytics import tracking, visits
from trackable.contrib.analytics.exceptions import AnalyticsError
from trackable.contrib.analytics.hits import EVENT, Hit
from trackable.contrib.analytics.reporting import report
from trackable.contrib.analytics.sending import asend, send

View = TypeVar("View", bound=Callable[..., Any])


def track_event(
    category: str,
    action: str,
    label: str | None = None,
    value: float | None = None,
    *,
    properties: Mapping[str, Any] | None = None,
    is_interaction: bool = True,
) -> Callable[[View], View]:
    """Send an event after each call of a view, or of a method of a class-based one.

    The function may be sync or async, and have the request as its first argument, or ``self`` with
    a ``request``. No event is sent if it raises. ``properties`` are names and values of one's own.

    Raises ``HitError`` for values that no event can have.
    """
    values = {"category": category, "action": action, "label": label, "value": value}
    fields: dict[str, Any] = {"properties": properties or {}, "is_interaction": is_interaction}
    Hit(kind=EVENT, client_id="", values=values, **fields)  # says now what would be wrong later
    return _Event(values, fields)


@dataclass(frozen=True, slots=True)
class _Event:
    """Decorates functions whose calls are this event."""

    values: dict[str, Any]
    fields: dict[str, Any]

    def __call__(self, function: View) -> View:
        if iscoroutinefunction(function):

            @wraps(function)
            async def answer_async(*args: Any, **kwargs: Any) -> Any:
                return await self._after(function(*args, **kwargs), args, kwargs)

            return cast("View", answer_async)

        @wraps(function)
        def answer(*args: Any, **kwargs: Any) -> Any:
            result = function(*args, **kwargs)
            if isawaitable(result):
                return self._after(result, args, kwargs)
            for hit in self._hits(result, args, kwargs):
                send(hit)
            return result

        return cast("View", answer)

    async def _after(self, awaited: Awaitable[Any], args: Any, kwargs: Any) -> Any:
        result = await awaited
        for hit in self._hits(result, args, kwargs):
            await asend(hit)
        return result

    @tracking.at_the_edge
    def _hits(self, result: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Hit]:
        request = _request_of(args, kwargs)
        if request is None:
            what = f"The event {self.values['category']!a:.80} has no request"
            report(what, AnalyticsError(f"{what}: decorate a view, or a method of a view."))
            return []
        response = result if isinstance(result, HttpResponseBase) else None
        return tracking.of_kind(request, EVENT, self.values, response=response, fields=self.fields)


def _request_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> HttpRequest | None:
    """Return the request among the arguments of a view, or that of the view itself."""
    for found in (*args[:2], kwargs.get("request"), getattr([*args, None][0], "request", None)):
        if isinstance(request := visits.bare(found), HttpRequest):
            return request
    return None
