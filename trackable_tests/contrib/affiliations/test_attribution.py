"""Attribution: which partner a visitor is of, and for how long."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from trackable.contrib.affiliations import sessions, visitors
from trackable.contrib.affiliations.attribution import is_open, keeps
from trackable.contrib.affiliations.models import Visitor
from trackable_tests.contrib.affiliations import pages
from trackable_tests.contrib.affiliations.pages import come_from, make_partner, visitor_of
from trackable_tests.tables import for_each

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@for_each(
    "age, window_seconds, expected",
    [
        (timedelta(0), 86400, True),
        (DAY - timedelta(microseconds=1), 86400, True),
        (DAY, 86400, False),
        (10_000 * DAY, None, True),
        (10_000 * DAY, 1e300, True),
        (-DAY, 1, True),
        (timedelta(seconds=1), 0.5, False),
    ],
)
def test_window_ends(age: timedelta, window_seconds: Any, expected: bool) -> None:
    assert is_open(NOW - age, now=NOW, window_seconds=window_seconds) is expected


@for_each(
    "current, attribution, expected",
    [
        (None, "first", False),
        (None, "last", False),
        (1, "first", True),
        (1, "last", False),
        (2, "first", True),
        (2, "last", True),
    ],
)
def test_somebody_stays_who_they_are(current: int | None, attribution: str, expected: bool) -> None:
    assert keeps(current, 2, attribution=attribution) is expected


@pytest.fixture
def client(settings: Any, db: None) -> Client:
    settings.MIDDLEWARE = pages.MIDDLEWARE
    settings.ROOT_URLCONF = pages.__name__
    return Client(headers=pages.BROWSER)


def age(visitor: Visitor | None, by: timedelta) -> Visitor:
    assert visitor is not None
    visitor.referred_on = timezone.now() - by
    visitor.save()
    return visitor


def test_last_partner_counts_unless_it_is_set_otherwise(client: Client) -> None:
    first, last = make_partner(), make_partner()
    come_from(first, client)
    come_from(last, client)
    assert visitor_of(client).partner == last  # type: ignore[union-attr]
    assert Visitor.objects.count() == 2


def test_first_partner_counts_if_it_is_set_so(client: Client, settings: Any) -> None:
    settings.AFFILIATE_ATTRIBUTION = "first"
    first, last = make_partner(), make_partner()
    come_from(first, client)
    come_from(last, client)
    assert visitor_of(client).partner == first  # type: ignore[union-attr]
    assert Visitor.objects.count() == 1


@pytest.mark.parametrize("attribution", ["first", "last"])
def test_one_who_came_too_long_ago_is_replaced(
    client: Client, settings: Any, attribution: str
) -> None:
    settings.AFFILIATE_ATTRIBUTION = attribution
    partner = make_partner()
    come_from(partner, client)
    old = age(visitor_of(client), timedelta(days=30))
    come_from(partner, client)
    assert visitor_of(client) not in (None, old)


def test_partner_who_was_first_but_is_active_no_more_is_replaced(
    client: Client, settings: Any
) -> None:
    settings.AFFILIATE_ATTRIBUTION = "first"
    first, last = make_partner(), make_partner()
    come_from(first, client)
    type(first).objects.filter(pk=first.pk).update(active=False)
    come_from(last, client)
    assert visitor_of(client).partner == last  # type: ignore[union-attr]


def test_last_touch_of_the_same_partner_moves_time_and_page(client: Client) -> None:
    partner = make_partner()
    come_from(partner, client, to="/first/")
    old = age(visitor_of(client), timedelta(days=29))
    come_from(partner, client, to="/second/")
    visitor = visitor_of(client)
    assert visitor == old
    assert visitor.entry_point == "/second/"
    assert visitor.referred_on > timezone.now() - timedelta(hours=1)


@pytest.mark.parametrize("ended", ["erased_on", "successful_on"])
def test_last_touch_writes_nothing_to_a_visitor_who_ended_meanwhile(
    client: Client, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    partner = make_partner()
    come_from(partner, client, to="/first/")
    old = visitor_of(client)

    def read_and_end(request: Any) -> Visitor | None:
        found = visitors.find(sessions.value_of(request))
        Visitor.objects.update(**{ended: timezone.now(), "entry_point": ""})
        return found

    monkeypatch.setattr(visitors, "of_session", read_and_end)
    come_from(partner, client, to="/second/")
    assert visitor_of(client) != old
    assert Visitor.objects.get(pk=old.pk).entry_point == ""  # type: ignore[union-attr]


def test_first_touch_stays_as_it_was(client: Client, settings: Any) -> None:
    settings.AFFILIATE_ATTRIBUTION = "first"
    partner = make_partner()
    come_from(partner, client, to="/first/")
    old = age(visitor_of(client), timedelta(days=29))
    come_from(partner, client, to="/second/")
    visitor = visitor_of(client)
    assert visitor == old
    assert visitor.entry_point == "/first/"
    assert visitor.referred_on == old.referred_on


def test_window_of_none_never_ends(client: Client, settings: Any) -> None:
    settings.AFFILIATE_ATTRIBUTION_WINDOW = None
    come_from(make_partner(), client)
    old = age(visitor_of(client), timedelta(days=9999))
    assert client.get("/who/").json() == {"visitor": old.pk}


def test_one_who_came_too_long_ago_is_nobody_and_forgotten(client: Client, settings: Any) -> None:
    settings.AFFILIATE_ATTRIBUTION_WINDOW = 3600
    come_from(make_partner(), client)
    age(visitor_of(client), timedelta(hours=1))
    assert client.get("/who/").json() == {"visitor": None}
    assert pages.SESSION_KEY not in client.session
