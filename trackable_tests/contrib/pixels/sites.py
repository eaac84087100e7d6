"""The sites of Django, installed for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib import admin
from django.test import modify_settings


@contextmanager
def installed() -> Iterator[None]:
    """Have the app installed; afterwards the admin knows nothing of its model."""
    with modify_settings(INSTALLED_APPS={"append": "django.contrib.sites"}):
        from django.contrib.sites.models import Site

        yield
    admin.site._registry.pop(Site, None)
