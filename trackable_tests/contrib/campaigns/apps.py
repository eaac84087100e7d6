"""The app's configuration."""

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "trackable_tests.contrib.campaigns"
    label = "campaigns"
    default_auto_field = "django.db.models.BigAutoField"
