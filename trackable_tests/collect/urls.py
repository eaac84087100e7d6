"""Pages that are counted by the browsers that show them, under a strict policy.

Follow the link of a page and come back, to have the browser show it from its own cache.
"""

from django.contrib.staticfiles.views import serve
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template import engines
from django.urls import include, path

from trackable_tests.testapp.models import Page

POLICY = "default-src 'none'; script-src 'self'; connect-src 'self'"

TEXT = """{% load trackable_collect %}<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{{ page.title }}</title></head>
<body>
<h1>{{ page.title }}</h1>
<p><a id="other" href="{% url "other" %}">another page</a></p>
{% trackable_collect page "views" %}
</body>
</html>
"""

OTHER = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>another page</title></head></html>
"""


def page(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Page, slug=slug)
    html = engines["django"].from_string(TEXT).render({"page": found}, request)
    return HttpResponse(html, headers={"Content-Security-Policy": POLICY})


def other(request: HttpRequest) -> HttpResponse:
    return HttpResponse(OTHER, headers={"Content-Security-Policy": POLICY})


urlpatterns = [
    path("collect/", include("trackable.collect.urls")),
    path("other/", other, name="other"),
    path("pages/<slug:slug>/", page),
    path("static/<path:path>", serve, {"insecure": True}),
]
