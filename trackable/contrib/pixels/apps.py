"""The app's configuration: finds every ``pixels.py`` once the models are loaded."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class PixelsConfig(AppConfig):
    name = "trackable.contrib.pixels"
    label = "trackable_pixels"
    verbose_name = _("Tracking pixels")

    def ready(self) -> None:
        from trackable.contrib.pixels import checks
        from trackable.contrib.pixels.trackers import tracker

        checks.register()
        autodiscover_modules("pixels", register_to=tracker)
