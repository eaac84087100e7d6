"""The admin's pages of IP entities and of their addresses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from trackable.contrib.beacons.admin import visitors
from trackable.contrib.beacons.models import IP, IPEntity
from trackable_tests.admin.pages import staff, text_at
from trackable_tests.contrib.beacons.admin_pages import ADDRESSES, ENTITIES, LIST, rows, site
from trackable_tests.contrib.beacons.visits import AT, ip_entity, visit, write
from trackable_tests.tables import for_each

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("trackable_tests.contrib.beacons.admin_pages"),
]


@pytest.fixture
def client(admin_client: Client) -> Client:
    return admin_client


def entity_from(*texts: str) -> IPEntity:
    """Have an entity come from one address after the other."""
    key = None
    for number, text in enumerate(texts):
        at = AT + timedelta(minutes=number)
        key = write(visit(entity=ip_entity(text, key), at=at))[-1].entity_id
    return IPEntity.objects.get(pk=key)


def test_entity_shows_its_latest_addresses(client: Client) -> None:
    entity_from(*(f"10.{number}.0.0" for number in range(5)))
    entity_from("192.0.2.0")
    IPEntity.objects.create()
    text = text_at(client, ENTITIES)
    assert "10.4.0.0, 10.3.0.0, 10.2.0.0, …</td>" in text
    assert ">192.0.2.0</td>" in text
    assert '<td class="field-latest_addresses">-</td>' in text


def test_entity_leads_to_its_addresses_and_beacons(client: Client) -> None:
    entity = entity_from("10.0.0.0", "2001:db8::")
    text = text_at(client, f"{ENTITIES}{entity.pk}/change/")
    for ip in IP.objects.all():
        assert f'<a href="{ADDRESSES}{ip.pk}/change/">{ip.address}</a>' in text
    assert f"{LIST}?entity=trackable_beacons.ipentity&amp;entity_id={entity.pk}" in text
    link = {"entity": "trackable_beacons.ipentity", "entity_id": entity.pk}
    assert len(rows(client, LIST, **link)) == 2


def test_pages_show_a_part_of_what_is_much(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(visitors, "MANY", 2)
    entity = entity_from("10.0.0.0", "10.1.0.0", "10.2.0.0")
    text = text_at(client, f"{ENTITIES}{entity.pk}/change/")
    assert "10.0.0.0" not in text
    assert f'<a href="{ADDRESSES}?entity={entity.pk}">all of them</a>' in text
    found = rows(client, ADDRESSES, entity=entity.pk)
    assert [ip.address for ip in found] == ["10.2.0.0", "10.1.0.0", "10.0.0.0"]


def test_address_leads_to_its_entities(client: Client) -> None:
    entities = [entity_from("192.0.2.0") for _ in range(2)]
    text = text_at(client, f"{ADDRESSES}{IP.objects.get().pk}/change/")
    for entity in entities:
        assert f'<a href="{ENTITIES}{entity.pk}/change/">IP entity {entity.pk}</a>' in text


def test_entities_of_a_common_address_are_listed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitors, "MANY", 1)
    entities = [entity_from("2001:db8::") for _ in range(2)]
    text = text_at(client, f"{ADDRESSES}{IP.objects.get().pk}/change/")
    assert f'<a href="{ENTITIES}?q=2001%3Adb8%3A%3A">all of them</a>' in text
    assert rows(client, ENTITIES, q="2001:db8::") == entities[::-1]


@for_each(
    "term, number",
    [("{pk}", 1), ("192.0.2.0", 1), (" ::ffff:192.0.2.0 ", 1), ("192.0.2", 0), ("9" * 30, 0)],
)
def test_entities_are_searched_by_id_and_address(client: Client, term: str, number: int) -> None:
    entity = entity_from("192.0.2.0")
    entity_from("198.51.100.0")
    assert len(rows(client, ENTITIES, q=term.format(pk=entity.pk))) == number


@for_each("term, number", [("2001:DB8:0::", 1), ("2001", 0), ("x", 0), ("", 2)])
def test_addresses_are_searched_in_any_spelling(client: Client, term: str, number: int) -> None:
    entity_from("2001:db8::", "192.0.2.0")
    assert len(rows(client, ADDRESSES, q=term)) == number


@for_each("key", ["x", "99", "9" * 30, "1\0", "-1"])
def test_addresses_of_nobody_are_none(client: Client, key: str) -> None:
    entity_from("192.0.2.0")
    assert rows(client, ADDRESSES, entity=key) == []


def test_visitors_are_found_by_day(client: Client) -> None:
    entity = entity_from("10.0.0.0")
    IPEntity.objects.create()
    for url, number in ((ENTITIES, 1), (ADDRESSES, 1)):
        assert len(rows(client, url, **{"from": "2026-11-21", "to": "2026-11-21"})) == number
        assert rows(client, url, to="2026-11-20") == []
    assert rows(client, ENTITIES, **{"from": "2026-11-21"}) == [entity]


def test_number_of_queries_does_not_grow_with_the_rows(client: Client) -> None:
    numbers = []
    for size in (1, 20):
        for number in range(size):
            entity_from(f"10.{number}.0.0", "192.0.2.0")
        with CaptureQueriesContext(connection) as queries:
            rows(client, ENTITIES)
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 6


@pytest.mark.parametrize("url", [ENTITIES, ADDRESSES])
def test_nobody_adds_or_changes_visitors(client: Client, url: str) -> None:
    entity = entity_from("192.0.2.0")
    pk = entity.pk if url == ENTITIES else IP.objects.get().pk
    assert client.get(f"{url}add/").status_code == 403
    assert client.post(f"{url}{pk}/change/", {"address": "192.0.2.1"}).status_code == 403
    assert staff().get(url).status_code == 403


def test_pages_pass_the_checks_of_the_admin() -> None:
    models: list[Any] = [IP, IPEntity]
    assert [site.get_model_admin(model).check() for model in models] == [[], []]
