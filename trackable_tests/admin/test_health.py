"""The page of how things stand: what it shows, whatever is away, and to whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from trackable.models import LedgerEntry, QuarantinedMessage, RolledUp
from trackable.status import gathering
from trackable_tests.admin.pages import staff, text_of
from trackable_tests.admin.test_statistics import INLINE, main_of

pytestmark = pytest.mark.django_db

HEALTH = "ledgerentry/health/"
BOTH = ("view_ledgerentry", "view_quarantinedmessage")


def test_figures_are_shown_with_links_to_what_is_behind(client: Client) -> None:
    now = timezone.now()
    made = {"data_class": "testapp.PageData", "fold_id": "f"}
    LedgerEntry.objects.create(
        batch_id=uuid4().hex, folded_at=now, increments=1234, dropped=5, **made
    )
    QuarantinedMessage.objects.create(
        batch_id="b", data_class="testapp.PageData", quarantined_at=now - timedelta(hours=3)
    )
    RolledUp.objects.create(data_class="testapp.PageData", step="month", until=now)
    text = main_of(text_of(client, HEALTH))
    for shown in (
        "1,234 folded, 0 filtered, 5 dropped",
        "1 message of 0 increments",
        "3\xa0hours ago",
        "Rolled up to a month: testapp.PageData",
        'href="/admin/trackable/ledgerentry/"',
        'href="/admin/trackable/quarantinedmessage/"',
        'href="/admin/trackable/spider/filtered/"',
    ):
        assert shown in text, shown
    assert not INLINE.search(text)


def test_a_part_that_is_away_is_said_to_be(
    client: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> None:
        raise OSError("<away>")

    settings.TRACKABLE_BROKER_URL = "memory://"
    monkeypatch.setattr(gathering, "read_broker", refuse)
    text = main_of(text_of(client, HEALTH))
    assert '<td class="text">&lt;away&gt;</td>' in text
    assert "There is 1 problem." in text


def test_all_is_well_on_a_quiet_site(client: Client) -> None:
    assert "All is well." in text_of(client, HEALTH)


def test_it_is_linked_from_the_ledger_and_the_quarantine(client: Client) -> None:
    for listed in ("ledgerentry/", "quarantinedmessage/"):
        assert '<a href="/admin/trackable/ledgerentry/health/">Health</a>' in text_of(
            client, listed
        )


def test_it_takes_permission_to_view_both() -> None:
    assert Client().get(f"/admin/trackable/{HEALTH}").status_code == 302
    client = staff(BOTH[0])
    assert client.get(f"/admin/trackable/{HEALTH}").status_code == 403
    assert "Health</a>" not in text_of(client, "ledgerentry/")


def test_permission_to_view_both_is_enough() -> None:
    assert "All is well." in text_of(staff(*BOTH), HEALTH)
