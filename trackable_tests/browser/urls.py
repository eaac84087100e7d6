"""The pages that the browser looks at: an admin, and pages that count themselves."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import path

from trackable.admin import TrackableDataAdmin
from trackable_tests.collect.urls import urlpatterns as collecting
from trackable_tests.testapp.models import Page, PageData

site = admin.AdminSite(name="admin")
for model, model_admin in admin.site._registry.items():
    site.register(model, type(model_admin))
site.register(Page)
site.register(PageData, TrackableDataAdmin)


def icon(request: HttpRequest) -> HttpResponse:
    """Answer what browsers ask of every site, or they complain."""
    return HttpResponse(status=204)


urlpatterns = [path("admin/", site.urls), path("favicon.ico", icon), *collecting]
