"""The URL of signed links; those of beacons by their ids are the project's own."""

from __future__ import annotations

from typing import Final

from django.urls import path

from trackable.contrib.beacons.views import link

app_name: Final = "beacons"

urlpatterns = [
    path("<str:signed>/", link, name="link"),
]
