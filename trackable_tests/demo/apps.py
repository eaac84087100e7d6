"""The configuration of the demo's app."""

from pathlib import Path

from django.apps import AppConfig
from django.conf import settings


class DemoConfig(AppConfig):
    name = "trackable_tests.demo"
    label = "demo"
    verbose_name = "Harbour notes"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        Path(settings.DEMO_DIR).mkdir(parents=True, exist_ok=True)
