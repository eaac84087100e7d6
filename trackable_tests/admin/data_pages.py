"""The admin pages of the tests' data classes, and what tests of them share."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import admin
from django.test import Client
from django.urls import path

from trackable.admin.data import TrackableDataAdmin
from trackable_tests.testapp.models import (
    Download,
    DownloadData,
    LinkData,
    Page,
    PageData,
    PageHours,
    PageMonths,
    PageParentData,
    PageParentTotals,
    PageSizes,
    PageTotals,
    PageWeeks,
)

DAY = date(2026, 11, 21)
DATA_CLASSES: list[Any] = [PageData, PageTotals, PageHours, PageWeeks, PageMonths, PageParentData]
DATA_CLASSES += [PageParentTotals, DownloadData, LinkData]


class PageAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    search_fields = ["slug", "=title"]


class EditableAdmin(TrackableDataAdmin):
    """Puts attributes of its own in the place of the defaults."""

    list_display = ["counted_object", "views"]
    list_editable = ["views"]
    list_filter = ["views"]
    ordering = ["views"]
    search_fields = ["views"]
    fields = ["object_id", "views"]


site = admin.AdminSite(name="admin")
site.register(Page, PageAdmin)
site.register(Download)
for data_cls in DATA_CLASSES:
    site.register(data_cls, TrackableDataAdmin)

own_site = admin.AdminSite(name="own")
own_site.register(PageTotals, EditableAdmin)
own_site.register(PageSizes, TrackableDataAdmin)

urlpatterns = [path("admin/", site.urls), path("own/", own_site.urls)]


def a_row(data_cls: Any, obj: Any, start: Any = DAY, **counts: Any) -> Any:
    key = {"collected_during": start} if data_cls.period else {}
    return data_cls.objects.create(parent=obj, **key, **counts)


def url_of(model: Any, *rest: object) -> str:
    return "/".join(["/admin", model._meta.app_label, model._meta.model_name, *map(str, rest), ""])


def rows_of(client: Client, url: str, **params: Any) -> list[Any]:
    response = client.get(url, params)
    assert response.status_code == 200, response
    return list(response.context["cl"].result_list)
