"""Callers of the API, and what there is to read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.http import HttpResponse
from django.test import Client

from trackable_tests.testapp.models import Page, PageData

TODAY = date(2026, 11, 21)

Get = Callable[..., HttpResponse]


@pytest.fixture(autouse=True)
def own_site(settings: Any, db: None) -> None:
    settings.ROOT_URLCONF = "trackable_tests.api.urls"


@pytest.fixture
def get(client: Client) -> Get:
    """Ask, as somebody who may see everything."""
    client.force_login(User.objects.create_superuser("root"))

    def ask(path: str = "", headers: Any = None, **query: Any) -> HttpResponse:
        return client.get(f"/counts/{path}", query, headers=headers)

    return ask


def pages(*views: int) -> list[Page]:
    """Make pages with so many views today, and half of that yesterday."""
    made = []
    for place, number in enumerate(views, start=1):
        page = Page.objects.create(title=f"page {place}", slug=f"page-{place}")
        count(PageData, page, TODAY, views=number)
        count(PageData, page, TODAY - timedelta(days=1), views=number // 2)
        made.append(page)
    return made


def count(data_cls: Any, obj: Any, during: Any, **counts: Any) -> None:
    """Make a row."""
    owner = {"content_type": ContentType.objects.get_for_model(obj), "object_id": obj.pk}
    data_cls.objects.create(**owner, collected_during=during, **counts)


def permit(*models: Any) -> User:
    """Make a user who may view what there is of these models, and nothing else."""
    user = User.objects.create_user(f"user {User.objects.count()}", is_staff=True)
    for model in models:
        codename = f"view_{model._meta.model_name}"
        user.user_permissions.add(
            Permission.objects.get(codename=codename, content_type__app_label="testapp")
        )
    return user
