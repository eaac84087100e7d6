"""The tests of django-affiliate-tracking 0.12, in the words of this site.

What was asserted there holds here, but for what its manual says is otherwise; the names of its
classes are in the comments.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import AppConfig, apps
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from django.utils import timezone
from django.utils.module_loading import import_string

from trackable.contrib.affiliations import conf, current, querystrings
from trackable.contrib.affiliations.exceptions import InvalidCallBackURL
from trackable.contrib.affiliations.middleware import AffiliateVisitorsRegistrationMiddleware
from trackable.contrib.affiliations.models import Callback, Partner, Subscription, Visitor
from trackable.contrib.affiliations.triggers import complete_trigger, object_created, object_saved
from trackable_tests.tables import for_each

pytestmark = pytest.mark.django_db

KEY = "affiliate_id"
SESSION_KEY = "affiliate_visitor_id"
RIGHT_URL = f"http://example.com/?{Subscription.CALLBACK_URL_PLACEHOLDER}"
WAITING = {"successful_on__isnull": True}


@pytest.fixture
def user() -> User:
    return User.objects.create_user("test_user", "test@test.com", "StrongPass123**")


@pytest.fixture
def new_user() -> User:
    return User.objects.create_user("new_test_user", "test@test.com", "StrongPass123**")


@pytest.fixture
def visitor(user: User) -> Visitor:
    partner = Partner.objects.create(name="partner")
    return Visitor.objects.create(partner=partner, user=user)


# TestAffiliateTrackingConfig


def partner_updated(
    sender: Any, instance: Any, affiliate_trigger_name: str = "", **kwargs: Any
) -> None:
    Partner.objects.filter(pk=instance.pk).update(active=affiliate_trigger_name != "")


def test_name() -> None:
    config = apps.get_app_config("trackable_affiliations")
    assert config.name == "trackable.contrib.affiliations"
    assert isinstance(config, AppConfig)


def test_ready(settings: Any) -> None:
    settings.AFFILIATE_TRIGGERS = [
        (
            "Partner updated",
            "django.db.models.signals.post_save",
            f"{__name__}.partner_updated",
            "trackable.contrib.affiliations.models.Partner",
        )
    ]
    apps.get_app_config("trackable_affiliations").ready()
    partner = Partner.objects.create()
    partner.refresh_from_db()
    assert partner.active


# TestPartner


def test_partner_create_and_update() -> None:
    partner = Partner.objects.create(name="partner")
    assert len(partner.uid) == 8
    assert str(partner) == partner.name
    partner.name = "partner updated"
    partner.save()
    assert Partner.objects.get().name == "partner updated"


def test_partner_delete() -> None:
    partner = Partner.objects.create(name="partner")
    partner.delete()
    assert not Partner.objects.exists()


# TestSubscription


def test_subscription_create_update_and_delete() -> None:
    subscription = Subscription.objects.create(partner=Partner.objects.create())
    assert str(subscription) == subscription.trigger
    subscription.trigger = "trigger updated"
    subscription.save()
    assert Subscription.objects.get().trigger == "trigger updated"
    subscription.delete()
    assert not Subscription.objects.exists()


def test_validate_callback_url_field_empty() -> None:
    subscription = Subscription.objects.create(partner=Partner.objects.create())
    with pytest.raises(InvalidCallBackURL):
        subscription.validate_callback_url()


def test_validate_callback_url_field_wrong_value() -> None:
    with pytest.raises(InvalidCallBackURL):
        Subscription.objects.create(
            partner=Partner.objects.create(), callback_url="http://example.com"
        )


def test_validate_callback_url_field_right_value() -> None:
    subscription = Subscription.objects.create(
        partner=Partner.objects.create(), callback_url=RIGHT_URL
    )
    assert subscription.callback_url == RIGHT_URL


# TestVisitor


def test_visitor_create_update_and_delete(visitor: Visitor, user: User) -> None:
    assert visitor.user == user
    assert visitor.partner.visitors.get() == visitor
    assert visitor.referred_on is not None
    assert visitor.successful_on is None
    visitor.entry_point = "http://example.com"
    visitor.save()
    assert str(Visitor.objects.get()) == "http://example.com"
    visitor.delete()
    assert not Visitor.objects.exists()


def test_succeed_no_user_specified(visitor: Visitor, user: User) -> None:
    visitor.succeed()
    assert visitor.successful_on is not None
    assert visitor.user == user


def test_succeed_user_specified(visitor: Visitor, new_user: User) -> None:
    visitor.succeed(new_user)
    assert visitor.successful_on is not None
    assert visitor.user == new_user


def test_succeed_successful_on_not_none(user: User, new_user: User) -> None:
    now = timezone.now()
    partner = Partner.objects.create()
    visitor = Visitor.objects.create(partner=partner, user=user, successful_on=now)
    visitor.succeed(new_user)
    assert visitor.successful_on == now
    assert visitor.user == user


# TestUtils


def stripped(url: str) -> str:
    """Strip a URL, as ``strip_affiliate_part_from_url`` did."""
    path, _, query = url.partition("?")
    found = querystrings.strip(query.encode(), KEY)
    rest = query if found is None else found.rest
    return f"{path}?{rest}" if rest else path


def test_strip_affiliate_part_from_url_just_one_param() -> None:
    assert stripped(f"https://example.com/some/?{KEY}=1234wxyz") == "https://example.com/some/"


def test_strip_affiliate_part_from_url_several_params() -> None:
    url = f"https://example.com/some/page?page_id=9&{KEY}=1234wxyz&other=3"
    assert stripped(url) == "https://example.com/some/page?page_id=9&other=3"


def test_url_query_string_no_params_and_several() -> None:
    assert querystrings.strip(b"", KEY) is None
    found = querystrings.strip(f"page_id=9&{KEY}=1234wxyz&other=3".encode(), KEY)
    assert found is not None
    assert found.uids == ("1234wxyz",)


# TestAffiliateTrackingSettings


def test_default_settings() -> None:
    assert conf.get("SESSION_KEY") == SESSION_KEY
    assert conf.get("QUERY_STRING_KEY") == KEY


# TestMiddleware


def served(request: HttpRequest, response: HttpResponse | None = None) -> HttpResponse:
    answer: Any = AffiliateVisitorsRegistrationMiddleware(lambda _: response or HttpResponse())
    return answer(request)  # type: ignore[no-any-return]


def test_affiliate_visitor_property_session_key_not_set() -> None:
    request = RequestFactory().get("/")
    request.session = {}
    served(request)
    assert request.affiliate_visitor is None


@pytest.mark.parametrize("value", [123, Visitor(pk=123)])
def test_affiliate_visitor_property_session_key_set_visitor_not_found(value: Any) -> None:
    request = RequestFactory().get("/")
    request.session = {SESSION_KEY: value}
    served(request)
    assert request.affiliate_visitor is None
    assert SESSION_KEY not in request.session


def test_affiliate_visitor_property_session_key_set_visitor_found(visitor: Visitor) -> None:
    request = RequestFactory().get("/")
    request.session = {SESSION_KEY: visitor.pk}
    served(request)
    assert request.affiliate_visitor == visitor


def test_affiliate_query_not_found() -> None:
    response = HttpResponse()
    assert served(RequestFactory().get("/"), response) is response


def test_affiliate_query_found_not_uid_match_for_partner() -> None:
    response = served(RequestFactory().get(f"/?{KEY}=abcd1234"))
    assert (response.status_code, response.url) == (302, "/")


def test_affiliate_query_found_uid_match_for_partner_get_request(user: User) -> None:
    partner = Partner.objects.create(active=True)
    request = RequestFactory().get(f"/?{KEY}={partner.uid}")
    request.user, request.session = user, {}
    response = served(request)
    visitor = Visitor.objects.get(user=user, partner=partner)
    assert visitor.entry_point == "/"
    assert request.session[SESSION_KEY] == visitor.pk
    assert request.affiliate_visitor == visitor
    assert (response.status_code, response.url) == (302, "/")


def test_affiliate_query_post_request() -> None:
    response = HttpResponse()
    assert served(RequestFactory().post(f"/?{KEY}=abcd1234"), response) is response


# TestTriggers

NAME = "Partner updated"


def test_complete_trigger_affiliate_visitor_not_in_request(visitor: Visitor) -> None:
    request = RequestFactory().get("/")
    complete_trigger(request, NAME)
    assert not hasattr(request, "affiliate_visitor")
    assert Visitor.objects.filter(**WAITING).count() == 1


def test_complete_trigger_affiliate_visitor_in_request_visitor_not_found(visitor: Visitor) -> None:
    request = RequestFactory().get("/")
    request.affiliate_visitor = Visitor(pk=12345)
    complete_trigger(request, NAME)
    assert Visitor.objects.filter(**WAITING).count() == 1


@pytest.mark.parametrize("active", [False, True])
def test_complete_trigger_partner_not_active_or_not_subscribed(
    visitor: Visitor, active: bool
) -> None:
    Partner.objects.update(active=active)
    if not active:
        Subscription.objects.create(partner=visitor.partner, trigger=NAME, callback_url=RIGHT_URL)
    request = RequestFactory().get("/")
    request.affiliate_visitor = visitor
    complete_trigger(request, NAME)
    assert Visitor.objects.filter(**WAITING).count() == 1


def by_hand(request: HttpRequest) -> None:
    complete_trigger(request, NAME)


def by_creation(request: HttpRequest) -> None:
    with current.serving(request):
        object_created(Visitor, Visitor.objects.get(), affiliate_trigger_name=NAME, created=True)


def by_saving(request: HttpRequest) -> None:
    with current.serving(request):
        object_saved(Visitor, Visitor.objects.get(), affiliate_trigger_name=NAME)


@for_each("complete", [by_hand, by_creation, by_saving])
def test_all_conditions_met(
    visitor: Visitor, new_user: User, complete: Callable[[HttpRequest], None]
) -> None:
    Partner.objects.update(active=True)
    Subscription.objects.create(partner=visitor.partner, trigger=NAME, callback_url=RIGHT_URL)
    request = RequestFactory().get("/")
    request.affiliate_visitor = visitor
    request.session = {SESSION_KEY: visitor.pk}
    request.user = new_user
    complete(request)
    visitor.refresh_from_db()
    assert visitor.successful_on is not None
    assert visitor.user == new_user
    assert SESSION_KEY not in request.session
    # It was called at once; now it is owed, and called after the commit.
    assert Callback.objects.get().url == f"http://example.com/?{visitor.pk}"


def test_import_from_path_module_exists() -> None:
    assert import_string("django.db.models.Model").__name__ == "Model"
