"""What tests of the admin share: people who may do something, and the text of a page."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.test import Client


def staff(*permissions: str) -> Client:
    user = User.objects.create_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def text_of(client: Client, url: str, **params: Any) -> str:
    """Return a page of trackable's, which must be there."""
    return text_at(client, f"/admin/trackable/{url}", **params)


def text_at(client: Client, path: str, **params: Any) -> str:
    """Return any page, which must be there."""
    response = client.get(path, params)
    assert response.status_code == 200, response
    return response.content.decode()
