"""The app's configuration."""

from __future__ import annotations

from django.apps import AppConfig, apps
from django.utils.translation import gettext_lazy as _


class AnalyticsConfig(AppConfig):
    name = "trackable.contrib.analytics"
    label = "trackable_analytics"
    verbose_name = _("Analytics")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from trackable.contrib.analytics import checks, conf, services

        checks.register()
        if apps.is_installed("trackable"):
            from trackable import mirrors
            from trackable.contrib.analytics.forwarding.declared import is_forwarded
            from trackable.contrib.analytics.forwarding.noting import note

            mirrors.mirrors.append((is_forwarded, note))
        if any(services.configured()):
            # Otherwise the first visitor would wait for it.
            import trackable.contrib.analytics.sending.transport  # noqa: F401

            if conf.get("defer") == conf.CELERY:
                from trackable.contrib.analytics.sending.targets import has_tasks

                has_tasks()
