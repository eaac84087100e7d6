"""Erasure: what is personal goes, what was counted stays, and once more is nothing more."""

from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone

from trackable.contrib.affiliations import erasure
from trackable.contrib.affiliations.erasure import Erasure, erase_visitor
from trackable.contrib.affiliations.models import (
    Attempt,
    Callback,
    Partner,
    PartnerData,
    Visitor,
)
from trackable_tests.contrib.affiliations import pages
from trackable_tests.contrib.affiliations.pages import come_from, make_partner, visitor_of
from trackable_tests.tables import for_each

pytestmark = [pytest.mark.django_db, pytest.mark.urls(pages.__name__)]

SECRET = "/a/?mail=visitor@example.com"


@pytest.fixture
def user() -> User:
    return User.objects.create_user("visitor")


@pytest.fixture
def partner() -> Partner:
    return make_partner()


def make_visitor(partner: Partner, user: User | None = None, calls: int = 0) -> Visitor:
    """Make a visitor who succeeded, with a partner who was called so often, in vain."""
    visitor = Visitor.objects.create(
        partner=partner, user=user, entry_point=SECRET, successful_on=timezone.now()
    )
    for number in range(calls):
        url = f"https://partner.example/{visitor.pk}"
        callback = Callback.objects.create(visitor=visitor, trigger=f"{number}", url=url)
        Attempt.objects.create(callback=callback, status_code=503)
    return visitor


def everything() -> str:
    """Return all that the app has in its tables, as text."""
    models = (Visitor, Callback, Attempt, PartnerData)
    return repr([list(model.objects.values()) for model in models])


def test_visitor_is_erased_by_the_id(partner: Partner, user: User) -> None:
    visitor, other = make_visitor(partner, user, calls=2), make_visitor(partner, user, calls=1)
    assert erase_visitor(visitor.pk) == Erasure(visitors=1, callbacks=2, attempts=2)
    visitor.refresh_from_db()
    assert (visitor.user, visitor.entry_point) == (None, "")
    assert visitor.erased_on <= timezone.now()
    assert not Callback.objects.filter(visitor=visitor).exclude(url="").exists()
    assert (other.callbacks.get().url, Attempt.objects.count()) != ("", 0)


def test_all_that_a_user_was_is_erased(partner: Partner, user: User) -> None:
    for _ in range(3):
        make_visitor(partner, user, calls=1)
    make_visitor(partner, User.objects.create_user("other"))
    assert erase_visitor(user=user) == Erasure(visitors=3, callbacks=3, attempts=3)
    assert Visitor.objects.filter(erased_on=None).get().user.username == "other"


def test_nothing_personal_is_left(partner: Partner, user: User) -> None:
    make_visitor(partner, user, calls=2)
    assert "visitor@example.com" in everything()
    erase_visitor(user=user)
    assert "example" not in everything()
    assert f"'user_id': {user.pk}" not in everything()


def test_what_was_counted_and_when_stays(partner: Partner) -> None:
    visitor = make_visitor(partner)
    PartnerData.objects.create(parent=partner, collected_during=timezone.localdate(), referrals=5)
    erase_visitor(visitor.pk)
    kept = Visitor.objects.get()
    assert (kept.partner, kept.referred_on) == (partner, visitor.referred_on)
    assert kept.successful_on == visitor.successful_on
    assert partner.data.get().referrals == 5


def test_call_that_is_owed_is_made_no_more(partner: Partner) -> None:
    visitor = make_visitor(partner, calls=3)
    first, second, _ = visitor.callbacks.order_by("pk")
    Callback.objects.filter(pk=first.pk).update(state=Callback.State.DELIVERED)
    Callback.objects.filter(pk=second.pk).update(state=Callback.State.REFUSED)
    erase_visitor(visitor.pk)
    states = visitor.callbacks.order_by("pk").values_list("state", flat=True)
    assert [*states] == ["delivered", "refused", "failed"]


def test_calls_end_before_their_attempts_go_so_that_no_worker_begins_another(
    partner: Partner, django_assert_max_num_queries: Any
) -> None:
    visitor = make_visitor(partner, calls=1)
    with django_assert_max_num_queries(20) as queries:
        erase_visitor(visitor.pk)
    run = [each["sql"] for each in queries.captured_queries]
    (gone,) = [n for n, sql in enumerate(run) if sql.startswith("DELETE")]
    ended = [n for n, sql in enumerate(run) if sql.startswith("UPDATE") and "_callback" in sql]
    assert len(ended) == 2
    assert max(ended) < gone


def test_once_more_erases_nothing(partner: Partner, user: User) -> None:
    visitor = make_visitor(partner, user, calls=1)
    erase_visitor(user=user)
    moment = Visitor.objects.get().erased_on
    assert erase_visitor(user=user) == erase_visitor(visitor.pk) == Erasure()
    assert erase_visitor(12345) == erase_visitor(2**70) == Erasure()
    assert Visitor.objects.get().erased_on == moment


def test_one_of_the_two_must_be_said(user: User) -> None:
    with pytest.raises(TypeError, match="one of the two"):
        erase_visitor()
    with pytest.raises(TypeError, match="one of the two"):
        erase_visitor(1, user=user)


def test_failure_erases_nothing(
    partner: Partner, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_visitor(partner, user, calls=1)
    before = everything()

    class Broken:
        @staticmethod
        def now() -> None:
            raise DatabaseError

    monkeypatch.setattr(erasure, "timezone", Broken)
    with pytest.raises(DatabaseError):
        erase_visitor(user=user)
    assert everything() == before


def test_session_of_one_who_is_erased_leads_to_nobody(settings: Any, partner: Partner) -> None:
    settings.MIDDLEWARE = pages.MIDDLEWARE
    client = Client(headers=pages.BROWSER)
    come_from(partner, client)
    visitor = visitor_of(client)
    erase_visitor(visitor.pk)
    assert client.get("/who/").json() == {"visitor": None}
    assert pages.SESSION_KEY not in client.session
    come_from(partner, client)
    assert visitor_of(client) not in (None, visitor)


# the command


def run(*arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command("erase_visitor", *arguments, stdout=out, **options)
    return out.getvalue()


def test_command_erases_and_says_so(partner: Partner, user: User) -> None:
    visitors = [make_visitor(partner, user, calls=n) for n in (1, 2, 3)]
    told = "Erased 1 visitor, with 1 callback and 1 attempt.\n"
    assert run(str(visitors[0].pk)) == told
    assert run("--user", "visitor") == "Erased 2 visitors, with 5 callbacks and 5 attempts.\n"
    assert run("--user-id", str(user.pk)) == "Erased 0 visitors, with 0 callbacks and 0 attempts.\n"
    assert run(str(visitors[0].pk), verbosity=0) == ""


@for_each("arguments", [("--user", "nobody"), ("--user-id", "12345"), ("--user-id", "x")])
def test_command_knows_when_there_is_no_such_user(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="There is no such user"):
        run(*arguments)


@for_each("arguments", [(), ("x",), ("5", "--user", "a")])
def test_command_wants_one_of_the_three(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)


def test_command_tells_of_a_database_that_refuses() -> None:
    def refuse(execute: Any, sql: str, *args: Any) -> Any:
        return execute(sql.replace(Visitor._meta.db_table, "no_such_table"), *args)

    with connection.execute_wrapper(refuse), pytest.raises(CommandError, match="database refuses"):
        run("5")
    assert connection.in_atomic_block
