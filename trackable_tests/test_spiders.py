"""The spider filter: rows, verdicts, and how new rows come into force."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.core.signals import request_finished
from django.db import OperationalError, connection, transaction

from trackable import spiders
from trackable.models import Spider
from trackable.spiders import MISSING, Patterns, SpiderFilter
from trackable_tests.tables import for_each

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/119.0"
ACME = f"{BROWSER} Acme/2.0"
FIXTURES = Path(__file__).parent.parent / "fixtures"


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def subject(clock: Clock) -> SpiderFilter:
    """A filter as in a new process."""
    return SpiderFilter(clock)


@pytest.fixture(autouse=True)
def fresh_filter() -> Iterator[None]:
    """Let no test see the rows of another."""
    spiders.forget()
    yield
    spiders.forget()


@pytest.fixture
def broken_rows(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make the next reading of the rows fail."""

    def fail() -> list[spiders.Row]:
        raise OperationalError("the database is away")

    return lambda: monkeypatch.setattr(spiders, "_rows", fail)


# what a row matches


def test_part_of_a_name_is_found_whatever_the_version() -> None:
    assert Patterns([("curl", "substring")]).verdict("curl/7.81.0") == "curl"
    assert Patterns([("Acme", "substring")]).verdict(ACME.upper()) == "Acme"


def test_an_agent_that_is_part_of_a_pattern_is_not_matched() -> None:
    rows = [("Mozilla/5.0 (compatible; Acme)", "substring")]
    assert Patterns(rows).verdict("Mozilla/5.0") is None
    assert Patterns(rows).verdict(BROWSER) is None


def test_a_part_is_no_expression() -> None:
    assert Patterns([("Acme/.*", "substring")]).verdict(ACME) is None


def test_an_expression_is_searched_whatever_the_case() -> None:
    patterns = Patterns([(r"ACME/\d\.0$", "regex")])
    assert patterns.verdict(ACME) == r"ACME/\d\.0$"
    assert patterns.verdict(f"{ACME}.1") is None


def test_an_expression_may_look_at_the_case() -> None:
    assert Patterns([("(?-i:ACME)", "regex")]).verdict(ACME) is None


def test_a_row_is_taken_at_its_word_on_a_device() -> None:
    agent = "Mozilla/5.0 (Linux; Android 13; CUBOT X18) AppleWebKit/537.36 Mobile Safari/537.36"
    assert Patterns().verdict(agent) is None
    assert Patterns([("cubot", "substring")]).verdict(agent) == "cubot"


@for_each("row", [("(", "regex"), ("x*", "regex"), (" ", "substring")])
def test_a_row_that_nobody_checked_is_passed_over(row: spiders.Row) -> None:
    patterns = Patterns([row, ("Acme", "substring")])
    assert patterns.verdict(ACME) == "Acme"
    assert patterns.verdict(BROWSER) is None


def test_an_exception_is_counted_whatever_else_is_in_its_name() -> None:
    patterns = Patterns([("ownbrowser", "exception"), ("curl", "exception"), ("own", "substring")])
    assert patterns.verdict("OwnBrowser/2 bot (+https://example.com)") is None
    assert patterns.verdict("Owner/1.0") == "own"
    assert patterns.verdict("wget/1.2") == "[wW]get"


def test_a_pattern_that_was_overruled_keeps_nobody_out() -> None:
    assert Patterns().verdict("Something/1.0") == "no browser or device"
    patterns = Patterns([("no browser or device", "exception")])
    assert patterns.verdict("Something/1.0") is None
    assert patterns.verdict("Googlebot/2.1") == "Googlebot/"


def test_no_rows_leave_the_built_in_patterns() -> None:
    assert Patterns().verdict("Googlebot/2.1") == "Googlebot/"
    assert Patterns().verdict(BROWSER) is None


# verdicts


def test_a_verdict_is_worked_out_once(subject: SpiderFilter, worked_out: list[str]) -> None:
    assert [subject.verdict(BROWSER) for _ in range(3)] == [None] * 3
    assert worked_out == [BROWSER]


def test_only_the_beginning_of_a_long_agent_is_looked_at(
    subject: SpiderFilter, worked_out: list[str]
) -> None:
    assert subject.verdict(BROWSER + " " * 8000 + "Googlebot") is None
    assert subject.verdict(BROWSER + " " * 8000 + "Bingbot") is None
    assert [len(agent) for agent in worked_out] == [spiders.MAX_LENGTH]


def test_many_agents_do_not_fill_the_memory(subject: SpiderFilter) -> None:
    for number in range(spiders.CACHED_VERDICTS + 100):
        subject.verdict(f"curl/{number}")
    assert subject._patterns is not None
    assert subject._patterns.verdict.cache_info().currsize == spiders.CACHED_VERDICTS


@for_each("agent", [None, "", "  ", "\t", "-", b"curl/7", 7, object()])
def test_no_agent_is_a_crawler_by_setting(agent: Any, settings: Any, no_rows: None) -> None:
    assert spiders.verdict(agent) == MISSING
    settings.TRACKABLE_MISSING_USER_AGENT_IS_SPIDER = False
    assert spiders.verdict(agent) is None


def test_the_agent_of_a_request_is_judged(rf: Any, no_rows: None) -> None:
    assert spiders.verdict_of_request(rf.get("/", HTTP_USER_AGENT="curl/7.81.0")) is not None
    assert spiders.verdict_of_request(rf.get("/", HTTP_USER_AGENT=BROWSER)) is None
    assert spiders.verdict_of_request(rf.get("/")) == MISSING


@for_each(
    "request_", [None, object(), 7, "GET /", SimpleNamespace(META=None), SimpleNamespace(META=[])]
)
def test_what_is_no_request_is_nobody(request_: Any) -> None:
    assert spiders.verdict_of_request(request_) is None


# rows come into force


@pytest.mark.django_db
def test_after_the_first_verdict_there_is_no_sql(
    subject: SpiderFilter, clock: Clock, django_assert_num_queries: Any
) -> None:
    subject.verdict(BROWSER)
    clock.seconds += 24 * 3600
    with django_assert_num_queries(0):
        assert subject.verdict(ACME) is None
        assert subject.verdict("never seen before") is not None


@pytest.mark.django_db
def test_the_first_verdict_knows_the_rows(subject: SpiderFilter) -> None:
    Spider.objects.create(pattern="Acme")
    assert subject.verdict(ACME) == "Acme"


@pytest.mark.django_db
def test_rows_that_came_without_a_signal_are_in_force_within_a_minute(
    subject: SpiderFilter, clock: Clock
) -> None:
    assert subject.verdict(ACME) is None
    Spider.objects.bulk_create([Spider(pattern="Acme")])
    clock.seconds += 29
    assert not subject.refresh_if_stale()
    clock.seconds += 2
    assert subject.refresh_if_stale()
    assert subject.verdict(ACME) == "Acme"
    Spider.objects.filter(pattern="Acme").update(pattern="Nobody")
    clock.seconds += 31
    assert subject.refresh_if_stale()
    assert subject.verdict(ACME) is None


def test_nobody_asks_so_nothing_is_read(subject: SpiderFilter) -> None:
    assert subject.stale()
    assert not subject.refresh_if_stale()


@pytest.mark.django_db
def test_verdicts_outlive_a_refresh_that_changes_nothing(
    subject: SpiderFilter, worked_out: list[str]
) -> None:
    subject.verdict(BROWSER)
    assert subject.refresh()
    subject.verdict(BROWSER)
    assert worked_out == [BROWSER]
    Spider.objects.create(pattern="Acme")
    assert subject.refresh()
    subject.verdict(BROWSER)
    assert worked_out == [BROWSER] * 2


@pytest.mark.django_db
def test_a_row_that_is_saved_or_deleted_is_in_force_after_the_commit(
    django_capture_on_commit_callbacks: Any,
) -> None:
    assert spiders.verdict(ACME) is None
    with django_capture_on_commit_callbacks(execute=True):
        row = Spider.objects.create(pattern="Acme")
        assert spiders.verdict(ACME) is None
    assert spiders.verdict(ACME) == "Acme"
    with django_capture_on_commit_callbacks(execute=True):
        row.delete()
    assert spiders.verdict(ACME) is None


@pytest.mark.django_db
def test_many_rows_of_a_transaction_are_read_once(
    django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spiders.verdict(BROWSER)
    readings: list[int] = []
    monkeypatch.setattr(spiders, "_rows", lambda: readings.append(1) or [])
    with django_capture_on_commit_callbacks(execute=True):
        for number in range(5):
            Spider.objects.create(pattern=f"Acme{number}")
    assert len(readings) == 1


def test_a_database_that_is_away_leaves_the_old_patterns(
    subject: SpiderFilter,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    broken_rows: Callable[[], None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(spiders, "_rows", lambda: [("Acme", "substring")])
    assert subject.verdict(ACME) == "Acme"
    broken_rows()
    clock.seconds += 31
    assert not subject.refresh_if_stale()
    assert subject.verdict(ACME) == "Acme"
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert not subject.stale()


def test_a_database_that_is_away_from_the_start_leaves_the_built_in_patterns(
    subject: SpiderFilter, broken_rows: Callable[[], None]
) -> None:
    broken_rows()
    assert subject.verdict("Googlebot/2.1") is not None
    assert subject.verdict(BROWSER) is None


@pytest.mark.django_db
def test_an_error_does_not_spoil_the_transaction_of_the_request(
    subject: SpiderFilter,
) -> None:
    def miss(execute: Any, sql: str, *rest: Any) -> Any:
        return execute(sql.replace("trackable_spider", "trackable_absent"), *rest)

    with transaction.atomic():
        with connection.execute_wrapper(miss):
            assert subject.verdict(BROWSER) is None
        assert Spider.objects.count() == 0
        assert not connection.needs_rollback


@pytest.mark.django_db
def test_a_transaction_that_is_already_spoilt_gets_a_verdict(subject: SpiderFilter) -> None:
    with transaction.atomic():
        transaction.set_rollback(True)
        assert subject.verdict("Googlebot/2.1") is not None


@pytest.mark.django_db
def test_in_an_event_loop_the_rows_are_left_for_later(subject: SpiderFilter) -> None:
    Spider.objects.create(pattern="Acme")

    async def view() -> str | None:
        return subject.verdict(ACME)

    assert asyncio.run(view()) is None
    assert subject.refresh_if_stale()
    assert subject.verdict(ACME) == "Acme"


def test_the_end_of_a_request_refreshes_where_no_thread_did(
    monkeypatch: pytest.MonkeyPatch, subject: SpiderFilter, clock: Clock
) -> None:
    monkeypatch.setattr(spiders, "_rows", list)
    subject.verdict(ACME)
    monkeypatch.setattr(spiders, "_rows", lambda: [("Acme", "substring")])
    clock.seconds += 49
    subject.request_finished(sender=None)
    assert subject.verdict(ACME) is None
    clock.seconds += 2
    subject.request_finished(sender=None)
    assert subject.verdict(ACME) == "Acme"


@pytest.mark.django_db
def test_the_end_of_a_request_reads_nothing_in_somebodys_transaction(
    subject: SpiderFilter, clock: Clock, django_assert_num_queries: Any
) -> None:
    subject.verdict(BROWSER)
    clock.seconds += 3600
    with django_assert_num_queries(0):
        subject.request_finished(sender=None)


@pytest.mark.django_db(transaction=True)
def test_the_end_of_a_request_leaves_no_connection_open(
    subject: SpiderFilter, clock: Clock
) -> None:
    subject.verdict(BROWSER)
    clock.seconds += 60
    connection.close()
    subject.request_finished(sender=None)
    assert connection.connection is None
    assert not subject.stale()


def test_the_end_of_a_request_is_listened_to() -> None:
    receivers = [receiver() for _, receiver, *_ in request_finished.receivers]
    assert spiders.spider_filter.request_finished in receivers


def test_threads_may_ask_and_refresh_at_once(
    subject: SpiderFilter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spiders, "_rows", lambda: [("Acme", "substring")])
    found: set[tuple[str | None, bool]] = set()

    def ask() -> None:
        found.update((subject.verdict(ACME), subject.refresh()) for _ in range(200))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {("Acme", True)}


# the table and its fixture


@pytest.mark.django_db
@for_each("pattern, kind", [("", "substring"), ("(", "regex"), ("x?", "regex")])
def test_a_row_is_checked_when_it_is_saved(pattern: str, kind: str) -> None:
    with pytest.raises(ValidationError):
        Spider.objects.create(pattern=pattern, kind=kind)


@pytest.mark.slow
@pytest.mark.django_db
def test_the_fixture_is_loaded_and_each_row_is_sound(subject: SpiderFilter) -> None:
    for _ in range(2):
        call_command("loaddata", FIXTURES / "spiders.json", verbosity=0)
    for row in Spider.objects.all():
        row.clean_fields()
        row.clean()
    assert Spider.objects.count() == len(fixture_rows())
    assert subject.verdict("mj12BOT/1.4") == "MJ12bot"
    assert subject.verdict(BROWSER) is None


def test_no_rows_of_the_fixture_differ_in_case_alone() -> None:
    patterns = [row["fields"]["pattern"].strip() for row in fixture_rows()]
    assert len({pattern.casefold() for pattern in patterns}) == len(patterns) > 1000


def test_the_fixture_says_what_it_is_from() -> None:
    readme = (FIXTURES / "README.md").read_text(encoding="utf-8")
    made = re.search(r"\*\*Made:\*\* (\d+) rows, from (crawler-user-agents .+)\.", readme)
    assert made
    assert int(made[1]) == len(fixture_rows())
    assert all(row["fields"]["notes"].startswith(f"{made[2]}: ") for row in fixture_rows())


def test_the_fixture_takes_no_person_for_a_crawler() -> None:
    rows = [(row["fields"]["pattern"], row["fields"]["kind"]) for row in fixture_rows()]
    lines = (Path(__file__).parent / "data" / "people.txt").read_text(encoding="utf-8").splitlines()
    people = [line for line in lines if not line.startswith("#")]
    patterns = Patterns(rows)
    assert sum(patterns.verdict(agent) is not None for agent in people) <= len(people) / 200


def fixture_rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((FIXTURES / "spiders.json").read_text("utf-8"))
    return rows


@pytest.fixture
def no_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the table unread."""
    monkeypatch.setattr(spiders, "_rows", list)


@pytest.fixture
def worked_out(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[str]:
    """The agents that were looked at anew; without a database, no row is in the table."""
    if not request.node.get_closest_marker("django_db"):
        monkeypatch.setattr(spiders, "_rows", list)
    seen: list[str] = []
    judge = spiders.crawler_pattern
    monkeypatch.setattr(
        spiders, "crawler_pattern", lambda agent: seen.append(agent) or judge(agent)
    )
    return seen
