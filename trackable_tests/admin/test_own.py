"""The admin pages of trackable's own models: the ledger and the spiders."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from trackable.models import LedgerEntry, Spider
from trackable_tests.admin.pages import staff, text_of

pytestmark = pytest.mark.django_db

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"


def an_entry(**kwargs: Any) -> LedgerEntry:
    values = {"batch_id": uuid4().hex, "fold_id": uuid4().hex, "folded_at": timezone.now()}
    return LedgerEntry.objects.create(**{**values, "data_class": "testapp.PageData", **kwargs})


# the ledger


def test_ledger_is_shown_newest_first(client: Client) -> None:
    old = an_entry(folded_at=timezone.now() - timedelta(hours=1))
    new = an_entry(increments=42)
    text = text_of(client, "ledgerentry/")
    assert 0 < text.index(new.batch_id) < text.index(old.batch_id)
    assert ">42<" in text


def test_nobody_adds_or_changes_what_is_folded(client: Client) -> None:
    pk = an_entry().pk
    assert client.get("/admin/trackable/ledgerentry/add/").status_code == 403
    url = f"/admin/trackable/ledgerentry/{pk}/change/"
    assert client.post(url, {"increments": "9"}).status_code == 403
    assert "Save" not in text_of(client, f"ledgerentry/{pk}/change/")


def test_nobody_deletes_from_the_ledger(client: Client) -> None:
    entry = an_entry()
    assert client.post(f"/admin/trackable/ledgerentry/{entry.pk}/delete/").status_code == 403
    text = text_of(client, "ledgerentry/")
    assert 'name="action"' not in text
    assert LedgerEntry.objects.exists()


# the spiders


def test_spiders_are_edited(client: Client) -> None:
    values = {"pattern": "EvilCrawler", "kind": "substring", "notes": "seen in May"}
    assert client.post("/admin/trackable/spider/add/", values).status_code == 302
    assert Spider.objects.get().pattern == "EvilCrawler"
    assert "seen in May" in text_of(client, "spider/")


def test_expression_that_cannot_work_is_sent_back(client: Client) -> None:
    values = {"pattern": "(", "kind": "regex"}
    response = client.post("/admin/trackable/spider/add/", values)
    assert "no regular expression" in response.content.decode()
    assert not Spider.objects.exists()


def test_user_agent_is_tried(client: Client) -> None:
    agent = "FriendlyReader/1.0 (Linux; Android 15) <b>"
    before = text_of(client, "spider/try/", agent=BROWSER)
    assert "A person: counted." in before
    Spider.objects.create(pattern="friendlyreader")
    text = text_of(client, "spider/try/", agent=agent)
    assert "A crawler, not counted, because of: <code>friendlyreader</code>" in text
    assert "&lt;b&gt;" in text


def test_own_user_agent_is_tried_first(client: Client) -> None:
    response = client.get("/admin/trackable/spider/try/", headers={"User-Agent": BROWSER})
    assert BROWSER in response.content.decode()


def test_trying_tells_whether_the_filter_is_on(client: Client, settings: Any) -> None:
    assert "The filter is off" in text_of(client, "spider/try/")
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    assert "The filter is off" not in text_of(client, "spider/try/")


def test_trying_is_linked_from_the_list(client: Client) -> None:
    assert 'href="/admin/trackable/spider/try/"' in text_of(client, "spider/")


def test_trying_needs_permission() -> None:
    assert staff().get("/admin/trackable/spider/try/").status_code == 403
    assert Client().get("/admin/trackable/spider/try/").status_code == 302


def test_trying_works_with_permission_to_view() -> None:
    assert "Verdict" in text_of(staff("view_spider"), "spider/try/")
