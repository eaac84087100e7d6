"""The configuration of the tests' app."""

from django.apps import AppConfig


class TestappConfig(AppConfig):
    name = "trackable_tests.testapp"
    label = "testapp"
