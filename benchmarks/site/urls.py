"""Two minimal views that have an object at hand: one emits, the other does not."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import path

from benchmarks.site.models import Page
from trackable.messaging import send_increment_message


def plain(request: HttpRequest) -> HttpResponse:
    Page(pk=1)
    return HttpResponse(b"ok")


def emitting(request: HttpRequest) -> HttpResponse:
    send_increment_message(request, Page(pk=1), "views")
    return HttpResponse(b"ok")


urlpatterns = [path("plain", plain), path("emitting", emitting)]
