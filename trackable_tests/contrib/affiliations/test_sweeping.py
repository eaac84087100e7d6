"""A sweep tries whatever is due, and no partner holds up the others."""

from __future__ import annotations

import signal
import sys
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import CommandError
from django.db import OperationalError
from django.utils import timezone

from trackable.contrib import affiliations
from trackable.contrib.affiliations import delivery, sending, sweeping
from trackable.contrib.affiliations.models import Callback, Partner
from trackable.contrib.affiliations.sending import Answer
from trackable.contrib.affiliations.sweeping import SweepReport, deliver_due
from trackable_tests.commands.running import run
from trackable_tests.contrib.affiliations.owing import State, fresh, owe
from trackable_tests.contrib.affiliations.partner_site import PartnerSite, answer, hang

pytestmark = pytest.mark.django_db

COMMAND = "deliver_affiliate_callbacks"
MODULE = f"trackable.contrib.affiliations.management.commands.{COMMAND}"


class Calls:
    """Stands for the network: answers by host, and notes who was called."""

    def __init__(self) -> None:
        self.clock = 0.0
        self.hosts: list[str] = []
        self.seconds: dict[str, float] = {}
        self.answers: dict[str, Answer] = {}

    def __call__(self, url: str, *, key: str, secret: str) -> Answer:
        host = url.split("/")[2]
        self.hosts.append(host)
        self.clock += self.seconds.get(host, 0.001)
        return self.answers.get(host, Answer(status=204))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Calls:
    """Calls that take no time but that of a clock of their own."""
    found = Calls()
    settings.AFFILIATE_CALLBACK_TIMEOUT = 5.0
    monkeypatch.setattr(sending, "call", found)
    monkeypatch.setattr(sweeping, "time", SimpleNamespace(monotonic=lambda: found.clock))
    return found


def partner(name: str) -> Partner:
    return Partner.objects.create(name=name, active=True)


def owe_many(number: int, host: str) -> list[Callback]:
    whose = partner(host)
    return [owe(f"http://{host}/", partner=whose) for _ in range(number)]


def test_all_that_is_due_is_delivered_and_told(calls: Calls) -> None:
    owe_many(3, "a.example")
    owe_many(2, "b.example")
    owe("http://c.example/", due_at=timezone.now() + timedelta(seconds=30))
    assert deliver_due() == SweepReport(delivered=5)
    assert sorted(calls.hosts) == ["a.example"] * 3 + ["b.example"] * 2


def test_nothing_due_is_nothing_done(calls: Calls) -> None:
    assert deliver_due() == SweepReport()


def test_each_is_tried_once_though_it_is_due_again_soon(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery.backoff, "pause_seconds", lambda *args, **options: 0.0)
    calls.answers["a.example"] = Answer(status=500)
    owe_many(3, "a.example")
    assert deliver_due() == SweepReport(failed=3)


def test_those_that_wait_longest_come_first(calls: Calls) -> None:
    now = timezone.now()
    for minutes, host in ((1, "late.example"), (3, "early.example"), (2, "then.example")):
        since = now - timedelta(minutes=minutes)
        owe(f"http://{host}/", partner=partner(host), due_at=since)
    deliver_due()
    assert calls.hosts == ["early.example", "then.example", "late.example"]


def test_partner_that_hangs_costs_one_call_a_sweep(calls: Calls) -> None:
    calls.seconds["hangs.example"] = 5.0
    calls.answers["hangs.example"] = Answer(error="no whole answer in time")
    owe_many(50, "hangs.example")
    owe_many(50, "well.example")
    assert deliver_due() == SweepReport(delivered=50, failed=1)
    assert calls.hosts.count("hangs.example") == 1


def test_partner_that_is_slow_takes_turns_with_the_others(calls: Calls) -> None:
    calls.seconds["slow.example"] = 4.0
    owe_many(6, "slow.example")
    owe_many(3, "well.example")
    assert deliver_due() == SweepReport(delivered=9)
    assert calls.hosts[:5] == ["slow.example"] * 2 + ["well.example"] * 3


def test_partner_with_many_takes_turns_with_the_others(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "CALLS_A_TURN", 2)
    owe_many(5, "many.example")
    owe_many(1, "one.example")
    deliver_due()
    assert calls.hosts == ["many.example"] * 2 + ["one.example"] + ["many.example"] * 3


def test_no_call_begins_after_the_time_is_over(calls: Calls) -> None:
    calls.seconds["slow.example"] = 4.0
    owe_many(10, "slow.example")
    assert deliver_due(max_seconds=10) == SweepReport(delivered=3)


def test_no_call_begins_without_time(calls: Calls) -> None:
    owe_many(1, "a.example")
    assert deliver_due(max_seconds=0) == SweepReport()


def test_what_another_worker_has_taken_is_passed_over(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    owed = owe_many(3, "a.example")
    real = delivery.deliver

    def deliver(pk: int, using: str) -> Any:
        delivery.claim(owed[1].pk, using=using)
        return real(pk, using)

    monkeypatch.setattr(delivery, "deliver", deliver)
    assert deliver_due() == SweepReport(delivered=2)


def test_sweep_is_no_slower_the_more_partners_there_are(
    calls: Calls, django_assert_max_num_queries: Any
) -> None:
    for number in range(10):
        owe_many(2, f"p{number}.example")
    # two lists of partners, one of keys a turn, and eight statements a call
    with django_assert_max_num_queries(2 + 10 + 20 * 9):
        deliver_due()


# the command


def test_command_says_what_it_did(calls: Calls) -> None:
    calls.answers = {
        "fails.example": Answer(status=500),
        "inside.example": Answer(is_refused=True),
    }
    for host in ("well.example", "fails.example", "inside.example"):
        owe_many(1, host)
    said = run(COMMAND)
    assert said.out == "Delivered 1 callback, failed 1, refused 1\n"
    assert "see the callbacks in the admin" in said.err


def test_command_with_nothing_to_do_says_so() -> None:
    assert run(COMMAND).out == "Delivered 0 callbacks\n"
    assert run(COMMAND, verbosity=0).out == ""


def test_command_calls_a_real_server(partner_site: PartnerSite) -> None:
    partner_site.will(answer(200), answer(500))
    owed = owe(partner_site.url()), owe(partner_site.url())
    assert run(COMMAND).out == "Delivered 1 callback, failed 1\n"
    assert sorted(fresh(each).state for each in owed) == [State.DELIVERED, State.PENDING]


def test_command_without_a_database_is_an_error_in_a_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(**options: Any) -> None:
        raise OperationalError("\x1b[2Jdown")

    monkeypatch.setattr(sweeping, "deliver_due", refuse)
    with pytest.raises(CommandError, match=r"refuses \(\\x1b\[2Jdown\)\. No callback is lost"):
        run(COMMAND)


def test_command_without_urllib3_names_the_extra_and_takes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (callback,) = owe_many(1, "a.example")
    monkeypatch.delattr(affiliations, "sending")
    monkeypatch.setitem(sys.modules, sending.__name__, None)
    with pytest.raises(CommandError, match=r"trackable\[affiliations\]"):
        run(COMMAND)
    assert fresh(callback).attempts_made == 0


def test_signal_ends_the_command_between_two_calls(calls: Calls) -> None:
    owe_many(3, "a.example")
    real = calls.__call__

    def call(url: str, **options: Any) -> Answer:
        signal.raise_signal(signal.SIGTERM)
        return real(url, **options)

    sending.call = call  # the fixture puts it back
    with pytest.raises(CommandError, match="Interrupted; what is not delivered waits"):
        run(COMMAND)
    assert calls.hosts == ["a.example"]
    assert Callback.objects.filter(state=State.DELIVERED).count() == 1


def test_watching_goes_on_until_a_signal(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.close_old_connections", lambda: None)  # the test is in one
    rounds: list[float] = []

    def wait(self: Any, seconds: float) -> None:
        rounds.append(seconds)
        owe_many(1, f"p{len(rounds)}.example")
        if len(rounds) == 3:
            self.requested = True

    monkeypatch.setattr("trackable.management.stopping.Stop.wait", wait)
    owe_many(1, "a.example")
    assert run(COMMAND, "--watch", "7").out == "Delivered 1 callback\n" * 3
    assert rounds == [7, 7, 7]


@pytest.mark.django_db(transaction=True)
def test_watching_survives_a_database_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    def refuse(**options: Any) -> None:
        raise OperationalError("down")

    def wait(self: Any, seconds: float) -> None:
        waited.append(seconds)
        self.requested = len(waited) == 2

    monkeypatch.setattr(sweeping, "deliver_due", refuse)
    monkeypatch.setattr("trackable.management.stopping.Stop.wait", wait)
    assert run(COMMAND, "--watch", "1").err.count("The next attempt follows.") == 2
    assert waited == [5, 5]


def test_real_hanging_partner_is_left_after_its_time(
    partner_site: PartnerSite, settings: Any
) -> None:
    settings.AFFILIATE_CALLBACK_TIMEOUT = 0.2
    partner_site.will(hang)
    hangs = partner("hangs")
    for _ in range(20):
        owe(partner_site.url(), partner=hangs)
    assert deliver_due() == SweepReport(failed=1)
    assert len(partner_site.requests) == 1
