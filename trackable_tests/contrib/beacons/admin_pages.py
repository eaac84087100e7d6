"""The admin pages of beacons, and what tests of them share."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.test import Client
from django.urls import path

from trackable.contrib.beacons.admin import BeaconAdmin, IPAdmin, IPEntityAdmin
from trackable.contrib.beacons.models import IP, Beacon, IPEntity
from trackable_tests.contrib.campaigns.models import Campaign, Remark

#: Articles have no pages here.
site = admin.AdminSite(name="admin")
site.register(Campaign)
site.register(Remark)
site.register(Beacon, BeaconAdmin)
site.register(IPEntity, IPEntityAdmin)
site.register(IP, IPAdmin)

urlpatterns = [path("admin/", site.urls)]

LIST = "/admin/trackable_beacons/beacon/"
ENTITIES = "/admin/trackable_beacons/ipentity/"
ADDRESSES = "/admin/trackable_beacons/ip/"


def change_list(client: Client, url: str = LIST, **params: Any) -> Any:
    response = client.get(url, params)
    assert response.status_code == 200, response
    return response.context["cl"]


def rows(client: Client, url: str = LIST, **params: Any) -> list[Any]:
    return list(change_list(client, url, **params).result_list)


def filter_of(client: Client, title: str, **params: Any) -> Any:
    """Return a filter of the list of beacons by its title."""
    specs = change_list(client, **params).filter_specs
    return {str(spec.title): spec for spec in specs}.get(title)
