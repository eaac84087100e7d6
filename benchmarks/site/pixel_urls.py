"""The addresses of tracking pixels, of ``trackable.contrib.pixels`` or of django-ptrack."""

from __future__ import annotations

from django.apps import apps
from django.urls import include, path

PACKAGE = "ptrack" if apps.is_installed("ptrack") else "trackable.contrib.pixels"

urlpatterns = [path("pixels/", include(f"{PACKAGE}.urls"))]
