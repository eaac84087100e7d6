"""The pages of a site that is tracked, and a browser that visits them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

from asgiref.sync import async_to_sync
from django.core.exceptions import PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.template import engines
from django.template.response import TemplateResponse
from django.test import AsyncClient, Client
from django.urls import include, path
from django.views.decorators.cache import cache_page
from django.views.generic import View

from trackable.contrib.analytics import consent
from trackable.contrib.analytics.counting import track_page_view
from trackable.contrib.analytics.decorators import track_event
from trackable.contrib.analytics.hits import Hit
from trackable.contrib.analytics.mixins import PageViewMixin
from trackable.contrib.analytics.testing import capture

MIDDLEWARE = "trackable.contrib.analytics.middleware.PageViewMiddleware"
UPDATE_CACHE = "django.middleware.cache.UpdateCacheMiddleware"
FETCH_FROM_CACHE = "django.middleware.cache.FetchFromCacheMiddleware"

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CRAWLER = "Googlebot/2.1 (+http://www.google.com/bot.html)"
MARCEL = "0e6e86a1-9c3a-4f4a-8a4c-5c1a3a8c1d11"

TEMPLATE = engines["django"].from_string("<title>Of {{ title }}</title>{{ view.title }}")


class Browser:
    """Keeps cookies as a browser does, and the hits of its last request."""

    def __init__(self, *, is_async: bool = False, **headers: str) -> None:
        client_class = AsyncClient if is_async else Client
        self.client: Any = client_class(
            headers={"User-Agent": AGENT, **headers}, raise_request_exception=False
        )
        self.hits: list[Hit] = []

    def get(self, path: str = "/page/", **options: Any) -> Any:
        return self.ask("get", path, **options)

    def post(self, path: str, data: Any = None, **options: Any) -> Any:
        return self.ask("post", path, data=data, **options)

    def ask(self, method: str, path: str, **options: Any) -> Any:
        ask = getattr(self.client, method)
        ask = async_to_sync(ask) if isinstance(self.client, AsyncClient) else ask
        with capture() as hits:
            response = ask(path, **options)
        self.hits = [*hits]
        for name in [n for n, morsel in self.client.cookies.items() if morsel["max-age"] == 0]:
            del self.client.cookies[name]
        return response

    def close(self) -> None:
        """Forget what lasts no longer than the browser is open."""
        cookies = self.client.cookies
        for name in [name for name, morsel in cookies.items() if morsel["max-age"] == ""]:
            del cookies[name]

    @property
    def cookies(self) -> dict[str, str]:
        return {name: morsel.value for name, morsel in self.client.cookies.items()}

    @property
    def hit(self) -> Hit:
        """The only hit of the last request."""
        (hit,) = self.hits
        return hit


def page(request: HttpRequest, rest: str = "") -> HttpResponse:
    return HttpResponse("<title>Plain</title>")


async def async_page(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<title>Plain</title>")


def titled(request: HttpRequest) -> HttpResponse:
    return TemplateResponse(request, TEMPLATE, {"title": "tides"})


def status(request: HttpRequest, code: int) -> HttpResponse:
    return HttpResponse("<h1>Some page</h1>", status=code)


def content(request: HttpRequest) -> HttpResponse:
    return HttpResponse("", content_type=request.GET["type"])


def fail(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("jane@example.com divided by zero")


async def async_fail(request: HttpRequest) -> HttpResponse:
    raise ZeroDivisionError("jane@example.com divided by zero")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404("jane@example.com is missing")


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied("jane@example.com may not")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        yield b"<title>Streamed</title>"

    return StreamingHttpResponse(parts())


async def async_stream(request: HttpRequest) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"<title>Streamed</title>"

    return StreamingHttpResponse(parts())


def fresh(request: HttpRequest) -> HttpResponse:
    """Another page each time that it is made."""
    return HttpResponse(uuid4().hex)


class PageView(PageViewMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return fresh(request)


class AsyncPageView(PageViewMixin, View):
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("<title>Plain</title>")


class TemplateView(PageViewMixin, View):
    title = "Of the view"
    template: Any = TEMPLATE

    def get(self, request: HttpRequest) -> HttpResponse:
        return TemplateResponse(request, self.template, {"view": self})


class RedirectingView(PageViewMixin, View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect("/page/")


class Raising:
    """A template that cannot be rendered."""

    def render(self, *_: Any) -> str:
        raise ZeroDivisionError


class Shop(View):
    @track_event("Shop", "Looked at")
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("", content_type="text/plain")

    @track_event("Shop", "Bought", "basket", 3.5)
    def post(self, request: HttpRequest) -> HttpResponse:
        self.wrap()
        return HttpResponseRedirect("/page/")

    @track_event("Shop", "Wrapped")
    def wrap(self) -> None:
        """No view, but a method of one."""

    @track_event("Shop", "Gone")
    def delete(self, request: HttpRequest) -> HttpResponse:
        raise Http404


class AsyncShop(View):
    @track_event("Shop", "Looked at")
    async def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("", content_type="text/plain")


@track_event("Shop", "Called", properties={"colour": "blue"}, is_interaction=False)
def call(request: HttpRequest) -> HttpResponse:
    return JsonResponse({})


@track_event("Shop", "Called")
async def async_call(request: HttpRequest) -> HttpResponse:
    return JsonResponse({})


def counted(request: HttpRequest) -> HttpResponse:
    response = JsonResponse({})
    track_page_view(request, title="Counted")
    return response


def decide(request: HttpRequest) -> HttpResponse:
    """What a form does that asks."""
    response = HttpResponseRedirect("/page/")
    (consent.accept if request.POST["answer"] == "yes" else consent.refuse)(request, response)
    return response


def pinging(request: HttpRequest) -> HttpResponse:
    template = engines["django"].from_string("{% load analytics %}{% analytics_ping %}")
    return HttpResponse(template.render({}, request))


urlpatterns = [
    path("", page),
    path("page/", page),
    path("async/page/", async_page),
    path("titled/", titled),
    path("fresh/", fresh),
    path("status/<int:code>/", status),
    path("content/", content),
    path("fail/", fail),
    path("async/fail/", async_fail),
    path("missing/", missing),
    path("forbidden/", forbidden),
    path("stream/", stream),
    path("async/stream/", async_stream),
    path("view/", PageView.as_view()),
    path("async/view/", AsyncPageView.as_view()),
    path("template/", TemplateView.as_view()),
    path("broken/", TemplateView.as_view(template=Raising())),
    path("redirecting/", RedirectingView.as_view()),
    path("cached/", cache_page(60)(fresh)),
    path("cached/view/", cache_page(60)(PageView.as_view())),
    path("shop/", Shop.as_view()),
    path("async/shop/", AsyncShop.as_view()),
    path("call/", call),
    path("cached/call/", cache_page(60)(call)),
    path("async/call/", async_call),
    path("counted/", counted),
    path("decide/", decide),
    path("pinging/", pinging),
    path("analytics/", include("trackable.contrib.analytics.urls")),
    path("admin/<path:rest>", page),
    path("<path:rest>", page),
]
