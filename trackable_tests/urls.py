"""The URLs of the tests."""

from django.contrib import admin
from django.urls import include, path

urlpatterns = [
    path("admin/", admin.site.urls),
    path("ptrack/", include("trackable.contrib.pixels.urls")),
]
