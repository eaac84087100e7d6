"""Views: ``track_object`` counts a visit to an object and sends the visitor on to it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from django.conf import settings
from django.core.exceptions import DisallowedRedirect, ObjectDoesNotExist, ValidationError
from django.db import DataError
from django.db.models import Manager, Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from trackable.exceptions import TrackableError
from trackable.messaging import send_increment_message

if TYPE_CHECKING:
    from trackable.models import TrackableData

logger = logging.getLogger(__name__)

HTML: Final = "text/html"
JSON: Final = "application/json"

Objects = type[Model] | Manager[Any] | QuerySet[Any]


class Emitter(Protocol):
    """What ``track_object`` emits by: ``send_increment_message`` or its like."""

    def __call__(
        self,
        request: HttpRequest,
        obj: Model,
        field_name: str,
        /,
        data_cls: type[TrackableData] | None = ...,
        options: dict[str, Any] | None = ...,
    ) -> object: ...


@never_cache
@csrf_exempt  # a beacon cannot send a token, and a GET counts just as well
@require_http_methods(["GET", "HEAD", "POST"])
def track_object(
    request: HttpRequest,
    queryset: Objects,
    message_op: str,
    message_func: Emitter = send_increment_message,
    trackable_cls: type[TrackableData] | None = None,
    url_field: str | None = None,
    redirect_func: Callable[[Any, dict[str, Any]], str] | None = None,
    object_id: Any = None,
    slug: str | None = None,
    slug_field: str = "slug",
    **options: Any,
) -> HttpResponse:
    """Emit by ``message_func`` on the counter ``message_op`` of an object, then redirect to it.

    The object is the one of ``queryset`` (or a model, or a manager) with this ``object_id`` or
    ``slug``; 404 if there is none. The redirect goes to what ``redirect_func(obj, options)``
    returns, else to the value of ``url_field``, else to ``get_absolute_url()``. A script gets
    ``true`` as JSON instead: see ``is_script``. ``options`` go along with the message. A HEAD
    is not counted.

    Raises ``TrackableError`` if the URLconf names no object, or the object has no URL.
    """
    obj = _find(queryset, object_id, slug, slug_field)
    if is_script(request):
        response: HttpResponse = JsonResponse(True, safe=False)
    else:
        response = _redirect(_url_of(obj, url_field, redirect_func, options))
    if request.method != "HEAD":
        _emit(message_func, request, obj, message_op, trackable_cls, options)
    return response


def is_script(request: HttpRequest) -> bool:
    """Tell whether a script asks, which wants no redirect.

    ``fetch``, ``XMLHttpRequest`` and ``sendBeacon`` say so in ``Sec-Fetch-Dest``, libraries in
    ``X-Requested-With``, anybody by preferring JSON in ``Accept``. Who takes anything gets a
    redirect for a GET, and JSON for a POST: so do beacons of browsers that say nothing.
    """
    if request.headers.get("X-Requested-With") == "XMLHttpRequest":
        return True
    if request.headers.get("Sec-Fetch-Dest") == "empty":
        return True
    offered = [JSON, HTML] if request.method == "POST" else [HTML, JSON]
    return request.get_preferred_type(offered) == JSON


def _find(objects: Objects, object_id: Any, slug: str | None, slug_field: str) -> Any:
    if object_id is not None:
        lookup = {"pk": object_id}
    elif slug is not None:
        lookup = {slug_field: slug}
    else:
        raise TrackableError(
            "track_object() got neither object_id nor slug: capture one of them in the URL pattern."
        )
    queryset = objects.all() if isinstance(objects, Manager | QuerySet) else _all_of(objects)
    if any("\0" in str(value) for value in lookup.values()):
        raise Http404("No database stores such a value.")
    try:
        return queryset.get(**lookup)
    except (ObjectDoesNotExist, DataError, OverflowError, ValidationError, ValueError) as error:
        raise Http404(f"There is no such {queryset.model._meta.verbose_name}.") from error


def _all_of(model: type[Model]) -> QuerySet[Any]:
    return model._default_manager.all()


def _url_of(
    obj: Any,
    url_field: str | None,
    redirect_func: Callable[[Any, dict[str, Any]], str] | None,
    options: dict[str, Any],
) -> str:
    if redirect_func is not None:
        return redirect_func(obj, dict(options))
    if url_field and (value := getattr(obj, url_field)):
        return str(getattr(value, "url", value))  # a file has a name, and a URL besides
    if hasattr(obj, "get_absolute_url") and (url := obj.get_absolute_url()):
        return str(url)
    if url_field or hasattr(obj, "get_absolute_url"):
        raise Http404(f"This {obj._meta.verbose_name} leads nowhere.")
    raise TrackableError(
        f"{obj._meta.label} has no URL to redirect to: define get_absolute_url(), or pass"
        " url_field or redirect_func to track_object()."
    )


def _redirect(url: str) -> HttpResponse:
    try:
        return HttpResponseRedirect(url)
    except ValueError as error:
        raise DisallowedRedirect(f"{url[:200]!r} is no URL.") from error


def _emit(
    message_func: Emitter,
    request: HttpRequest,
    obj: Model,
    message_op: str,
    trackable_cls: type[TrackableData] | None,
    options: dict[str, Any],
) -> None:
    try:
        message_func(request, obj, message_op, data_cls=trackable_cls, options=dict(options))
    except Exception as error:
        if settings.DEBUG and isinstance(error, TrackableError):
            raise
        logger.exception("A visit to %s was not counted.", obj._meta.label)
