"""The views. A page counts itself; downloads and links are ``trackable.views.track_object``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models import Model, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from trackable.messaging import send_increment_message
from trackable.models import TrackableData
from trackable_tests.demo.models import Download, DownloadData, Link, LinkData, Page, PageData

SHOWN_PAGES = 50
SHOWN_DAYS = 14


def home(request: HttpRequest) -> HttpResponse:
    pages = Page.objects.annotate(count=Coalesce(Sum("data__views"), 0)).order_by("-count", "pk")
    context = {
        "pages": with_bars(pages[:SHOWN_PAGES]),
        "number_of_pages": pages.count(),
        "downloads": with_counts(Download, DownloadData, "downloads"),
        "links": with_counts(Link, LinkData, "clicks"),
        "days": by_day(PageData.objects.all()),
        "filters_crawlers": settings.TRACKABLE_USER_AGENT_FILTERING,
    }
    return render(request, "demo/home.html", context)


def page(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Page, slug=slug)
    send_increment_message(request, found, "views")
    others = Page.objects.exclude(pk=found.pk).order_by("pk")
    context = {"page": found, "days": by_day(found.data.all()), "others": others[:6]}
    return render(request, "demo/page.html", context)


def with_counts(model: type[Model], data_cls: type[TrackableData], field: str) -> list[Any]:
    """Return the objects of a model with their totals, which a generic relation keeps apart."""
    totals = data_cls._default_manager.values_list("object_id").annotate(count=Sum(field))
    counts = dict(totals.order_by())
    found: list[Any] = list(model._default_manager.order_by("pk"))
    for item in found:
        item.count = counts.get(item.pk, 0)
    return with_bars(sorted(found, key=lambda item: -item.count))


def with_bars(items: Iterable[Any]) -> list[Any]:
    """Give each item the length of its bar in percent of the longest."""
    found = list(items)
    longest = max((item.count for item in found), default=0) or 1
    for item in found:
        item.percent = round(100 * item.count / longest, 1)
    return found


def by_day(rows: Any) -> list[dict[str, Any]]:
    """Return the latest days with their views, latest first."""
    days = rows.values("collected_during").annotate(count=Sum("views"))
    latest = list(days.order_by("-collected_during")[:SHOWN_DAYS])
    longest = max((day["count"] for day in latest), default=0) or 1
    return [{**day, "percent": round(100 * day["count"] / longest, 1)} for day in latest]
