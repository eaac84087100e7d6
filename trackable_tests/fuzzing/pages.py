"""The admin's pages that are fuzzed, in a site that has them all, and who looks at them."""

from __future__ import annotations

import warnings
from typing import Final

from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import path

from trackable.admin.data import TrackableDataAdmin
from trackable_tests.testapp.models import (
    DownloadData,
    LinkData,
    PageData,
    PageHours,
    PageParentData,
    PageTotals,
    PageWeeks,
)

PAGES: Final = (
    "trackable/spider/try/",
    "trackable/spider/",
    "trackable/spider/filtered/",
    "testapp/pagedata/overview/",
    "testapp/pagehours/overview/",
    "trackable/ledgerentry/",
    "trackable/quarantinedmessage/",
    "testapp/pagedata/",
    "testapp/pagehours/",
    "testapp/pageweeks/",
    "testapp/pageparentdata/",
    "testapp/downloaddata/",
    "testapp/linkdata/",
    "testapp/pagetotals/",
)
#: a page that is absent would take any query string
ANSWERS: Final = {200, 302, 400}
DATA_CLASSES: Final = (
    PageData,
    PageHours,
    PageWeeks,
    PageParentData,
    DownloadData,
    LinkData,
    PageTotals,
)

site: Final = admin.AdminSite(name="admin")
for model, model_admin in admin.site._registry.items():
    site.register(model, type(model_admin))
for data_cls in DATA_CLASSES:
    if not site.is_registered(data_cls):
        site.register(data_cls, TrackableDataAdmin)

urlpatterns = [path("admin/", site.urls)]


def look(page: str, query: str) -> int:
    """Have an administrator look at a page; return the status of the answer.

    Django's own filters warn of a time without a zone: that is no matter of ours.
    """
    client = Client(headers={"host": "example.org", "user-agent": "Mozilla/5.0 (X11; Linux)"})
    with override_settings(ROOT_URLCONF=__name__), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*received a naive datetime")
        client.force_login(_superuser())
        response = client.get(f"/admin/{page}", QUERY_STRING=query)
    assert response.status_code in ANSWERS, response.status_code
    return response.status_code


def _superuser() -> User:
    user, _ = User.objects.get_or_create(username="admin", is_superuser=True, is_staff=True)
    return user
