"""Triggers: what completes them, what comes of it, and what never happens to who is watched."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, transaction
from django.http import HttpRequest
from django.test import AsyncClient, Client, RequestFactory
from django.utils import timezone

from trackable.contrib.affiliations import (
    current,
    delivery,
    sessions,
    timespans,
    triggers,
    visitors,
)
from trackable.contrib.affiliations.models import Callback, Partner, Subscription, Visitor
from trackable.contrib.affiliations.triggers import complete_trigger, object_saved
from trackable.testing import Outbox, capture
from trackable_tests.contrib.affiliations import pages
from trackable_tests.contrib.affiliations.pages import (
    BROWSER,
    CALLED,
    OBJECT_SAVED,
    POST_SAVE,
    REGISTERED,
    SESSION_KEY,
    STARTED,
    come_from,
    make_partner,
    visitor_of,
)
from trackable_tests.contrib.campaigns.models import Campaign
from trackable_tests.tables import for_each

pytestmark = [pytest.mark.django_db, pytest.mark.urls(pages.__name__)]

committing = pytest.mark.django_db(transaction=True)

#: Whatever time it is, it is not the site's day in one of them.
FARTHEST = [ZoneInfo("Etc/GMT-14"), ZoneInfo("Etc/GMT+12")]


@pytest.fixture(autouse=True)
def site(settings: Any) -> None:
    settings.MIDDLEWARE = pages.MIDDLEWARE
    settings.AFFILIATE_TRIGGERS = [REGISTERED, STARTED, CALLED]


@pytest.fixture
def client() -> Client:
    return Client(headers=BROWSER, raise_request_exception=False)


@pytest.fixture(autouse=True)
def announced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The callbacks that were handed over to be made."""
    found: list[int] = []
    monkeypatch.setattr(delivery, "announce", lambda pk, using: found.append(pk))
    return found


@pytest.fixture
def outbox() -> Any:
    with capture() as found:
        yield found


def request_of(visitor: Visitor | None, **values: Any) -> Any:
    """Return a request of a visitor's, as the middleware leaves it."""
    request: Any = RequestFactory().get("/")
    request.affiliate_visitor = visitor
    request.session = {} if visitor is None else {SESSION_KEY: visitor.pk}
    vars(request).update(values)
    return request


def serving(visitor: Visitor) -> Any:
    """Have a request of a visitor's at hand."""
    return current.serving(request_of(visitor))


# the whole way


@committing
def test_partner_is_owed_a_call_for_a_user_who_registers(
    client: Client, outbox: Outbox, announced: list[int]
) -> None:
    partner = make_partner(REGISTERED)
    come_from(partner, client)
    visitor = visitor_of(client)
    assert client.get("/register/").status_code == 200
    callback = Callback.objects.get()
    assert callback.url == f"https://partner.example/told?visitor={visitor.pk}"
    assert (callback.visitor, callback.trigger) == (visitor, REGISTERED[0])
    assert callback.subscription == partner.subscriptions.get()
    assert callback.state == Callback.State.PENDING
    assert announced == [callback.pk]
    assert SESSION_KEY not in client.session
    assert outbox.total(partner, "conversions") == 1


def test_user_who_registers_is_the_user_of_the_success(client: Client) -> None:
    come_from(make_partner(REGISTERED), client)
    client.get("/register/")
    visitor = Visitor.objects.get()
    assert visitor.user == User.objects.get()
    assert visitor.successful_on <= timezone.now()


def test_user_who_is_logged_in_goes_before_the_one_who_is_made(client: Client) -> None:
    user = User.objects.create_user("staff")
    client.force_login(user)
    come_from(make_partner(REGISTERED), client)
    client.get("/register/")
    assert Visitor.objects.get().user == user


def test_anonymous_visitor_succeeds(client: Client) -> None:
    come_from(make_partner(STARTED), client)
    assert client.get("/start/").status_code == 200
    visitor = Visitor.objects.get()
    assert visitor.successful_on
    assert visitor.user is None
    assert SESSION_KEY not in client.session


@committing
def test_trigger_completes_under_asgi(announced: list[int]) -> None:
    client, partner = AsyncClient(headers=BROWSER), make_partner(REGISTERED)

    async def browse() -> Any:
        await client.get(f"/?{pages.KEY}={partner.uid}")
        return await client.get("/async/register/")

    assert async_to_sync(browse)().json() == {"user": User.objects.get().pk}
    assert announced == [Callback.objects.get().pk]
    assert Visitor.objects.get().user == User.objects.get()


@committing
def test_trigger_of_one_s_own_completes(client: Client, announced: list[int]) -> None:
    come_from(make_partner(CALLED), client)
    assert client.get("/call/").json() == {"called": True}
    assert client.get("/call/").json() == {"called": False}
    assert len(announced) == 1


# who is not told


def test_nothing_happens_outside_of_a_request(django_assert_num_queries: Any) -> None:
    make_partner(STARTED)
    with django_assert_num_queries(1):
        Campaign.objects.create(name="spring")
    assert not complete_trigger(None, CALLED[0])


def test_nothing_happens_to_who_is_no_visitor(
    client: Client, django_assert_num_queries: Any
) -> None:
    make_partner(STARTED)
    with django_assert_num_queries(1):
        client.get("/start/")
    assert not Callback.objects.exists()


def test_nothing_happens_when_an_object_is_changed_or_loaded_of_a_fixture(client: Client) -> None:
    visitor = Visitor.objects.create(partner=make_partner(STARTED, CALLED))
    with serving(visitor):
        Campaign(pk=5, name="x").save_base(raw=True)
        Campaign.objects.get().save()
        object_saved(Campaign, Campaign.objects.get(), CALLED[0], raw=True)
    assert not Callback.objects.exists()


def test_object_saved_completes_when_an_object_is_changed(settings: Any) -> None:
    settings.AFFILIATE_TRIGGERS = [("Saved", POST_SAVE, OBJECT_SAVED, STARTED[3])]
    campaign = Campaign.objects.create(name="spring")
    with serving(Visitor.objects.create(partner=make_partner(("Saved",)))):
        campaign.save()
    assert Callback.objects.get().trigger == "Saved"


@for_each(
    "spoil",
    [
        lambda: Partner.objects.update(active=False),
        lambda: Subscription.objects.update(trigger="Other"),
        lambda: Subscription.objects.update(trigger=CALLED[0].upper()),
        lambda: Subscription.objects.all().delete(),
        lambda: Visitor.objects.update(erased_on=timezone.now()),
        lambda: Visitor.objects.update(referred_on=timezone.now() - timezone.timedelta(days=31)),
        lambda: Visitor.objects.all().delete(),
    ],
)
def test_visitor_who_does_not_count_stays_what_they_are(
    spoil: Callable[[], Any], caplog: pytest.LogCaptureFixture
) -> None:
    request = request_of(Visitor.objects.create(partner=make_partner(CALLED)))
    spoil()
    assert not complete_trigger(request, CALLED[0])
    assert not Callback.objects.exists()
    assert not Visitor.objects.exclude(successful_on=None).exists()
    assert not caplog.records


def test_crawler_that_has_a_visitor_s_session_completes_nothing(settings: Any) -> None:
    settings.TRACKABLE_USER_AGENT_FILTERING = True
    visitor = Visitor.objects.create(partner=make_partner(CALLED))
    request = request_of(visitor)
    request.META["HTTP_USER_AGENT"] = pages.CRAWLER["User-Agent"]
    assert not complete_trigger(request, CALLED[0])
    request.META["HTTP_USER_AGENT"] = BROWSER["User-Agent"]
    assert complete_trigger(request, CALLED[0])


def test_subscription_without_a_url_is_a_success_that_nobody_is_told_of() -> None:
    partner = make_partner()
    Subscription.objects.create(partner=partner, trigger=CALLED[0])
    request = request_of(Visitor.objects.create(partner=partner))
    assert not complete_trigger(request, CALLED[0])
    assert Visitor.objects.get().successful_on
    assert not Callback.objects.exists()


# once


@committing
def test_trigger_that_completes_twice_calls_and_counts_once(
    announced: list[int], outbox: Outbox
) -> None:
    partner = make_partner(CALLED)
    visitor = Visitor.objects.create(partner=partner)
    completed = [complete_trigger(request_of(visitor), CALLED[0]) for _ in range(3)]
    assert completed == [True, False, False]
    assert len(announced) == 1
    assert outbox.total(partner, "conversions") == 1


@committing
def test_two_triggers_call_twice_and_succeed_once(announced: list[int], outbox: Outbox) -> None:
    partner = make_partner(CALLED, STARTED)
    request = request_of(Visitor.objects.create(partner=partner))
    assert complete_trigger(request, CALLED[0])
    moment = Visitor.objects.get().successful_on
    assert complete_trigger(request, STARTED[0])
    assert Visitor.objects.get().successful_on == moment
    assert len(announced) == 2
    assert outbox.total(partner, "conversions") == 1


@committing
def test_trigger_that_completes_in_many_requests_at_once_calls_once(announced: list[int]) -> None:
    visitor = Visitor.objects.create(partner=make_partner(CALLED, STARTED))
    begin, completed = Barrier(4), []

    def run(name: str) -> None:
        begin.wait()
        with transaction.atomic():
            completed.append((name, complete_trigger(request_of(visitor), name)))
        connection.close()

    threads = [Thread(target=run, args=(name,)) for name in [CALLED[0], STARTED[0]] * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for name, is_owed in completed if is_owed) == [CALLED[0], STARTED[0]]
    assert len(completed) == 4
    assert sorted(announced) == sorted(Callback.objects.values_list("pk", flat=True))


def test_callback_that_another_request_has_written_just_now_is_not_written_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    visitor = Visitor.objects.create(partner=make_partner(CALLED))
    Callback.objects.create(visitor=visitor, trigger=CALLED[0])
    monkeypatch.setattr("django.db.models.QuerySet.exists", lambda _: False)
    assert not complete_trigger(request_of(visitor), CALLED[0])
    monkeypatch.undo()
    visitor.refresh_from_db()
    assert visitor.successful_on


@committing
def test_conversion_is_counted_without_time_zone_support(settings: Any, outbox: Outbox) -> None:
    settings.USE_TZ = False
    partner = make_partner(CALLED)
    complete_trigger(request_of(Visitor.objects.create(partner=partner)), CALLED[0])
    assert outbox.total(partner, "conversions") == 1


@committing
def test_conversion_is_counted_on_the_site_s_day(outbox: Outbox) -> None:
    for number, zone in enumerate(FARTHEST, start=1):
        partner = make_partner(CALLED)
        with timezone.override(zone):
            complete_trigger(request_of(Visitor.objects.create(partner=partner)), CALLED[0])
        assert len(outbox) == number
    assert {increment.collected_during for increment in outbox} == {timespans.today()}


# with the transaction at hand


@committing
@pytest.mark.parametrize("status", [200, 409, 500])
def test_rollback_leaves_the_visitor_as_they_were(
    client: Client, announced: list[int], outbox: Outbox, status: int
) -> None:
    partner = make_partner(STARTED)
    come_from(partner, client)
    visitor = visitor_of(client)
    assert client.get(f"/fail/{status}/").status_code == status
    assert not Callback.objects.exists()
    assert (announced, outbox.total(partner, "conversions")) == ([], 0)
    assert client.session[SESSION_KEY] == visitor.pk
    client.get("/start/")
    assert len(announced) == 1
    assert SESSION_KEY not in client.session


@committing
def test_rollback_of_a_savepoint_leaves_the_visitor_too(client: Client) -> None:
    come_from(make_partner(STARTED), client)
    with transaction.atomic():
        assert client.get("/fail/200/").status_code == 200
    assert not Callback.objects.exists()
    assert Visitor.objects.get().successful_on is None


@committing
def test_nobody_is_told_before_the_commit(announced: list[int], outbox: Outbox) -> None:
    partner = make_partner(CALLED)
    with transaction.atomic():
        assert complete_trigger(request_of(Visitor.objects.create(partner=partner)), CALLED[0])
        assert (announced, outbox.total(partner, "conversions")) == ([], 0)
    assert (len(announced), outbox.total(partner, "conversions")) == (1, 1)


@committing
def test_delivery_that_fails_does_no_harm(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(pk: int, using: str) -> None:
        raise ConnectionError

    monkeypatch.setattr(delivery, "announce", refuse)
    come_from(make_partner(STARTED), client)
    assert client.get("/start/").status_code == 200
    assert Callback.objects.get().state == Callback.State.PENDING


@pytest.mark.parametrize("error", [DatabaseError("no"), ZeroDivisionError("no")])
def test_failure_is_logged_and_the_object_is_saved(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Any
) -> None:
    def fail(*_: Any) -> None:
        raise error

    come_from(make_partner(STARTED), client)
    monkeypatch.setattr(triggers, "_owe", fail)
    for _ in range(2):
        assert client.get("/start/").status_code == 200
    assert Campaign.objects.count() == 2
    (record,) = [each for each in caplog.records if each.name.startswith("trackable.")]
    assert f"A trigger was not completed: {type(error).__name__}" in record.getMessage()


def test_database_that_refuses_leaves_the_transaction_usable(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")

    visitor = Visitor.objects.create(partner=make_partner(CALLED))
    monkeypatch.setattr(triggers, "_owe", refuse)
    with transaction.atomic():
        Campaign.objects.create(name="before")
        assert not complete_trigger(request_of(visitor), CALLED[0])
        Campaign.objects.create(name="after")
    assert Campaign.objects.count() == 2
    visitor.refresh_from_db()
    assert visitor.successful_on is None
    assert len(caplog.records) == 1


def test_request_that_has_no_visitor_to_ask_for_is_passed_over() -> None:
    request: HttpRequest = RequestFactory().get("/")
    assert not complete_trigger(request, CALLED[0])


class Wrapper:
    """Asks the request for what it lacks, as that of Django REST framework."""

    def __init__(self, inner: Any) -> None:
        self._request = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


@committing
@pytest.mark.parametrize("is_rolled_back", [False, True])
def test_request_that_is_wrapped_completes_as_well(is_rolled_back: bool) -> None:
    visitor = Visitor.objects.create(partner=make_partner(CALLED))
    inner = request_of(visitor)
    wrapped: Any = Wrapper(inner)
    with current.serving(inner), transaction.atomic():
        assert complete_trigger(wrapped, CALLED[0])
        assert SESSION_KEY not in inner.session
        transaction.set_rollback(is_rolled_back)
    sessions.settle(inner)
    assert (SESSION_KEY in inner.session) is is_rolled_back
    assert (visitors.find(visitor.pk).successful_on is None) is is_rolled_back


@committing
def test_second_trigger_of_a_request_that_is_wrapped_completes_as_well() -> None:
    inner = request_of(Visitor.objects.create(partner=make_partner(CALLED, STARTED)))
    wrapped: Any = Wrapper(inner)
    with current.serving(inner):
        assert complete_trigger(wrapped, CALLED[0])
        assert complete_trigger(wrapped, STARTED[0])


@committing
def test_try_that_is_committed_after_one_that_was_not_is_for_good() -> None:
    visitor = Visitor.objects.create(partner=make_partner(CALLED))
    request = request_of(visitor)
    for is_rolled_back in (True, False):
        with current.serving(request), transaction.atomic():
            assert complete_trigger(request, CALLED[0])
            transaction.set_rollback(is_rolled_back)
    sessions.settle(request)
    assert SESSION_KEY not in request.session


@committing
def test_tries_that_are_all_rolled_back_leave_the_visitor() -> None:
    visitor = Visitor.objects.create(partner=make_partner(CALLED))
    request = request_of(visitor)
    for _ in range(2):
        with current.serving(request), transaction.atomic():
            assert complete_trigger(request, CALLED[0])
            transaction.set_rollback(True)
    sessions.settle(request)
    assert request.session[SESSION_KEY] == visitor.pk
