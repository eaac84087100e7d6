"""A site of one page that emits, for the production servers that the tests start."""

from __future__ import annotations

import os

import django
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

django.setup()

from trackable.messaging import send_increment_message  # noqa: E402
from trackable_tests.testapp.models import Page  # noqa: E402

if os.environ.get("EMIT_ON_IMPORT"):
    send_increment_message(None, Page(pk=1), "views")


def view(request: HttpRequest) -> HttpResponse:
    send_increment_message(request, Page(pk=1), "views")
    return HttpResponse(str(os.getpid()))


async def async_view(request: HttpRequest) -> HttpResponse:
    return view(request)


urlpatterns = [path("", view), path("async/", async_view)]
settings.ROOT_URLCONF = __name__
settings.MIDDLEWARE = []

wsgi = get_wsgi_application()
asgi = get_asgi_application()
