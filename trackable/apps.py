"""The app's configuration: finds every ``trackabledata.py`` once the models are loaded."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

from trackable.sites import finish_discovery, site


class TrackableConfig(AppConfig):
    name = "trackable"
    verbose_name = _("Trackable")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from trackable import checks

        checks.register()
        autodiscover_modules("trackabledata", register_to=site)
        finish_discovery()
