"""Registering: who becomes a visitor of whom, and who does not."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from trackable.contrib.affiliations import timespans, visitors
from trackable.contrib.affiliations.models import PartnerData, Visitor
from trackable.testing import Outbox, capture
from trackable_tests.contrib.affiliations import pages
from trackable_tests.contrib.affiliations.pages import (
    BROWSER,
    CRAWLER,
    KEY,
    SESSION_KEY,
    come_from,
    location_of,
    make_partner,
)

pytestmark = [pytest.mark.django_db, pytest.mark.urls(pages.__name__)]


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = pages.MIDDLEWARE


@pytest.fixture
def client() -> Client:
    return Client(headers=BROWSER)


@pytest.fixture
def outbox() -> Any:
    with capture() as found:
        yield found


def test_visitor_of_an_active_partner_is_registered(client: Client, outbox: Outbox) -> None:
    partner = make_partner()
    before = timezone.now()
    come_from(partner, client, to="/a/")
    visitor = Visitor.objects.get()
    assert (visitor.partner, visitor.user, visitor.entry_point) == (partner, None, "/a/")
    assert before <= visitor.referred_on <= timezone.now()
    assert visitor.successful_on is None
    assert client.session[SESSION_KEY] == visitor.pk
    assert client.get("/who/").json() == {"visitor": visitor.pk}
    assert outbox.total(partner, "referrals") == 1


def test_user_who_is_logged_in_is_the_visitor_s(client: Client) -> None:
    user = User.objects.create_user("visitor")
    client.force_login(user)
    come_from(make_partner(), client)
    assert Visitor.objects.get().user == user


@pytest.mark.parametrize("uid", ["abcd1234", "", "ABCD", "%00", "%F0%9F%A6%86", "x" * 3000])
def test_who_is_nobody_s_is_redirected_and_not_registered(client: Client, uid: str) -> None:
    make_partner()
    assert location_of(f"/a?{KEY}={uid}", client) == "/a"
    assert not Visitor.objects.exists()
    assert not client.cookies


def test_partner_who_is_not_active_gets_no_visitor(client: Client) -> None:
    come_from(make_partner(active=False), client)
    assert not Visitor.objects.exists()


def test_case_of_a_uid_matters(client: Client) -> None:
    make_partner(uid="abcdEFGH")
    assert location_of(f"/?{KEY}=ABCDefgh", client) == "/"
    assert not Visitor.objects.exists()


def test_first_key_that_is_valid_counts(client: Client) -> None:
    others, partner = [make_partner(active=False), make_partner()], make_partner()
    values = ["", "nobody", "x" * 100, others[0].uid, partner.uid, others[1].uid]
    query = "&".join(f"{KEY}={value}" for value in values)
    assert location_of(f"/?{query}", client) == "/"
    assert Visitor.objects.get().partner == partner


def test_what_cannot_be_a_uid_costs_no_query(client: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        for value in ("", "%00", "x" * 9, "a b", "é"):
            client.get(f"/?{KEY}={value}")
    assert not queries.captured_queries


def test_one_browser_is_one_visitor_of_a_partner(client: Client, outbox: Outbox) -> None:
    partner = make_partner()
    for _ in range(20):
        come_from(partner, client)
    assert Visitor.objects.count() == 1
    assert outbox.total(partner, "referrals") == 1


@pytest.mark.parametrize("zone", ["Etc/GMT-14", "Etc/GMT+12"])
def test_referral_is_counted_on_the_site_s_day(client: Client, outbox: Outbox, zone: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        come_from(make_partner(), client)
        come_from(make_partner(), client)
    assert [increment.collected_during for increment in outbox] == [timespans.today()] * 2


def test_one_who_succeeded_already_is_registered_anew(client: Client) -> None:
    partner = make_partner()
    come_from(partner, client)
    Visitor.objects.get().succeed()
    come_from(partner, client)
    assert Visitor.objects.count() == 2


def test_crawler_is_redirected_and_not_registered(outbox: Outbox, settings: Any) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    crawler, partner = Client(headers=CRAWLER), make_partner()
    come_from(partner, crawler)
    assert not Visitor.objects.exists()
    assert not crawler.cookies
    assert outbox.total(partner, "referrals") == 0
    assert outbox.filtered[PartnerData._meta.label] == 1


def test_crawler_is_a_visitor_where_nobody_is_filtered() -> None:
    come_from(make_partner(), Client(headers=CRAWLER))
    assert Visitor.objects.count() == 1


def test_flood_fills_no_table(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings.AFFILIATE_VISITORS_PER_MINUTE = 3
    partner, other = make_partner(), make_partner()
    for _ in range(10):
        come_from(partner)
    assert Visitor.objects.count() == 3
    assert Session.objects.count() == 3
    come_from(other)
    assert other.visitors.count() == 1
    assert [r.getMessage() for r in caplog.records] == [
        f"Partner {partner.pk} sent 3 visitors in a minute: no more."
    ]


def test_flood_ends_with_the_minute(settings: Any) -> None:
    settings.AFFILIATE_VISITORS_PER_MINUTE = 1
    partner = make_partner()
    come_from(partner)
    Visitor.objects.update(referred_on=timezone.now() - timedelta(seconds=61))
    come_from(partner)
    come_from(partner)
    assert Visitor.objects.count() == 2


def test_flood_is_not_bounded_if_it_is_set_so(settings: Any) -> None:
    settings.AFFILIATE_VISITORS_PER_MINUTE = None
    partner = make_partner()
    for _ in range(5):
        come_from(partner)
    assert Visitor.objects.count() == 5


def test_entry_point_that_is_long_is_cut(client: Client) -> None:
    partner = make_partner()
    assert location_of(f"/?{KEY}={partner.uid}&q={'x' * 9000}", client) == f"/?q={'x' * 9000}"
    assert Visitor.objects.get().entry_point == "/?q=" + "x" * 1996


def test_redirect_comes_where_nobody_can_be_registered(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    partner = make_partner()

    def refuse(_: Any, uids: Any, entry_point: str) -> None:
        raise DatabaseError(entry_point)

    monkeypatch.setattr(visitors, "refer", refuse)
    for _ in range(3):
        come_from(partner, client, to="/said/by/a/visitor")
    (record,) = caplog.records
    assert "A visitor was not registered: DatabaseError was raised." in record.getMessage()
    assert "said/by" not in record.getMessage()
