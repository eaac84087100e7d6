"""The URL that browsers tell of the pages that they show."""

from __future__ import annotations

from typing import Final

from django.urls import path

from trackable.collect.views import collect

app_name: Final = "trackable_collect"

urlpatterns = [path("", collect, name="collect")]
