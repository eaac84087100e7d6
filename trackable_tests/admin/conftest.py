"""Fixtures of the admin's tests: who looks, and at which pages."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from trackable_tests.admin import data_pages


@pytest.fixture
def client(admin_client: Client) -> Client:
    return admin_client


@pytest.fixture
def own_urls(settings: Any) -> None:
    """Have the pages of data classes where ``data_pages`` has them."""
    settings.ROOT_URLCONF = data_pages.__name__
    settings.TIME_ZONE = "Europe/Berlin"
    ContentType.objects.clear_cache()
