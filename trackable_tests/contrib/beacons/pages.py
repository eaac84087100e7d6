"""The pages of a site, of every kind that Django has, with beacons that lead to them."""

from collections.abc import Iterator
from functools import wraps
from itertools import count
from typing import Any

from django.conf.urls.i18n import i18n_patterns
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.middleware.csrf import get_token
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import include, path
from django.views.decorators.cache import cache_page
from django.views.decorators.http import etag
from django.views.generic import View

from trackable.contrib.beacons.views import trigger
from trackable_tests.contrib.campaigns.models import ExternalLink, Ticket

serials = count(1)


def told(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """Tell what the view is given."""
    match = request.resolver_match
    said = {
        "path": request.path,
        "path_info": request.path_info,
        "full": request.get_full_path(),
        "get": request.GET.urlencode(),
        "name": match.url_name if match else None,
        "meta": [request.META["PATH_INFO"], request.META["QUERY_STRING"]],
        "kwargs": kwargs,
    }
    return JsonResponse(said)


async def told_later(request: HttpRequest) -> HttpResponse:
    return told(request)


class Told(View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return told(request)


def page(request: HttpRequest) -> HttpResponse:
    template = engines["django"].from_string("page of {{ path }} {{ serial }}")
    return TemplateResponse(request, template, {"path": request.path, "serial": next(serials)})


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[str]:
        yield "page of "
        yield request.path

    return StreamingHttpResponse(parts())


def absent(request: HttpRequest) -> HttpResponse:
    raise Http404


def undone(request: HttpRequest) -> HttpResponse:
    Ticket.objects.create()
    raise Http404


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def with_cookies(request: HttpRequest) -> HttpResponse:
    request.session["seen"] = True
    return HttpResponse(get_token(request), headers={"Referrer-Policy": "no-referrer"})


def through(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """Record a beacon, as a view of the project's own."""
    return trigger(request, ExternalLink, **kwargs)


def decorated(view: Any) -> Any:
    @wraps(view)
    def answer(*args: Any, **kwargs: Any) -> HttpResponse:
        return view(*args, **kwargs)

    return answer


def lost(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse("lost", status=404)


handler404 = lost

urlpatterns = [
    path("go/<str:target_id>/", trigger, {"target_type": ExternalLink}),
    path("go-too/<str:target_id>/", decorated(trigger), {"target_type": ExternalLink}),
    path("through/<str:target_id>/", through),
    path("through-alone/<str:target_id>/", transaction.non_atomic_requests(decorated(through))),
    path("b/", include("trackable.contrib.beacons.urls")),
    path("told/", told, name="told"),
    path("told/<path:rest>/", told, {"extra": 1}, name="told-more"),
    path("later/", told_later),
    path("class/", Told.as_view()),
    path("page/", page),
    path("cached/", cache_page(60)(page)),
    path("tagged/", etag(lambda _: '"1"')(told)),
    path("streamed/", streamed),
    path("absent/", absent),
    path("undone/", undone),
    path("forbidden/", forbidden),
    path("cookies/", with_cookies),
    path("moved/", lambda _: HttpResponseRedirect("/page/")),
    path("alone/", transaction.non_atomic_requests(decorated(told))),
    *i18n_patterns(path("words/", told, name="words"), prefix_default_language=False),
    path("<str:anything>/<str:more>/", told, name="anything"),
]
