"""The URLs of the ping, and of one's own cookie."""

from __future__ import annotations

from typing import Final

from django.urls import path

from trackable.contrib.analytics.views import AnalyticsSessionParameterView, OwnCookieView

app_name: Final = "analytics"

urlpatterns = [
    path("ping/", AnalyticsSessionParameterView.as_view(), name="ping"),
    path("own/", OwnCookieView.as_view(), name="own"),
    path("own/end/", OwnCookieView.as_view(is_own=False), name="own-end"),
]
