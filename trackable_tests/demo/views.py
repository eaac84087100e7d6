"""The views. A page counts itself; downloads and links are ``trackable.views.track_object``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Max, Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

import trackable
from trackable.charts import bar_chart
from trackable.messaging import send_increment_message
from trackable.models import TrackableData
from trackable_tests.demo.models import Download, DownloadData, Link, LinkData, Page, PageData

SHOWN_PAGES = 50
SHOWN_DAYS = 30


def home(request: HttpRequest) -> HttpResponse:
    pages = most_first(Page, PageData, "views")
    context = {
        "pages": with_bars(pages[:SHOWN_PAGES]),
        "number_of_pages": pages.count(),
        "downloads": with_bars(most_first(Download, DownloadData, "downloads")),
        "links": with_bars(most_first(Link, LinkData, "clicks")),
        "chart": chart_of(PageData.objects.all()),
        "filters_crawlers": settings.TRACKABLE_USER_AGENT_FILTERING,
    }
    return render(request, "demo/home.html", context)


def page(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Page, slug=slug)
    send_increment_message(request, found, "views")
    others = Page.objects.exclude(pk=found.pk).order_by("pk")
    chart = chart_of(PageData.objects.for_object(found))
    return render(request, "demo/page.html", {"page": found, "chart": chart, "others": others[:6]})


def most_first(model: type[Model], data_cls: type[TrackableData], field: str) -> Any:
    """Return the objects of a model with their totals, the greatest first."""
    total = trackable.counted(data_cls, field)
    return model._default_manager.annotate(count=total).order_by("-count", "pk")


def with_bars(items: Iterable[Any]) -> list[Any]:
    """Give each item the length of its bar in percent of the longest."""
    found = list(items)
    longest = max((item.count for item in found), default=0) or 1
    for item in found:
        item.percent = round(100 * item.count / longest, 1)
    return found


def chart_of(rows: Any) -> str:
    """Return the views of the latest days on which there were any, as a chart; or nothing.

    An access log may be of days long ago.
    """
    last = rows.aggregate(last=Max("collected_during"))["last"]
    if last is None:
        return ""
    first = last - timedelta(days=SHOWN_DAYS - 1)
    return bar_chart(rows.series("views", start=first, end=last), title="Views by day")
