"""The models: what they refuse, what happens once, and what goes with what."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import ProtectedError
from django.db.utils import DatabaseError
from django.utils import timezone

from trackable import site
from trackable.contrib.affiliations import callback_urls, conf
from trackable.contrib.affiliations.exceptions import InvalidCallBackURL
from trackable.contrib.affiliations.models import (
    Callback,
    Partner,
    PartnerData,
    Subscription,
    Visitor,
)
from trackable.exceptions import TrackableError
from trackable.messaging import process_messages, send_increment_message
from trackable_tests.contrib.affiliations.pages import REGISTERED, make_partner
from trackable_tests.tables import for_each

URL = "https://partner.example/told?visitor={visitor_id}"


@pytest.fixture
def partner(db: None) -> Partner:
    return make_partner()


# partners


def test_partners_have_a_uid_and_a_secret_of_their_own(partner: Partner) -> None:
    other = make_partner()
    assert re.fullmatch("[0-9A-Za-z]{8}", partner.uid)
    assert re.fullmatch("[0-9A-Za-z]{43}", partner.secret)
    assert partner.uid != other.uid
    assert partner.secret != other.secret


def test_uid_stays_and_is_made_again_if_it_is_gone(partner: Partner) -> None:
    uid = partner.uid
    partner.save()
    assert partner.uid == uid
    partner.uid = ""
    partner.save()
    assert len(partner.uid) == 8


def test_uid_and_secret_are_in_no_form() -> None:
    assert not Partner._meta.get_field("uid").editable
    assert not Partner._meta.get_field("secret").editable


def test_uid_is_unique(partner: Partner) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        make_partner(uid=partner.uid)


@for_each("uid", ["a b", "é", "a&b", "a\n", "x" * 9])
def test_uid_that_no_link_can_carry_is_refused(partner: Partner, uid: str) -> None:
    partner.uid = uid
    with pytest.raises(ValidationError):
        partner.clean_fields()


def test_partner_without_visitors_is_deleted_with_what_is_theirs(partner: Partner) -> None:
    Subscription.objects.create(partner=partner, trigger="x", callback_url=URL)
    partner.delete()
    assert not Subscription.objects.exists()


def test_partner_with_visitors_stays(partner: Partner) -> None:
    Visitor.objects.create(partner=partner)
    with pytest.raises(ProtectedError):
        partner.delete()


# subscriptions


@for_each(
    "url",
    [
        "https://partner.example/{visitor_id}",
        "http://partner.example:8080/a?b={visitor_id}&c={visitor_id}",
        "https://partner.example/?{visitor_id}",
        "https://partner.example/?v=%7Bvisitor_id%7D",
        "https://partner.example/%7bvisitor_id%7d",
        "https://partner.example/?a={b}&c={}&d={visitor_id!r}&e={visitor_id}",
        "http://169.254.169.254/{visitor_id}",
    ],
)
def test_url_that_can_be_called_is_taken(partner: Partner, url: str) -> None:
    subscription = Subscription(partner=partner, trigger="x", callback_url=url)
    subscription.clean()
    subscription.save()
    assert Subscription.objects.get().callback_url == url


@for_each(
    "url",
    [
        "https://partner.example/",
        "https://partner.example/{visitor}",
        "https://partner.example/#{visitor_id}",
        "https://partner.example/?%257Bvisitor_id%257D",
        "https://partner.example/?{VISITOR_ID}",
        "https://{visitor_id}.example/",
        "https://partner.example:{visitor_id}/",
        "{visitor_id}",
        "//partner.example/{visitor_id}",
        "ftp://partner.example/{visitor_id}",
        "file:///etc/{visitor_id}",
        "javascript:alert({visitor_id})",
        "https:///{visitor_id}",
        "https://user:secret@partner.example/{visitor_id}",
        "https://partner.example\\@other.example/{visitor_id}",
        "https://partner.example/\r\nHost: other/{visitor_id}",
        "https://partner.example/ {visitor_id}",
        "https://[::1/{visitor_id}",
        "https://partner.example:99999/{visitor_id}",
        f"https://partner.example/{'x' * callback_urls.MAX_LENGTH}{{visitor_id}}",
    ],
)
def test_url_that_cannot_be_called_is_refused(partner: Partner, url: str) -> None:
    subscription = Subscription(partner=partner, trigger="x", callback_url=url)
    with pytest.raises(InvalidCallBackURL):
        subscription.save()
    with pytest.raises(ValidationError) as caught:
        subscription.clean()
    assert list(caught.value.message_dict) == ["callback_url"]
    assert not Subscription.objects.exists()


def test_error_of_a_url_is_trackable_s_and_a_value_error() -> None:
    assert issubclass(InvalidCallBackURL, TrackableError)
    assert issubclass(InvalidCallBackURL, ValueError)


def test_partner_subscribes_to_a_trigger_once(partner: Partner) -> None:
    Subscription.objects.create(partner=partner, trigger="x", callback_url=URL)
    with pytest.raises(IntegrityError), transaction.atomic():
        Subscription.objects.create(partner=partner, trigger="x", callback_url=URL)
    Subscription.objects.create(partner=partner, trigger="y", callback_url=URL)
    Subscription.objects.create(partner=make_partner(), trigger="x", callback_url=URL)


def test_triggers_to_subscribe_to_are_those_of_the_settings(
    partner: Partner, settings: Any
) -> None:
    settings.AFFILIATE_TRIGGERS = [REGISTERED, ("Called us",), REGISTERED, None, (), (1, 2)]
    field = Subscription._meta.get_field("trigger")
    assert field.choices == [(name, name) for name in ("User registered", "Called us")]
    Subscription(partner=partner, trigger="Called us", callback_url=URL).full_clean()
    with pytest.raises(ValidationError):
        Subscription(partner=partner, trigger="Ordered", callback_url=URL).full_clean()


@for_each("wrong", [None, "User registered", 5, {}])
def test_wrong_setting_leaves_nothing_to_subscribe_to(settings: Any, wrong: Any) -> None:
    settings.AFFILIATE_TRIGGERS = wrong
    assert conf.trigger_choices() == []


@pytest.mark.django_db(databases=["default", "other"])
def test_no_migration_is_needed_when_triggers_change(settings: Any, capsys: Any) -> None:
    settings.AFFILIATE_TRIGGERS = [REGISTERED]
    call_command("makemigrations", "trackable_affiliations", check=True, dry_run=True)
    assert "No changes detected" in capsys.readouterr().out


@for_each(
    "url, visitor_id, expected",
    [
        ("https://p.example/{visitor_id}?{visitor_id}", 5, "https://p.example/5?5"),
        ("https://p.example/?a={x}&b={}&{visitor_id}", 5, "https://p.example/?a={x}&b={}&5"),
        ("https://p.example/%7Bvisitor_id%7D/{visitor_id}", 5, "https://p.example/5/5"),
        ("https://p.example/%7bvisitor_id%7d?%7Bvisitor_id}&%7Bx%7D", 5, "https://p.example/5?5&%7Bx%7D"),
        ("https://p.example/?%257Bvisitor_id%257D", 5, "https://p.example/?%257Bvisitor_id%257D"),
        ("https://p.example/?{visitor_id}", "a/b&c=é{visitor_id}", "https://p.example/?a%2Fb%26c%3D%C3%A9%7Bvisitor_id%7D"),
    ],
)  # fmt: skip
def test_url_of_a_visitor_has_the_number_and_nothing_else_changed(
    url: str, visitor_id: Any, expected: str
) -> None:
    assert callback_urls.for_visitor(url, visitor_id) == expected


# visitors


def test_visitor_succeeds_once(partner: Partner) -> None:
    visitor = Visitor.objects.create(partner=partner)
    first, second = (User.objects.create_user(name) for name in ("first", "second"))
    assert visitor.succeed(first)
    moment = visitor.successful_on
    assert timezone.now() - moment < timedelta(minutes=1)
    assert not visitor.succeed(second)
    visitor.refresh_from_db()
    assert (visitor.successful_on, visitor.user) == (moment, first)


def test_visitor_who_is_at_hand_twice_succeeds_once(partner: Partner) -> None:
    first = Visitor.objects.create(partner=partner)
    second = Visitor.objects.get()
    users = [User.objects.create_user(name) for name in ("first", "second")]
    assert [first.succeed(users[0]), second.succeed(users[1])] == [True, False]
    assert (second.successful_on, second.user) == (first.successful_on, users[0])


@pytest.mark.parametrize("nobody", [None, AnonymousUser()])
def test_visitor_succeeds_without_a_user_and_keeps_their_own(partner: Partner, nobody: Any) -> None:
    user = User.objects.create_user("visitor")
    for known in (None, user):
        visitor = Visitor.objects.create(partner=partner, user=known)
        assert visitor.succeed(nobody)
        visitor.refresh_from_db()
        assert visitor.user == known


def test_success_saves_nothing_else(partner: Partner) -> None:
    visitor = Visitor.objects.create(partner=partner, entry_point="/")
    Visitor.objects.update(entry_point="/later/")
    visitor.succeed()
    visitor.refresh_from_db()
    assert visitor.entry_point == "/later/"


def test_visitor_outlives_the_user(partner: Partner) -> None:
    user = User.objects.create_user("visitor")
    visitor = Visitor.objects.create(partner=partner, user=user)
    assert user.affiliate_visitors.get() == visitor
    user.delete()
    visitor.refresh_from_db()
    assert visitor.user is None


def test_names_are_those_that_people_see(partner: Partner) -> None:
    visitor = Visitor(partner=partner, pk=5)
    assert str(visitor) == "Visitor 5"
    assert str(Callback(visitor=visitor, trigger="x")) == "x of visitor 5"
    visitor.entry_point = "/a/"
    assert str(visitor) == "/a/"


# callbacks


def test_visitor_and_trigger_have_one_callback(partner: Partner) -> None:
    visitor = Visitor.objects.create(partner=partner)
    Callback.objects.create(visitor=visitor, trigger="x")
    Callback.objects.create(visitor=visitor, trigger="y")
    with pytest.raises(IntegrityError), transaction.atomic():
        Callback.objects.create(visitor=visitor, trigger="x")
    assert Callback.objects.values("key").distinct().count() == 2


def test_callback_is_pending_and_due_at_once(partner: Partner) -> None:
    callback = Callback.objects.create(visitor=Visitor.objects.create(partner=partner), trigger="x")
    callback.refresh_from_db()
    assert callback.state == Callback.State.PENDING
    assert callback.due_at <= timezone.now()
    assert (callback.attempts_made, callback.delivered_at) == (0, None)


def test_callback_outlives_its_subscription(partner: Partner) -> None:
    subscription = Subscription.objects.create(partner=partner, trigger="x", callback_url=URL)
    visitor = Visitor.objects.create(partner=partner)
    callback = Callback.objects.create(visitor=visitor, trigger="x", subscription=subscription)
    subscription.delete()
    callback.refresh_from_db()
    assert callback.subscription is None


# what is counted


@pytest.mark.django_db(transaction=True)
def test_partners_are_counted_by_day() -> None:
    partner = make_partner()
    assert [*site.get_trackables(Partner)] == [PartnerData]
    for field in ("referrals", "referrals", "conversions"):
        assert send_increment_message(None, partner, field)
    process_messages()
    row = partner.data.get()
    assert (row.referrals, row.conversions) == (2, 1)
    assert row.collected_during == timezone.localdate()
    partner.delete()
    assert not PartnerData.objects.exists()


@pytest.mark.django_db
@pytest.mark.vendor("sqlite")  # elsewhere the plan of an empty table says nothing
def test_lists_by_time_and_by_what_is_due_use_an_index() -> None:
    now = timezone.now()
    for rows in (
        Callback.objects.filter(state="pending", due_at__lte=now).order_by("due_at"),
        Visitor.objects.filter(partner_id=1, referred_on__gt=now),
        Visitor.objects.order_by("-referred_on", "-pk")[:100],
    ):
        plan = rows.explain()
        assert "INDEX trackable_affiliate" in plan
        assert "TEMP B-TREE" not in plan


def test_trigger_that_is_too_long_is_no_surprise_of_the_database(partner: Partner) -> None:
    name = "x" * (conf.MAX_TRIGGER_LENGTH + 1)
    with pytest.raises(ValidationError):
        Subscription(partner=partner, trigger=name, callback_url=URL).full_clean()
    if connection.vendor != "sqlite":
        with pytest.raises(DatabaseError), transaction.atomic():
            Subscription.objects.create(partner=partner, trigger=name, callback_url=URL)
