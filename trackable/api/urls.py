"""The URLs of the API: ``path("counts/", include("trackable.api.urls"))``."""

from __future__ import annotations

from typing import Final

from django.urls import path

from trackable.api.operations import OPERATIONS
from trackable.api.views import openapi, view_of

app_name: Final = "trackable_api"

urlpatterns = [
    path("openapi.json", openapi, name="openapi"),
    *(path(each.route, view_of(each), name=each.name) for each in OPERATIONS),
]
