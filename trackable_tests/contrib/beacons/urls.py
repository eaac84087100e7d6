"""The URLs of a site with beacons: patterns that name models, as django-webbugger had them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path

from trackable.contrib.beacons.models import IPEntity
from trackable.contrib.beacons.views import trigger
from trackable_tests.contrib.campaigns.models import (
    Article,
    Campaign,
    Dead,
    ExternalLink,
    Newsletter,
    Reader,
    Ticket,
)


def article(request: HttpRequest, slug: str) -> HttpResponse:
    return HttpResponse(f"{slug} {request.get_full_path()}")


def of_target(model: Any, **others: Any) -> dict[str, Any]:
    return {"target_type": model, **others}


NO_TARGET = {"target_type": None, "target_id": None}

urlpatterns = [
    path("admin/", admin.site.urls),
    re_path(r"^(?P<target_id>\d+)/$", trigger, of_target(Article), name="article_beacon"),
    path("links/<str:target_id>/", trigger, of_target(ExternalLink), name="link_beacon"),
    path("dead/<str:target_id>/", trigger, of_target(Dead)),
    path("lenient/<str:target_id>/", trigger, of_target(Dead, ignore_errors=True)),
    re_path(
        r"^(?P<target_id>\d+)/e(?P<entity_id>\d+)/$",
        trigger,
        of_target(Article, entity_type=IPEntity),
    ),
    re_path(
        r"^(?P<target_id>\d+)/s(?P<source_id>\d+)/$",
        trigger,
        of_target(Article, source_type=Campaign),
    ),
    re_path(
        r"^(?P<target_id>\d+)/(?P<source_id>\d+)/(?P<entity_id>\d+)/$",
        trigger,
        of_target(Article, source_type=Campaign, entity_type=IPEntity),
    ),
    path("readers/<str:target_id>/", trigger, of_target(Article, entity_type=Reader)),
    path("tickets/<str:target_id>/", trigger, of_target(Article, entity_type=Ticket)),
    path(
        "pixels/<str:source_id>/",
        trigger,
        {**NO_TARGET, "source_type": Newsletter, "pixel": True},
        name="pixel",
    ),
    path("b/", include("trackable.contrib.beacons.urls")),
    path("articles/<str:slug>/", article, name="article"),
]
