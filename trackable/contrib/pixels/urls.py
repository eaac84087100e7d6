"""The URLs of images: include them under a prefix of their own, as they match what follows it."""

from __future__ import annotations

from typing import Final

from django.urls import re_path

from trackable.contrib.pixels.views import TrackingPixel

_view: Final = TrackingPixel.as_view()

urlpatterns = [
    re_path(r"^(?P<ptrack_encoded_data>[\s\S]*?)/$", _view, name="ptrack"),
    # Without the slash it is answered too: a redirect would be one more thing to go wrong.
    re_path(r"^(?P<ptrack_encoded_data>[\s\S]*)$", _view),
]
