"""What is deleted in the admin: one row, a page of them, or what a filter has found."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import ProtectedError, RestrictedError
from django.db.models.deletion import Collector
from django.test import Client
from django.test.utils import CaptureQueriesContext

from trackable.contrib.beacons.admin import base
from trackable.contrib.beacons.models import IP, Beacon, IPEntity
from trackable_tests.admin.pages import staff, text_at
from trackable_tests.contrib.beacons.admin_pages import ADDRESSES, ENTITIES, LIST
from trackable_tests.contrib.beacons.visits import addresses, ip_entity, visit, write
from trackable_tests.contrib.campaigns.models import Article, Remark
from trackable_tests.tables import for_each

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.urls("trackable_tests.contrib.beacons.admin_pages"),
]

NEWEST = re.compile(r'name="newest" value="(\d+)"')


@pytest.fixture
def client(admin_client: Client) -> Client:
    return admin_client


def selected(*found: Any, across: bool = False) -> dict[str, Any]:
    keys = [row.pk for row in found]
    return {
        "action": "delete_selected",
        "_selected_action": keys,
        "select_across": str(int(across)),
    }


def delete(client: Client, url: str, posted: dict[str, Any]) -> str:
    """Ask, answer yes, and return the question."""
    question = client.post(url, posted).content.decode()
    newest = NEWEST.search(question)
    assert newest
    response = client.post(url, {**posted, "newest": newest[1]})
    assert response.status_code == 302
    return question


def test_selected_beacons_are_deleted_after_a_question(client: Client) -> None:
    first, second, third = write(visit(), visit(), visit())
    posted = selected(first, third)
    assert "2 rows will be removed for good" in client.post(LIST, posted).content.decode()
    assert Beacon.objects.count() == 3
    delete(client, LIST, posted)
    assert Beacon.objects.get() == second
    assert "2 rows were deleted." in text_at(client, LIST)


def test_what_a_filter_finds_is_deleted(client: Client, article: Article) -> None:
    beacons = write(*(visit(article) for _ in range(150)), visit())
    url = f"{LIST}?target=campaigns.article&target_id={article.pk}"
    assert "150 rows will be" in delete(client, url, selected(beacons[0], across=True))
    assert Beacon.objects.get().target is None


def test_what_comes_while_the_question_is_asked_is_kept(client: Client, article: Article) -> None:
    first, *_ = write(visit(article), visit(article))
    posted = selected(first, across=True)
    newest = NEWEST.search(client.post(LIST, posted).content.decode())
    write(visit(article))
    assert newest
    client.post(LIST, {**posted, "newest": newest[1]})
    assert Beacon.objects.count() == 1


def test_more_than_is_listed_is_not_deleted(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "MAX_LISTED", 5)
    beacons = write(*(visit() for _ in range(6)))
    posted = selected(beacons[0], across=True)
    for newest in ({}, {"newest": str(beacons[-1].pk)}):
        assert client.post(LIST, {**posted, **newest}).status_code == 302
    assert "More than 5 are selected, and nothing is deleted" in text_at(client, LIST)
    assert Beacon.objects.count() == 6


def test_statements_grow_with_the_chunks_alone(client: Client) -> None:
    beacons = write(*(visit() for _ in range(400)))
    posted = {**selected(beacons[0], across=True), "newest": str(beacons[-1].pk)}
    with CaptureQueriesContext(connection) as queries:
        client.post(LIST, posted)
    assert Beacon.objects.count() == 0
    assert len(queries) <= 30


@for_each("newest", ["", "x", "9" * 30, "1; --", "-1"])
def test_an_answer_that_is_none_asks_again(client: Client, newest: str) -> None:
    (beacon,) = write(visit())
    response = client.post(LIST, {**selected(beacon), "newest": newest})
    assert "1 row will be removed" in response.content.decode()
    assert Beacon.objects.count() == 1


def test_deleting_needs_permission() -> None:
    (beacon,) = write(visit())
    client = staff("view_beacon")
    client.post(LIST, {**selected(beacon), "newest": str(beacon.pk)})
    assert client.post(f"{LIST}{beacon.pk}/delete/", {"post": "yes"}).status_code == 403
    assert 'name="action"' not in text_at(client, LIST)
    assert Beacon.objects.count() == 1


def test_one_beacon_is_deleted_on_its_page(client: Client) -> None:
    first, second = write(visit(), visit())
    url = f"{LIST}{first.pk}/delete/"
    assert "Beacons: 1" in text_at(client, url)
    assert client.post(url, {"post": "yes"}).status_code == 302
    assert Beacon.objects.get() == second


# visitors


def test_entities_and_addresses_go_with_what_joins_them(client: Client) -> None:
    write(visit(entity=ip_entity("10.0.0.0")), visit(entity=ip_entity("192.0.2.0")))
    delete(client, ADDRESSES, selected(IP.objects.get(address="10.0.0.0")))
    assert addresses() == ["192.0.2.0"]
    delete(client, ENTITIES, selected(*IPEntity.objects.all()))
    assert not IPEntity.ip_addresses.through.objects.exists()
    assert Beacon.objects.count() == 2


def test_page_that_asks_does_not_list_what_joins_them(client: Client) -> None:
    write(*(visit(entity=ip_entity()) for _ in range(20)))
    ip = IP.objects.get()
    text = text_at(client, f"{ADDRESSES}{ip.pk}/delete/")
    assert "IPs: 1" in text
    assert "ipentity" not in text.partition("IPs: 1")[2].lower().replace(" ", "")
    client.post(f"{ADDRESSES}{ip.pk}/delete/", {"post": "yes"})
    assert (IP.objects.count(), IPEntity.objects.count()) == (0, 20)


def test_log_of_the_admin_keeps_no_address(client: Client) -> None:
    write(visit(entity=ip_entity("192.0.2.0")))
    client.post(f"{ADDRESSES}{IP.objects.get().pk}/delete/", {"post": "yes"})
    (entry,) = LogEntry.objects.all()
    assert entry.object_repr == f"#{entry.object_id}"
    assert "192.0.2" not in entry.change_message


@pytest.mark.parametrize("error", [ProtectedError, RestrictedError])
def test_what_others_protect_is_kept(
    client: Client, error: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (beacon,) = write(visit())

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise error("no", {User(pk=1, username="<protector>")})

    monkeypatch.setattr(Collector, "collect", refuse)
    text = client.get(f"{LIST}{beacon.pk}/delete/").content.decode()
    assert "&lt;protector&gt;" in text
    client.post(LIST, {**selected(beacon), "newest": str(beacon.pk)})
    monkeypatch.undo()
    assert "Nothing is deleted: other rows refer to what is selected." in text_at(client, LIST)
    assert Beacon.objects.count() == 1


def test_what_would_go_along_needs_permission_too() -> None:
    write(visit(entity=ip_entity()))
    entity = IPEntity.objects.get()
    Remark.objects.create(about=entity)
    client = staff("view_ipentity", "delete_ipentity")
    text = text_at(client, f"{ENTITIES}{entity.pk}/delete/")
    assert "your account doesn't have permission" in text.replace("&#x27;", "'")
    assert client.post(f"{ENTITIES}{entity.pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(ENTITIES, {**selected(entity), "newest": str(entity.pk)})
    assert "you may not delete what would go along (remark)" in text_at(client, ENTITIES)
    assert Remark.objects.count() == 1


def test_what_goes_along_is_told_of_and_goes(client: Client) -> None:
    write(visit(entity=ip_entity()))
    entity = IPEntity.objects.get()
    Remark.objects.create(about=entity)
    assert "Remarks: 1" in text_at(client, f"{ENTITIES}{entity.pk}/delete/")
    delete(client, ENTITIES, selected(entity))
    assert Remark.objects.count() == 0
