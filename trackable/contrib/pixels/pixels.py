"""The pixels of this app: one that counts, where the core is installed."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.http import HttpRequest

from trackable.contrib.pixels import TrackingPixel, tracker


class CountingPixel(TrackingPixel):
    """Counts what each image of ``counting_pixel`` says that its loading counts."""

    is_addressed = True

    def record(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        from trackable.contrib.pixels import counting  # brings what emits, which starting up spares

        counting.record(request, args, kwargs)


if apps.is_installed("trackable"):
    tracker.register(CountingPixel)
