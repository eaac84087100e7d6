"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class BeaconsConfig(AppConfig):
    name = "trackable.contrib.beacons"
    label = "trackable_beacons"
    verbose_name = _("Beacons")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from trackable.contrib.beacons import checks

        checks.register()
