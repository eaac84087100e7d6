"""The app's configuration: connects the triggers once the models are loaded."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AffiliationsConfig(AppConfig):
    name = "trackable.contrib.affiliations"
    label = "trackable_affiliations"
    verbose_name = _("Affiliations")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from trackable.contrib.affiliations import checks, connecting

        checks.register()
        connecting.connect()
